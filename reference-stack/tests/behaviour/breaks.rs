//! What the service survives, and how it recovers. Whatever happens, no wrong byte is served: `play` checks.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};

use crate::service::{Service, until};

#[tokio::test]
async fn a_dead_web_server_costs_no_request_and_comes_back() {
    let service = Service::start().await;
    let up = service.metric("plimsoll_up", "web").await;
    let begun = Instant::now();
    let done = service.break_it(&json!({"kind": "kill", "target": "web/0", "for_s": 1.0})).await;
    assert!(done["what"].as_str().unwrap().contains("web/0"), "{done}");
    for song in 1..=40 {
        assert!(service.play(song).await.is_right(), "song {song}");
    }
    assert!(service.metric("plimsoll_retries_total", "gateway").await >= 1.0, "one attempt met the dead one");
    until("healed by itself", || async { service.metric("plimsoll_up", "web").await == up }).await;
    assert!(begun.elapsed() >= Duration::from_millis(950), "{:?}", begun.elapsed());
    // It is healthy a moment before its port is open again; who heals it himself hears of it when both are.
    service.break_it(&json!({"kind": "kill", "target": "web/0"})).await;
    assert!(service.try_send("GET", &service.card.tiers["web"][0], "/v1/songs/1", &[], "").await.is_err());
    service.heal().await;
    let answer = service.send("GET", &service.card.tiers["web"][0], "/v1/songs/1", &[], "").await;
    assert_eq!(answer.status, StatusCode::OK);
    service.break_it(&json!({"kind": "kill", "target": "web/0", "for_s": 0.1})).await;
    let at_the_first = &service.card.tiers["web"][0];
    until("answers at the same address", || async {
        let answer = service.try_send("GET", at_the_first, "/v1/songs/1", &[], "").await;
        answer.is_ok_and(|answer| answer.status == StatusCode::OK)
    })
    .await;
}

#[tokio::test]
async fn without_any_web_server_cached_songs_play_on() {
    let service = Service::start().await;
    let whole = service.play(7).await;
    service.break_it(&json!({"kind": "kill", "target": "web"})).await;
    assert_eq!(service.play(7).await.body, whole.body);
    for path in ["/v1/songs/8/audio", "/v1/search?q=golden"] {
        assert!([502, 503].contains(&service.get(path).await.problem()), "{path}");
    }
    service.heal().await;
    until("back", || async { service.get("/v1/search?q=golden").await.status == StatusCode::OK }).await;
    until("back", || async { service.play(8).await.is_right() }).await;
}

#[tokio::test]
async fn a_dead_edge_refuses_and_returns_with_an_empty_cache() {
    let service = Service::start().await;
    service.play(7).await;
    service.break_it(&json!({"kind": "kill", "target": "edge/0"})).await;
    assert!(service.try_send("GET", service.base(), "/v1/songs/7", &[], "").await.is_err());
    let other = &service.card.tiers["edge"][1];
    let there = service.send("GET", other, "/v1/songs/7/audio", &[], "").await;
    assert!(there.is_right(), "the other site works");
    service.heal().await;
    until("listening", || async {
        service.try_send("GET", service.base(), "/v1/songs/1", &[], "").await.is_ok()
    })
    .await;
    assert!(service.play(7).await.header("cache-status").ends_with("fwd=miss"));
}

#[tokio::test]
async fn a_dead_shield_is_passed_by_and_a_dead_gateway_is_not() {
    let service = Service::start().await;
    service.break_it(&json!({"kind": "kill", "target": "shield"})).await;
    let answer = service.play(11).await;
    assert!(answer.is_right() && !answer.header("server-timing").contains("shield"), "{:?}", answer.headers);
    service.heal().await;
    service.break_it(&json!({"kind": "kill", "target": "gateway"})).await;
    assert_eq!(service.get("/v1/songs/12/audio").await.problem(), 502);
    assert!(service.play(11).await.is_right(), "from the edge");
    service.heal().await;
    until("back", || async { service.play(12).await.is_right() }).await;
}

