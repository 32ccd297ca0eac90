//! Songs whole and in parts, with and without conditions (RFC 9110, sections 13 and 14), at the edge with a cold
//! and a warm cache, and at the gateway.

use http::StatusCode;

use crate::service::Service;

const PATH: &str = "/v1/songs/3/audio";

#[tokio::test]
async fn parts_are_those_of_the_whole_at_every_tier_and_in_every_state_of_the_cache() {
    let service = Service::start().await;
    let bases = [service.base(), service.base(), service.gateway()];
    for (round, base) in bases.into_iter().enumerate() {
        let get = async |range: &str| service.send("GET", base, PATH, &[("range", range)], "").await;
        // The first request of all meets cold caches.
        let part = get("bytes=100-199").await;
        let whole = service.send("GET", base, PATH, &[], "").await;
        assert!(whole.is_right(), "{round}");
        let total = whole.body.len();
        assert_eq!(whole.header("accept-ranges"), "bytes");
        assert_eq!((part.status, &part.body[..]), (StatusCode::PARTIAL_CONTENT, &whole.body[100..200]));
        assert_eq!(part.header("content-range"), format!("bytes 100-199/{total}"));
        assert_eq!(part.header("content-length"), "100");
        assert_eq!(get("bytes=-5").await.body, whole.body[total - 5..]);
        assert_eq!(get(&format!("bytes={}-", total - 7)).await.body, whole.body[total - 7..]);
        assert_eq!(get("bytes=0-99999999").await.status, StatusCode::PARTIAL_CONTENT);
        for outside in [format!("bytes={total}-"), "bytes=-0".to_owned()] {
            let answer = get(&outside).await;
            assert_eq!(answer.problem(), 416, "{outside}");
            assert_eq!(answer.header("content-range"), format!("bytes */{total}"));
        }
        for nonsense in ["bytes=9-3", "bytes=a-b", "lines=0-3", "bytes"] {
            let answer = get(nonsense).await;
            assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, total), "{nonsense}");
        }
    }
}

#[tokio::test]
async fn several_parts_come_in_one_framed_body() {
    let service = Service::start().await;
    let whole = service.get(PATH).await.body;
    for base in [service.base(), service.gateway()] {
        let ranges = [("range", "bytes=50-59,0-9,-4")];
        let answer = service.send("GET", base, PATH, &ranges, "").await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
        let kind = answer.header("content-type");
        let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
        let total = whole.len();
        let mut expected = Vec::new();
        for (first, last) in [(50, 59), (0, 9), (total - 4, total - 1)] {
            expected
                .extend_from_slice(format!("\r\n--{boundary}\r\nContent-Type: audio/mpeg\r\n").as_bytes());
            expected
                .extend_from_slice(format!("Content-Range: bytes {first}-{last}/{total}\r\n\r\n").as_bytes());
            expected.extend_from_slice(&whole[first..=last]);
        }
        expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        assert_eq!(answer.body, expected);
        let many = format!("bytes={}", (0..60).map(|n| format!("{n}-{n}")).collect::<Vec<_>>().join(","));
        let answer = service.send("GET", base, PATH, &[("range", &many)], "").await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, total), "no amplification");
    }
}

#[tokio::test]
async fn conditions_are_answered_alike_by_cache_and_origin() {
    let service = Service::start().await;
    for base in [service.base(), service.base(), service.gateway()] {
        let get = async |headers: &[(&str, &str)]| service.send("GET", base, PATH, headers, "").await;
        let whole = get(&[]).await;
        let (etag, date) = (whole.header("etag").to_owned(), whole.header("last-modified").to_owned());
        assert!(etag.starts_with('"'), "a strong tag: {etag}");
        httpdate::parse_http_date(&date).unwrap();
        for known in [("if-none-match", etag.as_str()), ("if-none-match", "*"), ("if-modified-since", &date)]
        {
            let answer = get(&[known]).await;
            assert_eq!((answer.status, answer.body.len()), (StatusCode::NOT_MODIFIED, 0), "{known:?}");
            assert_eq!(answer.header("etag"), etag);
            assert!(!answer.header("cache-control").is_empty() && answer.header("content-type").is_empty());
        }
        let old = "Sat, 01 Jan 2000 00:00:00 GMT";
        for (conditions, status) in [
            (&[("if-none-match", "\"other\""), ("if-modified-since", &date)][..], 200),
            (&[("if-match", "\"other\"")], 412),
            (&[("if-match", &etag)], 200),
            (&[("if-unmodified-since", &date)], 200),
            (&[("range", "bytes=0-0"), ("if-range", &etag)], 206),
            (&[("range", "bytes=0-0"), ("if-range", &date)], 206),
            (&[("range", "bytes=0-0"), ("if-range", "\"other\"")], 200),
            (&[("range", "bytes=0-0"), ("if-range", old)], 200),
            (&[("range", "bytes=0-0"), ("if-none-match", &etag)], 304),
        ] {
            assert_eq!(get(conditions).await.status.as_u16(), status, "{conditions:?}");
        }
        let head = service.send("HEAD", base, PATH, &[("range", "bytes=0-0")], "").await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
        assert_eq!(head.header("content-length"), whole.body.len().to_string());
        for name in ["etag", "last-modified", "cache-control", "content-type", "repr-digest", "accept-ranges"]
        {
            assert_eq!(head.header(name), whole.header(name), "{name}");
        }
    }
}
