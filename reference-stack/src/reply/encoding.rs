//! Compression of pages, for clients that take it (RFC 9110, section 12.5.3).

use std::io::Write as _;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderMap;
use http::header::ACCEPT_ENCODING;

/// Shorter bodies gain nothing.
pub const GZIP_BYTES_MIN: usize = 256;

/// Whether a request takes gzip: by name, or by `*` where it is not named.
pub fn accepts_gzip(asked: &HeaderMap) -> bool {
    let (mut by_name, mut by_star) = (None, None);
    for list in asked.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()) {
        for coding in list.split(',') {
            let (name, parameter) = coding.trim().split_once(';').unwrap_or((coding.trim(), ""));
            let weight = parameter.trim().strip_prefix("q=").map_or(1.0, |q| q.parse().unwrap_or(0.0));
            match name.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => by_name = Some(weight > 0.0),
                "*" => by_star = Some(weight > 0.0),
                _ => {}
            }
        }
    }
    by_name.or(by_star).unwrap_or(false)
}

/// The body, packed.
pub fn gzip(body: &[u8]) -> Bytes {
    let mut packer = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::fast());
    // Writing to memory cannot fail.
    let _ = packer.write_all(body);
    packer.finish().map(Bytes::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_respected() {
        for (text, accepts) in [
            ("gzip", true),
            ("br;q=1, GZIP;q=0.5", true),
            ("*", true),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("gzip; q=0.001", true),
            ("identity", false),
            ("", false),
        ] {
            let asked = HeaderMap::from_iter([(ACCEPT_ENCODING, text.parse().unwrap())]);
            assert_eq!(accepts_gzip(&asked), accepts, "{text}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
