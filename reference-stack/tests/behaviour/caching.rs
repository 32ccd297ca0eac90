//! The caches as RFC 9111 has them, seen from outside by `Age` and `Cache-Status` (RFC 9211).

use std::io::Read as _;

use http::StatusCode;
use serde_json::json;

use crate::service::{Answer, Service, until};

fn first_cache(answer: &Answer) -> String {
    let status = answer.header("cache-status");
    status.split(", ").last().unwrap_or_default().trim_start_matches("edge; ").to_owned()
}

#[tokio::test]
async fn a_song_comes_from_the_edge_the_second_time_with_the_same_bytes_and_its_age() {
    let service = Service::start().await;
    let first = service.play(5).await;
    assert_eq!((first.status, first_cache(&first).as_str()), (StatusCode::OK, "fwd=miss"));
    let second = service.play(5).await;
    assert_eq!((first_cache(&second).as_str(), &second.body), ("hit", &first.body));
    assert!(second.header("age").parse::<u64>().is_ok(), "{:?}", second.headers);
    assert_eq!(second.header("cache-control"), "public, max-age=31536000, immutable");
    for name in ["etag", "last-modified", "date", "content-type"] {
        assert!(!second.header(name).is_empty() && second.header(name) == first.header(name), "{name}");
    }
}

#[tokio::test]
async fn what_a_client_wants_confirmed_is_confirmed_and_not_fetched_again() {
    let service = Service::start().await;
    for path in ["/v1/songs/6", "/v1/songs/6/audio"] {
        assert_eq!(first_cache(&service.get(path).await), "fwd=miss");
        for directive in
            [("cache-control", "no-cache"), ("cache-control", "max-age=0"), ("pragma", "no-cache")]
        {
            let sent = service.metric("plimsoll_response_bytes_total", "gateway").await;
            let answer = service.get_with(path, &[directive]).await;
            assert_eq!(
                (answer.status, first_cache(&answer).as_str()),
                (StatusCode::OK, "fwd=stale; fwd-status=304")
            );
            assert_eq!(
                service.metric("plimsoll_response_bytes_total", "gateway").await,
                sent,
                "{directive:?}"
            );
        }
        assert_eq!(first_cache(&service.get(path).await), "hit");
    }
}

#[tokio::test]
async fn a_client_may_insist_on_the_cache_or_keep_out_of_it() {
    let service = Service::start().await;
    let only = [("cache-control", "only-if-cached")];
    assert_eq!(service.get_with("/v1/songs/8/audio", &only).await.problem(), 504);
    assert_eq!(
        service.get_with("/v1/songs/8/audio", &[("cache-control", "no-store")]).await.status,
        StatusCode::OK
    );
    assert_eq!(service.get_with("/v1/songs/8/audio", &only).await.problem(), 504, "it was not kept");
    service.play(8).await;
    assert_eq!(service.get_with("/v1/songs/8/audio", &only).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_private_or_must_not_be_stored_is_not() {
    let service = Service::start().await;
    for path in ["/v1/search?q=golden", "/v1/heat", "/v1/playlists"] {
        for _ in 0..2 {
            let answer = service.get(path).await;
            assert_eq!(
                (answer.status, first_cache(&answer).as_str()),
                (StatusCode::OK, "fwd=miss"),
                "{path}"
            );
            let control = answer.header("cache-control");
            assert!(control.contains("no-store") || control.contains("private"), "{path}: {control}");
        }
    }
    assert!(service.get("/v1/songs/99999999").await.header("cache-control").contains("no-store"));
}

#[tokio::test]
async fn packed_and_plain_pages_are_kept_apart() {
    let service = Service::start().await;
    let path = "/v1/artists/4/songs?limit=50";
    let packed = || service.get_with(path, &[("accept-encoding", "gzip, br")]);
    let (plain, zipped) = (service.get(path).await, packed().await);
    for answer in [&plain, &zipped] {
        assert_eq!((answer.header("vary"), first_cache(answer).as_str()), ("accept-encoding", "fwd=miss"));
    }
    assert_eq!((plain.header("content-encoding"), zipped.header("content-encoding")), ("", "gzip"));
    assert_ne!(plain.header("etag"), zipped.header("etag"), "a strong tag names the bytes");
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&zipped.body[..]).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain.body);
    assert!(zipped.body.len() < plain.body.len());
    let (plain_again, zipped_again) = (service.get(path).await, packed().await);
    assert_eq!((first_cache(&plain_again).as_str(), first_cache(&zipped_again).as_str()), ("hit", "hit"));
    assert_eq!((plain_again.body, zipped_again.body), (plain.body.clone(), zipped.body));
    let known = service.get_with(path, &[("if-none-match", plain.header("etag"))]).await;
    assert_eq!((known.status, known.header("vary")), (StatusCode::NOT_MODIFIED, "accept-encoding"));
}

