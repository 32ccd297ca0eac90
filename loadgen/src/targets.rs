//! Where the load goes, and that it stays on this machine.
//!
//! Why so strict: an open-model generator does not slow down when its target suffers. Aimed at somebody
//! else's system by a typing error it is an attack, so anything but loopback is refused, without an option
//! to say otherwise. `localhost` is resolved once, here, and the addresses found are what is connected to.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::error::LoadError;

/// Base urls of the system under test.
#[derive(Debug, Clone, Default)]
pub struct Targets {
    /// One base url per instance, by the name of the tier; a request of site `s` goes to instance
    /// `s` modulo their number.
    pub by_tier: BTreeMap<String, Vec<String>>,
    /// Where everything goes that `by_tier` does not name.
    pub fallback: Option<String>,
    /// Prometheus text with the tiers' counters.
    pub metrics: Option<String>,
    /// Sent with every request.
    pub headers: Vec<(String, String)>,
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A checked base url.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// As given.
    pub url: String,
    /// What requests start with: scheme, numeric address, path prefix without its last `/`.
    pub prefix: String,
    /// The `Host` header.
    pub host: String,
    addresses: Vec<SocketAddr>,
    /// Of these the one that is used.
    address: SocketAddr,
    path: String,
}

impl Base {
    /// Checks a base url without connecting to it.
    pub fn parse(url: &str) -> Result<Self, LoadError> {
        let bad = |cause: &str| LoadError::BadUrl { url: url.to_owned(), cause: cause.to_owned() };
        let uri: http::Uri = url.parse().map_err(|e: http::uri::InvalidUri| bad(&e.to_string()))?;
        if uri.scheme_str() != Some("http") {
            return Err(bad("it must start with http://"));
        }
        let authority = uri.authority().ok_or_else(|| bad("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("user names are not supported; pass a header"));
        }
        if uri.query().is_some() {
            return Err(bad("it has a query"));
        }
        let port = authority.port_u16().unwrap_or(80);
        let (addresses, host) = loopback_addresses(url, authority.host(), port)?;
        let path = uri.path().trim_end_matches('/').to_owned();
        let address = *addresses.first().ok_or_else(|| bad("its host has no address"))?;
        let host = if host { authority.to_string() } else { address.to_string() };
        let prefix = format!("http://{address}{path}");
        Ok(Self { url: url.to_owned(), prefix, host, addresses, address, path })
    }

    /// The address that is connected to.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Path prefix without its last `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its path, by itself.
    pub fn path_or_root(&self) -> &str {
        if self.path.is_empty() { "/" } else { &self.path }
    }

    /// Opens and closes one connection, so that a run fails at once and clearly; of several addresses the
    /// first that answers is used from then on.
    pub fn reach(&mut self) -> Result<(), LoadError> {
        let mut first_error = None;
        for address in &self.addresses {
            match TcpStream::connect_timeout(address, CONNECT_TIMEOUT) {
                Ok(_) => {
                    self.address = *address;
                    self.prefix = format!("http://{address}{}", self.path);
                    return Ok(());
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        let source = first_error.unwrap_or_else(|| std::io::ErrorKind::AddrNotAvailable.into());
        Err(LoadError::Unreachable { url: self.url.clone(), source })
    }
}

/// The addresses of a host, all of them loopback, and whether the host is a name.
fn loopback_addresses(url: &str, host: &str, port: u16) -> Result<(Vec<SocketAddr>, bool), LoadError> {
    let refused = || LoadError::NotLoopback { url: url.to_owned() };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return if is_loopback(ip) { Ok((vec![SocketAddr::new(ip, port)], false)) } else { Err(refused()) };
    }
    if !host.eq_ignore_ascii_case("localhost") {
        return Err(refused());
    }
    let addresses: Vec<SocketAddr> = (host, port)
        .to_socket_addrs()
        .map_err(|source| LoadError::Unreachable { url: url.to_owned(), source })?
        .collect();
    // A machine may be set up to call another one `localhost`.
    if addresses.iter().all(|address| is_loopback(address.ip())) {
        Ok((addresses, true))
    } else {
        Err(refused())
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses_are_taken() {
        for (url, prefix) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http://127.9.9.9:8080/", "http://127.9.9.9:8080"),
            ("http://[::1]:8080/api/", "http://[::1]:8080/api"),
            ("http://127.0.0.1", "http://127.0.0.1:80"),
        ] {
            let base = Base::parse(url).unwrap();
            assert_eq!(base.prefix, prefix);
            assert_eq!(base.host, base.address().to_string());
        }
        let localhost = Base::parse("http://localhost:8080").unwrap();
        assert_eq!(localhost.host, "localhost:8080");
        assert!(localhost.addresses.iter().all(|a| a.ip().is_loopback()));
    }

    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for url in [
            "http://192.168.0.1:80",
            "http://8.8.8.8",
            "http://0.0.0.0:80",
            "http://spotify.example",
            "http://127.0.0.1.example:80",
            "http://localhost.example",
            "http://[2001:db8::1]:80",
        ] {
            let message = Base::parse(url).unwrap_err().to_string();
            assert!(message.contains(url) && message.contains("not on this machine"), "{message}");
        }
        for url in
            ["https://127.0.0.1", "127.0.0.1:80", "http://", "http://a@127.0.0.1", "http://127.0.0.1/?x=1"]
        {
            assert!(matches!(Base::parse(url), Err(LoadError::BadUrl { .. })), "{url}");
        }
    }

    #[test]
    fn an_unreachable_target_is_named_with_its_cause() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let url = format!("http://{free}");
        let message = Base::parse(&url).unwrap().reach().unwrap_err().to_string();
        assert!(message.contains(&url) && message.contains("refused"), "{message}");
    }
}
