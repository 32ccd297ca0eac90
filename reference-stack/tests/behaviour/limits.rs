//! What the service does not let anybody do.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::service::Service;

/// Sends bytes as they are, and gives what comes back until the service closes the connection or is silent.
async fn raw(base: &str, bytes: &str, silence: Duration) -> String {
    let mut stream = TcpStream::connect(base.trim_start_matches("http://")).await.unwrap();
    // A service that refuses a long head may close before it has read all of it.
    let _ = stream.write_all(bytes.as_bytes()).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(Ok(read @ 1..)) = tokio::time::timeout(silence, stream.read(&mut buffer)).await {
        answer.extend_from_slice(&buffer[..read]);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

#[tokio::test]
async fn only_the_key_opens_the_doors_and_it_does_not_open_the_admin_api() {
    let service = Service::start().await;
    let short = &service.card.api_key[1..];
    for key in ["wrong", "", short] {
        for path in ["/v1/songs/1", "/v1/songs/1/audio", "/v1/heat", "/v1/openapi.json"] {
            assert_eq!(service.get_with(path, &[("x-api-key", key)]).await.problem(), 401, "{path}");
        }
    }
    let bearer = format!("Bearer {}", service.card.api_key);
    for headers in [&[("authorization", bearer.as_str())][..], &[("authorization", "Bearer ")], &[]] {
        for (method, path) in
            [("GET", "/status"), ("POST", "/stop"), ("POST", "/breaks"), ("DELETE", "/breaks")]
        {
            let answer = service.send(method, &service.card.admin, path, headers, "").await;
            assert_eq!(answer.problem(), 401, "{method} {path}");
        }
    }
    assert_eq!(service.get("/admin/status").await.problem(), 404, "a port of its own");
}

#[tokio::test]
async fn paths_lead_nowhere_else() {
    let service = Service::start().await;
    let key = &service.card.api_key;
    for path in [
        "/v1/songs/../../../../etc/passwd",
        "/../../etc/passwd",
        "/v1/songs/%2e%2e%2f%2e%2e%2fetc%2fpasswd/audio",
        "/v1/songs/1%00/audio",
        "/v1/songs/..%5c..%5c/audio",
        "/v1/songs/1/audio/..",
        "/v1//songs/1",
        "//v1/songs/1",
    ] {
        for base in [service.base(), service.gateway()] {
            let head =
                format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\n\r\n");
            let answer = raw(base, &head, Duration::from_secs(5)).await;
            assert!(["400", "404"].contains(&status(&answer)), "{path}: {answer}");
            assert!(!answer.contains("root:"), "{path}");
        }
    }
}

#[tokio::test]
async fn heads_and_bodies_have_limits() {
    let service = Service::start().await;
    let key = &service.card.api_key;
    let with = |more: &str| {
        format!("GET /v1/songs/1 HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nconnection: close\r\n{more}\r\n")
    };
    let silence = Duration::from_secs(5);
    assert_eq!(status(&raw(service.base(), &with(""), silence).await), "200");
    let long = format!("x-long: {}\r\n", "x".repeat(20_000));
    assert_eq!(status(&raw(service.base(), &with(&long), silence).await), "431");
    assert_eq!(status(&raw(service.base(), &with(&"x-many: 1\r\n".repeat(100)), silence).await), "431");
    assert_eq!(status(&raw(service.base(), "GET / HTTP/1.1\r\nnonsense\r\n\r\n", silence).await), "400");
    let long = json!({"name": "x".repeat(5000)});
    for base in [service.base(), service.gateway()] {
        let answer = service.send("POST", base, "/v1/playlists", &[], &long.to_string()).await;
        assert_eq!(answer.problem(), 413);
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let service = Service::start().await;
    let key = &service.card.api_key;
    let begun = Instant::now();
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-length: 12\r\n\r\n{{\"so"
    );
    let answer = raw(service.gateway(), &head, Duration::from_secs(15)).await;
    assert_eq!(status(&answer), "408", "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(14));
}

#[tokio::test]
async fn methods_that_a_path_does_not_have_are_refused_with_those_it_has() {
    let service = Service::start().await;
    for (method, path, allow) in [
        ("POST", "/v1/songs/1", "GET, HEAD, OPTIONS"),
        ("DELETE", "/v1/songs/1/audio", "GET, HEAD, OPTIONS"),
        ("PUT", "/v1/playlists", "GET, HEAD, POST, OPTIONS"),
        ("GET", "/v1/events", "POST, OPTIONS"),
        ("DELETE", "/v1/heat", "GET, HEAD, OPTIONS"),
    ] {
        for base in [service.base(), service.gateway()] {
            let answer = service.send(method, base, path, &[], "").await;
            assert_eq!((answer.problem(), answer.header("allow")), (405, allow), "{method} {path}");
            let options = service.send("OPTIONS", base, path, &[], "").await;
            assert_eq!((options.status, options.header("allow")), (StatusCode::NO_CONTENT, allow));
        }
    }
}

#[tokio::test]
async fn ids_of_requests_are_kept_if_sane_and_replaced_if_not() {
    let service = Service::start().await;
    for (path, kept) in [("/v1/songs/2/audio", "edge"), ("/v1/search?q=a", "any"), ("/nowhere", "any")] {
        let named = service.get_with(path, &[("x-request-id", "mine-1")]).await;
        assert_eq!(named.header("x-request-id"), "mine-1", "{path} {kept}");
        let odd = service.get_with(path, &[("x-request-id", "a b<script>")]).await;
        assert!(odd.header("x-request-id").starts_with("plimsoll-"), "{:?}", odd.headers);
    }
}
