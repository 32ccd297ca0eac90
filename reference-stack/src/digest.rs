//! SHA-256 of what is stored and sent, so that wrong bytes are found before they are served (RFC 9530).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

/// Larger bodies are hashed where nobody waits for the thread.
const INLINE_BYTES_MAX: usize = 256 << 10;

pub type Digest = [u8; 32];

pub fn of(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

/// As [`of`], without holding up other requests.
pub async fn of_body(bytes: &Bytes) -> Digest {
    if bytes.len() <= INLINE_BYTES_MAX {
        return of(bytes);
    }
    let body = bytes.clone();
    match tokio::task::spawn_blocking(move || of(&body)).await {
        Ok(digest) => digest,
        // The runtime is ending; nobody will read the answer.
        Err(_) => of(bytes),
    }
}

/// As `Repr-Digest` has it.
pub fn header(digest: &Digest) -> HeaderValue {
    HeaderValue::try_from(format!("sha-256=:{}:", STANDARD.encode(digest))).expect("base64 is a header value")
}

/// The SHA-256 that a `Repr-Digest` states.
pub fn stated(header: &HeaderValue) -> Option<Digest> {
    let member =
        header.to_str().ok()?.split(',').find_map(|member| member.trim().strip_prefix("sha-256=:"))?;
    STANDARD.decode(member.strip_suffix(':')?).ok()?.try_into().ok()
}

/// A strong tag made of the content.
pub fn etag(digest: &Digest, suffix: &str) -> HeaderValue {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = Vec::with_capacity(40);
    text.push(b'"');
    text.extend(
        digest[..16].iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| DIGITS[nibble as usize]),
    );
    text.extend_from_slice(suffix.as_bytes());
    text.push(b'"');
    HeaderValue::from_maybe_shared(Bytes::from(text))
        .expect("hexadecimal digits and quotes are a header value")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_survive_the_header() {
        let digest = of(b"abc");
        assert_eq!(digest[..4], [0xba, 0x78, 0x16, 0xbf], "FIPS 180-4, example B.1");
        assert_eq!(stated(&header(&digest)), Some(digest));
        assert_eq!(stated(&"sha-512=:YQ==:, sha-256=:YQ==:".parse().unwrap()), None, "too short");
        assert_eq!(etag(&digest, "-gzip"), "\"ba7816bf8f01cfea414140de5dae2223-gzip\"");
    }
}