#[tokio::test]
async fn a_paused_replica_answers_when_it_goes_on() {
    let service = Service::start().await;
    service.break_it(&json!({"kind": "pause", "target": "metadata-db", "for_s": 0.6})).await;
    let begun = Instant::now();
    let answer = service.get("/v1/search?q=silver+moon").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(begun.elapsed() > Duration::from_millis(500), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_dead_database_is_said_and_what_the_cache_knows_is_still_found() {
    let service = Service::start().await;
    let known = service.get("/v1/search?q=golden").await;
    service.break_it(&json!({"kind": "kill", "target": "metadata-db"})).await;
    assert_eq!(service.get("/v1/search?q=golden").await.body, known.body);
    let unknown = service.get("/v1/search?q=silver").await;
    assert_eq!(unknown.problem(), 503);
    assert!(unknown.json()["detail"].as_str().unwrap().contains("metadata-db"));
    service.heal().await;
    assert_eq!(service.get("/v1/search?q=silver").await.status, StatusCode::OK);
}

#[tokio::test]
async fn flushed_caches_are_filled_again() {
    let service = Service::start().await;
    let first = service.play(21).await;
    for (target, by) in [("edge", "shield"), ("shield", "edge")] {
        service.break_it(&json!({"kind": "flush-cache", "target": target})).await;
        let again = service.play(21).await;
        assert_eq!((again.header("x-served-by"), &again.body), (by, &first.body), "{target}");
    }
    for target in ["edge", "shield", "web"] {
        service.break_it(&json!({"kind": "flush-cache", "target": target})).await;
    }
    assert_eq!(service.play(21).await.header("x-served-by"), "audio-store");
    let refused = service.admin("POST", "/breaks", "{\"kind\":\"flush-cache\",\"target\":\"events\"}").await;
    assert_eq!(refused.problem(), 400);
}

#[tokio::test]
async fn a_song_that_comes_out_is_found_and_played() {
    let service = Service::start().await;
    let before = service.songs().await;
    assert_eq!(service.get(&format!("/v1/songs/{}", before + 1)).await.problem(), 404);
    let done = service.break_it(&json!({"kind": "hot-release"})).await;
    assert_eq!(done["song"], before + 1);
    let song = service.get(&format!("/v1/songs/{}", before + 1)).await.json();
    let words = format!("{} {}", song["title"].as_str().unwrap(), song["artist"].as_str().unwrap());
    let query: String = form_urlencoded::byte_serialize(words.as_bytes()).collect();
    let found = service.get(&format!("/v1/search?q={query}&limit=50")).await.json();
    assert!(found["songs"].as_array().unwrap().iter().any(|other| other["id"] == song["id"]));
    let play = service.play(before + 1).await;
    assert!(play.is_right() && play.header("cache-status").ends_with("fwd=miss"));
    assert!(service.play(before + 1).await.header("cache-status").ends_with("hit"));
    let told = service.post("/v1/events", &[], &json!({"song": before + 1})).await;
    assert_eq!(told.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn slow_dependencies_and_narrow_links_take_their_time() {
    let service = Service::start().await;
    let took = async |song: u64| {
        let begun = Instant::now();
        assert!(service.play(song).await.is_right());
        begun.elapsed()
    };
    service.break_it(&json!({"kind": "slow", "target": "audio-store", "by_ms": 200})).await;
    assert!(took(31).await > Duration::from_millis(190));
    service.heal().await;
    let bytes = service.play(31).await.body.len() as f64;
    // So that the song takes half a second.
    let cut = json!({"kind": "cut-bandwidth", "target": "edge/0", "bits_per_s": bytes * 8.0 * 2.0});
    service.break_it(&cut).await;
    let narrow = took(31).await;
    assert!(narrow > Duration::from_millis(450), "{narrow:?}");
    service.heal().await;
    until("as fast as before", || async { took(31).await < narrow / 2 }).await;
}

#[tokio::test]
async fn a_stalled_bus_catches_up_and_a_dead_one_forgets_nothing() {
    let service = Service::start().await;
    let total = async |song: u64| {
        let heat = service.get("/v1/heat?top=1000").await.json();
        let entry = heat["songs"].as_array().unwrap().iter().find(|entry| entry["song"] == song).cloned();
        entry.map_or(0, |entry| entry["plays"].as_u64().unwrap())
    };
    let tell = async |song: u64| service.post("/v1/events", &[], &json!({"song": song})).await.status;
    let before = total(55).await;
    service.break_it(&json!({"kind": "stall-bus"})).await;
    for _ in 0..10 {
        assert_eq!(tell(55).await, StatusCode::ACCEPTED);
    }
    assert_eq!((total(55).await, service.metric("plimsoll_bus_lag_events", "events").await), (before, 10.0));
    service.heal().await;
    until("caught up", || async { total(55).await == before + 10 }).await;
    until("no lag", || async { service.metric("plimsoll_bus_lag_events", "events").await == 0.0 }).await;

    tell(55).await;
    service.break_it(&json!({"kind": "kill", "target": "events"})).await;
    assert_eq!(tell(55).await, StatusCode::BAD_GATEWAY);
    service.heal().await;
    until("back", || async { tell(56).await == StatusCode::ACCEPTED }).await;
    until("nothing is lost or counted twice", || async { total(55).await == before + 11 }).await;
}

#[tokio::test]
async fn wrong_and_lost_copies_are_passed_over_and_repaired() {
    let service = Service::start().await;
    let right = service.play(60).await.body;
    let forget = async || {
        for tier in ["edge", "shield", "web"] {
            service.break_it(&json!({"kind": "flush-cache", "target": tier})).await;
        }
    };
    for (kind, copies) in [("corrupt", 1), ("corrupt", 2), ("lose", 1)] {
        forget().await;
        let bad = service.metric("plimsoll_bad_copies_total", "audio-store").await;
        let repaired = service.metric("plimsoll_repairs_total", "audio-store").await;
        service.break_it(&json!({"kind": kind, "target": "song/60", "copies": copies})).await;
        assert_eq!(service.play(60).await.body, right, "{kind} {copies}");
        let copies = f64::from(copies);
        assert_eq!(service.metric("plimsoll_bad_copies_total", "audio-store").await, bad + copies);
        assert_eq!(service.metric("plimsoll_repairs_total", "audio-store").await, repaired + copies);
        forget().await;
        assert_eq!(service.play(60).await.body, right);
        assert_eq!(
            service.metric("plimsoll_bad_copies_total", "audio-store").await,
            bad + copies,
            "repaired"
        );
    }
    // Neighbours of the lost one were lost with it.
    for song in 50..70 {
        assert!(service.play(song).await.is_right(), "song {song}");
    }
}

#[tokio::test]
async fn where_no_copy_is_right_nothing_is_served_until_it_is_healed() {
    let service = Service::start().await;
    service.break_it(&json!({"kind": "corrupt", "target": "song/61", "copies": 3})).await;
    let answer = service.get("/v1/songs/61/audio").await;
    assert_eq!(answer.problem(), 500);
    assert!(answer.json()["detail"].as_str().unwrap().contains("no copy of song 61 is sound"));
    service.heal().await;
    assert!(service.play(61).await.is_right());
}

#[tokio::test]
async fn under_load_every_break_ends_in_right_bytes_or_a_clear_no() {
    let service = Service::start().await;
    let breaks: [Value; 6] = [
        json!({"kind": "kill", "target": "web/1", "for_s": 0.2}),
        json!({"kind": "kill", "target": "shield", "for_s": 0.2}),
        json!({"kind": "kill", "target": "audio-store/0", "for_s": 0.2}),
        json!({"kind": "flush-cache", "target": "edge"}),
        json!({"kind": "corrupt", "target": "song/80", "for_s": 0.2}),
        json!({"kind": "lose", "target": "song/90", "for_s": 0.2}),
    ];
    let ended = AtomicBool::new(false);
    let play = async |user: u64| {
        let (mut right, mut refused) = (0, 0);
        while !ended.load(Ordering::Relaxed) {
            // `play` fails on wrong bytes.
            let answer = service.play(70 + (user * 7 + right) % 40).await;
            if answer.is_right() {
                right += 1;
            } else {
                assert!([500, 502, 503, 504].contains(&answer.problem()));
                refused += 1;
            }
        }
        (right, refused)
    };
    let breaking = async {
        for wish in &breaks {
            service.break_it(wish).await;
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        service.heal().await;
        ended.store(true, Ordering::Relaxed);
    };
    let (played, ()) = tokio::join!(futures_util::future::join_all((0..8).map(play)), breaking);
    let (right, refused) = played.iter().fold((0, 0), |(a, b), (right, refused)| (a + right, b + refused));
    assert!(right > 100 && refused * 20 < right, "{right} right, {refused} refused");
    assert!(service.play(80).await.is_right());
}

#[tokio::test]
async fn every_single_part_may_die_under_load_and_no_byte_is_wrong() {
    let service = Service::start().await;
    let status = service.admin("GET", "/status", "").await.json();
    let parts: Vec<String> = status["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| format!("{}/{}", part["tier"].as_str().unwrap(), part["replica"]))
        .collect();
    assert!(parts.len() >= 8, "{parts:?}");
    let ended = AtomicBool::new(false);
    let play = async |user: u64| {
        let (mut right, mut refused) = (0_u64, 0_u64);
        while !ended.load(Ordering::Relaxed) {
            let path = format!("/v1/songs/{}/audio", 100 + (user * 31 + right) % 90);
            // A connection to a dead edge is refused or cut: that is no wrong byte.
            let answer = service.try_send("GET", service.base(), &path, &[], "").await;
            match answer {
                Ok(answer) if answer.status == StatusCode::OK => {
                    assert!(answer.is_right(), "wrong bytes of {path}: {:?}", answer.headers);
                    right += 1;
                }
                Ok(answer) => {
                    assert!([500, 502, 503, 504].contains(&answer.problem()));
                    refused += 1;
                }
                Err(_) => {
                    refused += 1;
                    // Whoever is refused at once does not come back at once.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
        (right, refused)
    };
    let works = async |number: usize| {
        // An object that no cache has, a search that none has seen, a play.
        let base = service.base();
        let song = format!("/v1/songs/{}/audio", 200 + number % 90);
        let search = format!("/v1/search?q=golden+x{number}");
        let (song, search, told) = tokio::join!(
            service.try_send("GET", base, &song, &[], ""),
            service.try_send("GET", base, &search, &[], ""),
            service.try_send("POST", base, "/v1/events", &[], "{\"song\":5}"),
        );
        song.is_ok_and(|answer| answer.is_right())
            && search.is_ok_and(|answer| answer.status == StatusCode::OK)
            && told.is_ok_and(|answer| answer.status == StatusCode::ACCEPTED)
    };
    let killing = async {
        for (number, part) in parts.iter().enumerate() {
            service.break_it(&json!({"kind": "kill", "target": part})).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
            service.heal().await;
            let tries = AtomicUsize::new(number * 7);
            until(&format!("all works again after {part} died"), || {
                works(tries.fetch_add(1, Ordering::Relaxed))
            })
            .await;
        }
        ended.store(true, Ordering::Relaxed);
    };
    let (played, ()) = tokio::join!(futures_util::future::join_all((0..4).map(play)), killing);
    let (right, refused) = played.iter().fold((0, 0), |(a, b), (right, refused)| (a + right, b + refused));
    assert!(right > 0, "{right} right, {refused} refused");
    assert_eq!(service.admin("GET", "/breaks", "").await.json(), json!([]));
}

#[tokio::test]
async fn wishes_that_make_no_sense_are_refused_with_what_would() {
    let service = Service::start().await;
    for (wish, says) in [
        (json!({"kind": "melt"}), "kill"),
        (json!({"kind": "kill", "target": "cellar"}), "metadata-db"),
        (json!({"kind": "kill", "target": "web/99"}), "web/0 to"),
        (json!({"kind": "kill", "target": "web/x"}), "number"),
        (json!({"kind": "kill", "target": "song/1"}), "tier"),
        (json!({"kind": "corrupt", "target": "song/0"}), "song/1"),
        (json!({"kind": "corrupt", "target": "web"}), "song/7"),
        (json!({"kind": "corrupt", "target": "song/1", "copies": 9}), "copies"),
        (json!({"kind": "slow", "by_ms": -1}), "--by"),
        (json!({"kind": "kill", "for_s": 0}), "--for"),
    ] {
        let answer = service.admin("POST", "/breaks", &wish.to_string()).await;
        assert_eq!(answer.problem(), 400, "{wish}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(says), "{wish}: {detail}");
    }
    assert_eq!(service.admin("GET", "/breaks", "").await.json(), json!([]));
    assert_eq!(service.admin("DELETE", "/breaks/77", "").await.problem(), 400);
    assert_eq!(service.admin("GET", "/nowhere", "").await.problem(), 404);
}