#[tokio::test]
async fn concurrent_misses_become_one_fetch() {
    let service = Service::start().await;
    service.break_it(&json!({"kind": "slow", "target": "audio-store", "by_ms": 300})).await;
    let before = service.metric("plimsoll_requests_total", "audio-store").await;
    let answers = futures_util::future::join_all((0..20).map(|_| service.play(9))).await;
    assert!(answers.iter().all(|answer| answer.is_right() && answer.body == answers[0].body));
    assert_eq!(service.metric("plimsoll_requests_total", "audio-store").await - before, 1.0);
    let collapsed = answers.iter().filter(|answer| first_cache(answer).contains("collapsed")).count();
    assert!(collapsed >= 15, "{collapsed} of 20 waited for the first");
    service.heal().await;
}

#[tokio::test]
async fn a_page_outlives_the_origin_where_it_may_and_is_confirmed_afterwards() {
    let service = Service::start().await;
    let page = service.get("/v1/albums/3").await;
    service.break_it(&json!({"kind": "kill", "target": "web"})).await;
    let confirmed = || service.get_with("/v1/albums/3", &[("cache-control", "no-cache")]);
    let stale = confirmed().await;
    assert_eq!((stale.status, &stale.body), (StatusCode::OK, &page.body));
    assert!(stale.header("cache-status").contains("hit; detail=stale-if-error"), "{:?}", stale.headers);
    assert!([502, 503].contains(&service.get("/v1/albums/5").await.problem()), "nobody has a copy");
    service.heal().await;
    until("confirmed by the origin", || async {
        !confirmed().await.header("cache-status").contains("stale-if")
    })
    .await;
}

#[tokio::test]
async fn a_change_drives_out_what_it_changed() {
    let service = Service::start().await;
    let user = [("x-user", "ada")];
    let list = service.post("/v1/playlists", &user, &json!({"name": "Évening"})).await;
    assert_eq!(list.status, StatusCode::CREATED);
    let path = list.header("location").to_owned();
    assert_eq!(service.get_with(&path, &user).await.json()["songs"], json!([]));
    service.post(&format!("{path}/songs"), &user, &json!({"song": 4})).await;
    assert_eq!(service.get_with(&path, &user).await.json()["songs"], json!([4]));
}

#[tokio::test]
async fn a_song_is_the_same_by_its_hash_in_every_state_of_the_caches() {
    let service = Service::start().await;
    let path = "/v1/songs/44/audio";
    let flush = async |tiers: &[&str]| {
        for tier in tiers {
            service.break_it(&json!({"kind": "flush-cache", "target": tier})).await;
        }
    };
    // What the song is, straight from the web tier.
    let song = service.send("GET", service.gateway(), path, &[], "").await;
    assert!(song.is_right());
    let same = |state: &str, answer: &Answer, cache: &str, by: &str| {
        assert!(answer.is_right() && answer.body == song.body, "{state}: {:?}", answer.headers);
        assert_eq!((first_cache(answer).as_str(), answer.header("x-served-by")), (cache, by), "{state}");
    };
    flush(&["edge", "shield", "web"]).await;
    same("missed everywhere", &service.play(44).await, "fwd=miss", "audio-store");
    same("hit", &service.play(44).await, "hit", "edge");
    let confirmed = service.get_with(path, &[("cache-control", "no-cache")]).await;
    assert_eq!(
        (first_cache(&confirmed).as_str(), &confirmed.body),
        ("fwd=stale; fwd-status=304", &song.body)
    );
    flush(&["edge"]).await;
    same("hit in the shield", &service.play(44).await, "fwd=miss", "shield");
    flush(&["edge", "shield"]).await;
    let from_web = service.play(44).await;
    assert!(["web", "audio-store"].contains(&from_web.header("x-served-by")), "whichever server was asked");
    same("in a web server's memory", &from_web, "fwd=miss", from_web.header("x-served-by"));
    for state in ["cold", "warm"] {
        if state == "cold" {
            flush(&["edge", "shield", "web"]).await;
        }
        let mut pieces = Vec::new();
        let step = song.body.len() / 7 + 1;
        for first in (0..song.body.len()).step_by(step) {
            let range = format!("bytes={first}-{}", first + step - 1);
            let part = service.get_with(path, &[("range", &range)]).await;
            assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{state} {range}");
            assert_eq!(
                part.header("repr-digest"),
                song.header("repr-digest"),
                "the hash is that of the whole"
            );
            pieces.extend_from_slice(&part.body);
        }
        assert!(pieces == song.body, "assembled from parts, {state}");
    }
    flush(&["edge", "shield", "web"]).await;
    for answer in futures_util::future::join_all((0..8).map(|_| service.play(44))).await {
        assert!(answer.is_right() && answer.body == song.body, "all who waited for one fetch");
    }
    // The shield too, for it would confirm by a copy of its own.
    for target in ["web", "shield"] {
        service.break_it(&json!({"kind": "kill", "target": target})).await;
    }
    let insisting = [("cache-control", "no-cache, stale-if-error=600")];
    let stale = service.get_with(path, &insisting).await;
    same("outdated, as nobody can confirm it", &stale, "hit; detail=stale-if-error", "edge");
    service.heal().await;
}
