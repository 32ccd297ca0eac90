//! Which headers belong to a message, and which to the connection that it came over (RFC 9110, section 7.6.1).
//!
//! Why by what is taken off and not by what is kept: a header that nobody here has heard of is for those at the ends,
//! and a cache that dropped it would change what the origin says (RFC 9111, section 3.1).

use http::header::{
    AGE, CONNECTION, CONTENT_LENGTH, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderName};

use super::{REQUEST_ID, SERVED_BY, SERVER_TIMING};

/// How a cache dealt with a request (RFC 9211).
pub const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const PROXY_AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");

/// Of the connection, whether it is named in `Connection` or not.
const OF_CONNECTIONS: [HeaderName; 7] =
    [CONNECTION, KEEP_ALIVE, PROXY_CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];

/// What a server that works for a tier tells it alone: how its cache dealt with a request, and whom it asked.
pub const SERVERS_CACHE: HeaderName = HeaderName::from_static("x-plimsoll-cache");
pub const SERVERS_SOURCE: HeaderName = HeaderName::from_static("x-plimsoll-from");

/// Of one hop or of one exchange, and so never of what is kept.
const OF_EXCHANGES: [HeaderName; 11] = [
    SERVERS_CACHE,
    SERVERS_SOURCE,
    AGE,
    CACHE_STATUS,
    CONTENT_LENGTH,
    PROXY_AUTHENTICATE,
    PROXY_AUTHENTICATION_INFO,
    PROXY_AUTHORIZATION,
    REQUEST_ID,
    SERVED_BY,
    SERVER_TIMING,
];

/// Takes off what belongs to the connection that a message came over.
pub fn off_the_wire(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        let named: Vec<HeaderName> = headers
            .get_all(CONNECTION)
            .iter()
            .filter_map(|list| list.to_str().ok())
            .flat_map(|list| list.split(','))
            .filter_map(|name| name.trim().parse().ok())
            .collect();
        for name in named {
            headers.remove(name);
        }
    }
    for name in OF_CONNECTIONS {
        headers.remove(name);
    }
}

/// The headers of a response that describe what it carries.
pub fn of_content(headers: &HeaderMap) -> HeaderMap {
    let mut kept = headers.clone();
    off_the_wire(&mut kept);
    for name in OF_EXCHANGES {
        kept.remove(name);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_the_connection_stays_there_and_the_unknown_goes_on() {
        let headers = [
            ("connection", "close, X-Hop"),
            ("connection", "x-other-hop"),
            ("x-hop", "1"),
            ("x-other-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("x-unknown", "2"),
            ("age", "7"),
            ("server-timing", "edge;dur=1"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ];
        let mut headers: HeaderMap = headers
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .fold(HeaderMap::new(), |mut all, (name, value)| {
                all.append(name, value);
                all
            });
        let names = |headers: &HeaderMap| {
            let mut names: Vec<String> = headers.keys().map(ToString::to_string).collect();
            names.sort();
            names.join(" ")
        };
        assert_eq!(names(&of_content(&headers)), "set-cookie x-unknown");
        assert_eq!(of_content(&headers).get_all("set-cookie").iter().count(), 2);
        off_the_wire(&mut headers);
        assert_eq!(names(&headers), "age server-timing set-cookie x-unknown");
    }
}
