//! The service as its users see it.

mod common;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use common::{SEED, User, at, resize, scenario, set_cache, start};
use http::StatusCode;
use plimsoll_scenarios::Policy;
use plimsoll_scenarios::catalogue;
use plimsoll_stack::{Stack, StackError, StackOptions, song_bytes};

const SONG: usize = 20_000;

#[tokio::test]
async fn a_song_is_found_and_played_whole_and_the_second_time_from_the_edge() {
    let stack = start(&scenario(), false);
    let user = User::new(&stack);
    let words = catalogue::title(42).replace(' ', "+");
    let found = user.get(at(&stack, "gateway"), &format!("/v1/search?q={}", percent(&words))).await;
    assert_eq!(found.status, StatusCode::OK);
    assert_eq!((found.body.len(), found.header("x-served-by")), (2000, "metadata-db"));
    let page: serde_json::Value = serde_json::from_slice(&found.body).unwrap();
    let songs = page["songs"].as_array().unwrap();
    assert!(songs.len() <= 10);
    let song = songs.iter().find(|song| song["title"] == catalogue::title(42)).unwrap();
    let path = song["audio"].as_str().unwrap();
    let id: u64 = song["id"].as_u64().unwrap();

    let first = user.get(at(&stack, "edge"), path).await;
    assert_eq!((first.status, first.header("x-served-by")), (StatusCode::OK, "audio-store"));
    assert_eq!(first.body, song_bytes(SEED, id, SONG));
    let hops = [
        "edge",
        "edge-queue",
        "shield-net",
        "shield",
        "shield-queue",
        "gateway-net",
        "gateway",
        "gateway-queue",
    ];
    let rest = ["web-net", "web", "web-queue", "audio-store-net", "audio-store", "audio-store-queue"];
    assert_eq!(first.hops(), [&hops[..], &rest[..]].concat());
    assert_eq!(first.header("server-timing").matches("desc=\"miss\"").count(), 3);

    let second = user.get(at(&stack, "edge"), path).await;
    assert_eq!((second.header("x-served-by"), second.header("age")), ("edge", "0"));
    assert_eq!((&second.body, second.hops()), (&first.body, vec!["edge", "edge-queue"]));
    let again = user.get(at(&stack, "gateway"), &format!("/v1/search?q={}", percent(&words))).await;
    assert_eq!((&again.body, again.header("x-served-by")), (&found.body, "metadata-cache"));
    // The other site has a cache of its own; the shield has the song.
    let elsewhere = user.get(&stack.endpoints().tiers["edge"][1], path).await;
    assert_eq!(elsewhere.header("x-served-by"), "shield");
    let metadata = user.get(at(&stack, "gateway"), &format!("/v1/songs/{id}")).await;
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.body).unwrap();
    assert_eq!(metadata["artist"], catalogue::artist(id));
}

#[tokio::test]
async fn parts_and_conditions_are_answered_alike_by_cache_and_origin() {
    let stack = start(&scenario(), false);
    let user = User::new(&stack);
    let whole = song_bytes(SEED, 3, SONG);
    for tier in ["gateway", "edge", "edge"] {
        let base = at(&stack, tier);
        let get = async |headers: &[(&str, &str)]| user.get_with(base, "/v1/songs/3/audio", headers).await;
        let part = get(&[("range", "bytes=100-199")]).await;
        assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{tier}");
        assert_eq!((&part.body[..], part.header("content-range")), (&whole[100..200], "bytes 100-199/20000"));
        let end = get(&[("range", "bytes=-5")]).await;
        assert_eq!(end.body, whole[SONG - 5..]);
        let outside = get(&[("range", "bytes=20000-")]).await;
        assert_eq!(outside.status, StatusCode::RANGE_NOT_SATISFIABLE, "{tier}");
        assert_eq!(outside.header("content-range"), "bytes */20000");
        assert_eq!(outside.header("content-type"), "application/problem+json");
        let etag = part.header("etag").to_owned();
        let same = get(&[("if-none-match", &etag)]).await;
        assert_eq!(
            (same.status, same.body.len(), same.header("etag")),
            (StatusCode::NOT_MODIFIED, 0, &*etag)
        );
        let still = get(&[("range", "bytes=0-0"), ("if-range", &etag)]).await;
        assert_eq!((still.status, still.body.len()), (StatusCode::PARTIAL_CONTENT, 1));
        let changed = get(&[("range", "bytes=0-0"), ("if-range", "\"other\"")]).await;
        assert_eq!((changed.status, changed.body.len()), (StatusCode::OK, SONG));
        let head = user.send("HEAD", base, "/v1/songs/3/audio", &[], "").await;
        assert_eq!(
            (head.status, head.body.len(), head.header("content-length")),
            (StatusCode::OK, 0, "20000")
        );
        assert_eq!(head.header("cache-control"), "public, max-age=31536000, immutable");
    }
}

#[tokio::test]
async fn twenty_concurrent_misses_read_the_origin_once() {
    // With real delays, so that they do overlap.
    let stack = start(&scenario(), true);
    let user = User::new(&stack);
    let plays = (0..20).map(|_| user.get(at(&stack, "edge"), "/v1/songs/9/audio"));
    let answers = futures_util::future::join_all(plays).await;
    assert!(answers.iter().all(|answer| answer.body == song_bytes(SEED, 9, SONG)));
    let described = |what: &str| {
        let desc = "edge;dur=";
        answers
            .iter()
            .filter(|a| {
                a.header("server-timing").split(", ").any(|e| e.starts_with(desc) && e.contains(what))
            })
            .count()
    };
    assert_eq!((described("\"miss\""), described("\"coalesced\"")), (1, 19));
    for (result, expected) in [("miss", 1.0), ("coalesced", 19.0), ("hit", 0.0)] {
        let label = format!("result=\"{result}\"");
        assert_eq!(
            user.metric(&stack, "plimsoll_cache_results_total", "edge", &label).await,
            expected,
            "{result}"
        );
    }
    assert_eq!(user.metric(&stack, "plimsoll_requests_total", "audio-store", "outcome=\"ok\"").await, 1.0);
    let follower = answers.iter().find(|a| a.header("server-timing").contains("coalesced")).unwrap();
    assert_eq!(follower.header("x-served-by"), "edge");
    assert!(follower.hops().contains(&"edge-wait"));
}

#[tokio::test]
async fn a_full_queue_says_503_at_once_and_the_metrics_add_up() {
    let mut scenario = scenario();
    resize(&mut scenario, "web", 1.0, 1.0, 2);
    let station = scenario.tiers["web"].station.as_mut().unwrap();
    station.service_time = plimsoll_scenarios::distribution::Distribution::constant(0.3);
    let stack = start(&scenario, true);
    let user = User::new(&stack);
    let begun = Instant::now();
    let searches = (0..10).map(|i| {
        let (user, base) = (user.clone(), at(&stack, "gateway").to_owned());
        async move { (user.get(&base, &format!("/v1/songs/{}", i + 1)).await, begun.elapsed()) }
    });
    let answers = futures_util::future::join_all(searches).await;
    let refused: Vec<_> =
        answers.iter().filter(|(a, _)| a.status == StatusCode::SERVICE_UNAVAILABLE).collect();
    assert_eq!(refused.len(), 7);
    for (answer, took) in refused {
        assert_eq!((answer.header("retry-after"), answer.header("x-served-by")), ("1", "web"));
        assert!(*took < Duration::from_millis(250), "{took:?}");
    }
    let value = async |name: &str, tier: &str, label: &str| user.metric(&stack, name, tier, label).await;
    assert_eq!(value("plimsoll_requests_total", "web", "outcome=\"rejected\"").await, 7.0);
    assert_eq!(value("plimsoll_requests_total", "web", "outcome=\"ok\"").await, 3.0);
    assert_eq!(value("plimsoll_requests_total", "gateway", "outcome=\"failed\"").await, 7.0);
    assert_eq!(value("plimsoll_requests_total", "gateway", "outcome=\"ok\"").await, 3.0);
    assert_eq!(value("plimsoll_service_seconds_count", "web", "").await, 3.0);
    let (held, waited) = (
        value("plimsoll_service_seconds_sum", "web", "").await,
        value("plimsoll_queue_wait_seconds_sum", "web", "").await,
    );
    assert!((held - 0.9).abs() < 0.05, "{held}");
    assert!((waited - 0.9).abs() < 0.1, "{waited}");
    assert_eq!(value("plimsoll_slots", "web", "").await, 1.0);
    for tier in ["edge", "shield", "gateway", "web", "metadata-cache", "metadata-db", "audio-store", "events"]
    {
        assert_eq!(value("plimsoll_in_flight", tier, "").await, 0.0, "{tier}");
        assert_eq!(value("plimsoll_queue_depth", tier, "").await, 0.0, "{tier}");
    }
    let bytes: usize = answers.iter().map(|(answer, _)| answer.body.len()).sum();
    assert_eq!(value("plimsoll_response_bytes_total", "gateway", "").await, bytes as f64);
    assert_eq!(value("plimsoll_response_bytes_total", "web", "").await, bytes as f64);
}

#[tokio::test]
async fn times_in_the_header_add_up_to_what_the_client_waited() {
    let stack = start(&scenario(), true);
    let user = User::new(&stack);
    for path in ["/v1/songs/5/audio", "/v1/songs/5/audio"] {
        let begun = Instant::now();
        let answer = user.get(at(&stack, "edge"), path).await;
        let waited = begun.elapsed().as_secs_f64() * 1e3;
        let timing = answer.header("server-timing");
        let told: f64 = timing
            .split("dur=")
            .skip(1)
            .map(|rest| rest.split([';', ',']).next().unwrap().parse::<f64>().unwrap())
            .sum();
        assert!((waited - told).abs() < 10.0, "waited {waited:.1} ms, told {told:.1} ms: {timing}");
        // The way to the edge takes 15 ms.
        assert!(answer.hops().contains(&"edge-net") && told > 15.0, "{timing}");
    }
}

#[tokio::test]
async fn only_the_key_of_this_start_opens_the_doors() {
    let stack = start(&scenario(), false);
    let other = start(&scenario(), false);
    assert_ne!(stack.endpoints().api_key, other.endpoints().api_key);
    let stranger = User::new(&stack).with_key(&other.endpoints().api_key);
    for (tier, path) in [("edge", "/v1/songs/1/audio"), ("gateway", "/v1/songs/1"), ("events", "/v1/heat")] {
        let answer = stranger.get(at(&stack, tier), path).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{tier}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let user = User::new(&stack);
    assert_eq!(user.metric(&stack, "plimsoll_requests_total", "gateway", "outcome=\"rejected\"").await, 1.0);
    // Metrics and health need no key.
    let base = stack.endpoints().metrics.trim_end_matches("/metrics").to_owned();
    assert_eq!(stranger.get(&base, "/healthz").await.body, "ok\n");
}

#[tokio::test]
async fn requests_keep_their_id_through_all_tiers_and_wrong_ones_get_a_problem() {
    let stack = start(&scenario(), false);
    let user = User::new(&stack);
    let named = user.get_with(at(&stack, "edge"), "/v1/songs/1/audio", &[("x-request-id", "mine-1")]).await;
    assert_eq!(named.header("x-request-id"), "mine-1");
    assert!(
        user.get(at(&stack, "edge"), "/v1/songs/1/audio")
            .await
            .header("x-request-id")
            .starts_with("plimsoll-")
    );
    for (tier, method, path, status) in [
        ("gateway", "GET", "/v1/songs/201", 404),
        ("gateway", "GET", "/v1/songs/0/audio", 404),
        ("edge", "GET", "/v1/songs/201/audio", 404),
        ("edge", "GET", "/v1/songs/x/audio", 400),
        ("edge", "POST", "/v1/songs/1/audio", 405),
        ("gateway", "DELETE", "/v1/songs/1", 405),
        ("gateway", "GET", "/v1/search?limit=5", 400),
        ("gateway", "GET", "/v1/search?q=a&limit=51", 400),
        ("gateway", "GET", "/v1/artists/99999", 404),
        ("edge", "PATCH", "/v1/playlists", 405),
        ("gateway", "GET", "/nowhere", 404),
        ("events", "GET", "/v1/events", 405),
    ] {
        let answer = user.send(method, at(&stack, tier), path, &[], "").await;
        assert_eq!(answer.status.as_u16(), status, "{tier} {method} {path}");
        let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(problem["status"], status);
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    // Search results are nobody else's business, so the edge passes them through.
    for _ in 0..2 {
        let found = user.get(at(&stack, "edge"), "/v1/search?q=golden").await;
        assert_eq!(found.status, StatusCode::OK);
        assert!(
            found.header("server-timing").contains("edge;dur=")
                && found.header("x-served-by").starts_with("metadata")
        );
    }
}

#[tokio::test]
async fn plays_reach_the_heat_map() {
    let stack = start(&scenario(), false);
    let user = User::new(&stack);
    let base = at(&stack, "events");
    for song in [4, 9, 9, 2, 9, 4] {
        let told = user.send("POST", base, "/v1/events", &[], &format!("{{\"song\":{song}}}")).await;
        assert_eq!((told.status, told.body.len()), (StatusCode::ACCEPTED, 0));
    }
    let unknown = user.send("POST", base, "/v1/events", &[], "{\"song\":201}").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    for wrong in ["{\"song\":0}", "{}", "song 1"] {
        assert_eq!(user.send("POST", base, "/v1/events", &[], wrong).await.status, StatusCode::BAD_REQUEST);
    }
    let long = "x".repeat(5000);
    assert_eq!(user.send("POST", base, "/v1/events", &[], &long).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let heat = user.get(base, "/v1/heat?top=2").await.body;
        let expected = "{\"window_s\":60,\"songs\":[{\"song\":9,\"plays\":3,\"plays_per_minute\":3.0},\
                        {\"song\":4,\"plays\":2,\"plays_per_minute\":2.0}]}";
        if heat == expected {
            break;
        }
        assert!(Instant::now() < deadline, "{heat:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_gateway_alone_serves_every_request_of_the_scenario() {
    let stack = start(&scenario(), true);
    let user = User::new(&stack);
    let base = at(&stack, "gateway");
    let event = user.send("POST", base, "/v1/events", &[("x-request-id", "mine-2")], "{\"song\":7}").await;
    assert_eq!((event.status, event.body.len()), (StatusCode::ACCEPTED, 0));
    assert_eq!((event.header("x-served-by"), event.header("x-request-id")), ("events", "mine-2"));
    let hops = ["gateway", "gateway-queue", "events-net", "events", "events-queue"];
    assert!(event.hops().ends_with(&hops), "{:?}", event.hops());
    let song = user.get(base, "/v1/songs/7/audio").await;
    assert_eq!((song.status, song.body), (StatusCode::OK, song_bytes(SEED, 7, SONG).into()));
    assert_eq!(user.get(base, "/v1/search?q=golden").await.status, StatusCode::OK);

    let long = "x".repeat(5000);
    for (method, body, status, by) in [
        ("POST", "{\"song\":0}", StatusCode::BAD_REQUEST, "events"),
        ("GET", "", StatusCode::METHOD_NOT_ALLOWED, "events"),
        ("POST", long.as_str(), StatusCode::PAYLOAD_TOO_LARGE, "gateway"),
    ] {
        let answer = user.send(method, base, "/v1/events", &[], body).await;
        assert_eq!((answer.status, answer.header("x-served-by")), (status, by));
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let stranger = user.with_key("wrong");
    let refused = stranger.send("POST", base, "/v1/events", &[], "{\"song\":7}").await;
    assert_eq!((refused.status, refused.header("x-served-by")), (StatusCode::UNAUTHORIZED, "gateway"));
    assert_eq!(user.metric(&stack, "plimsoll_requests_total", "events", "outcome=\"ok\"").await, 3.0);
    assert_eq!(user.get(base, "/v1/heat").await.header("x-served-by"), "events");
}

#[tokio::test]
async fn a_tier_without_a_cache_looks_nothing_up() {
    let mut scenario = scenario();
    for tier in ["edge", "web", "metadata-cache"] {
        scenario.tiers[tier].cache = None;
    }
    let stack = start(&scenario, false);
    let user = User::new(&stack);
    for _ in 0..2 {
        let song = user.get(at(&stack, "edge"), "/v1/songs/3/audio").await;
        assert_eq!(song.body, song_bytes(SEED, 3, SONG));
        assert_eq!(song.header("server-timing").matches("desc=").count(), 1, "the shield's alone");
        let found = user.get(at(&stack, "gateway"), "/v1/search?q=golden").await;
        assert_eq!((found.status, found.header("x-served-by")), (StatusCode::OK, "metadata-db"));
        assert!(!found.header("server-timing").contains("desc="), "{}", found.header("server-timing"));
    }
    let part = user.get_with(at(&stack, "edge"), "/v1/songs/3/audio", &[("range", "bytes=0-9")]).await;
    assert_eq!((part.status, part.body.len()), (StatusCode::PARTIAL_CONTENT, 10));
    let text = String::from_utf8(user.get(&stack.endpoints().metrics, "").await.body.to_vec()).unwrap();
    let caches: Vec<&str> =
        text.lines().filter(|line| line.starts_with("plimsoll_cache_results_total{")).collect();
    assert!(!caches.is_empty() && caches.iter().all(|line| line.contains("\"shield\"")), "{caches:?}");
}

#[tokio::test]
async fn searches_for_the_same_words_ask_the_database_once() {
    let stack = start(&scenario(), true);
    let user = User::new(&stack);
    let searches = (0..10).map(|_| user.get(at(&stack, "gateway"), "/v1/search?q=golden"));
    let answers = futures_util::future::join_all(searches).await;
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK && answer.body == answers[0].body));
    assert_eq!(user.metric(&stack, "plimsoll_requests_total", "metadata-db", "outcome=\"ok\"").await, 1.0);
    let misses = user.metric(&stack, "plimsoll_cache_results_total", "metadata-cache", "\"miss\"").await;
    assert_eq!(misses, 1.0);
}

#[tokio::test]
async fn replicas_share_the_work_as_the_scenario_says() {
    let mut scenario = scenario();
    resize(&mut scenario, "web", 3.0, 4.0, 16);
    resize(&mut scenario, "gateway", 2.0, 4.0, 16);
    scenario.tiers["web"].station.as_mut().unwrap().balance = plimsoll_scenarios::Balance::RoundRobin;
    set_cache(&mut scenario, "web", 1.0);
    let stack = start(&scenario, false);
    assert_eq!(stack.endpoints().tiers["web"].len(), 3);
    let user = User::new(&stack);
    for _ in 0..12 {
        // A cache smaller than one song never has it.
        let answer = user.get(at(&stack, "gateway"), "/v1/songs/1/audio").await;
        assert_eq!(answer.header("x-served-by"), "audio-store");
    }
    for replica in 0..3 {
        let label = format!("replica=\"{replica}\",op=\"audio\",outcome=\"ok\"");
        assert_eq!(user.metric(&stack, "plimsoll_requests_total", "web", &label).await, 4.0);
    }
    assert_eq!(user.metric(&stack, "plimsoll_requests_total", "gateway", "outcome=\"ok\"").await, 12.0);
    assert_eq!(user.metric(&stack, "plimsoll_slots", "web", "").await, 12.0);
}

#[tokio::test]
async fn a_cache_evicts_by_the_policy_of_the_scenario() {
    // Room for two songs. LRU keeps what was used last, FIFO what came last.
    for (policy, kept) in [(Policy::Lru, 1), (Policy::Fifo, 3)] {
        let mut scenario = scenario();
        set_cache(&mut scenario, "edge", 2.0 * SONG as f64);
        scenario.tiers["edge"].cache.as_mut().unwrap().policy = policy;
        let stack = start(&scenario, false);
        let user = User::new(&stack);
        let play = async |song: u64| {
            let answer = user.get(at(&stack, "edge"), &format!("/v1/songs/{song}/audio")).await;
            answer.header("x-served-by") == "edge"
        };
        let hits = [play(1).await, play(2).await, play(1).await, play(3).await];
        assert_eq!(hits, [false, false, true, false]);
        assert!(play(kept).await, "{policy:?}");
        assert!(!play(2).await || policy == Policy::Fifo, "{policy:?}");
    }
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error =
        Stack::start(&scenario(), &StackOptions { port: Some(port), ..StackOptions::default() }).unwrap_err();
    assert!(matches!(error, StackError::PortTaken { port: p } if p == port));
    let text = error.to_string();
    assert!(text.contains(&port.to_string()) && text.contains("choose another port"), "{text}");
    drop(taken);
    let options = StackOptions { port: Some(port), emulate: false, ..StackOptions::default() };
    let stack = Stack::start(&scenario(), &options).unwrap();
    assert_eq!(at(&stack, "gateway"), format!("http://127.0.0.1:{port}"));
}

#[test]
fn a_scenario_that_is_no_music_service_is_refused_with_all_reasons() {
    let mut scenario = scenario();
    scenario.tiers.shift_remove("events");
    scenario.datasets["song"].size = plimsoll_scenarios::units::Size::given(1e12, "1 TB");
    let error = Stack::start(&scenario, &StackOptions::default()).unwrap_err();
    let StackError::Unplayable { problems, .. } = &error else { panic!("{error}") };
    assert_eq!(problems.len(), 2, "{error}");
    let checked = Stack::check(&scenario, plimsoll_stack::Profile::Embedded).unwrap_err();
    assert_eq!(checked.to_string(), error.to_string());
    Stack::check(&common::scenario(), plimsoll_stack::Profile::Embedded).unwrap();
    assert!(problems[0].contains("`events`") && problems[1].contains("load.scale"));
}

#[test]
fn stopping_leaves_no_port_open_and_no_file_behind() {
    let before = directories();
    let stack = start(&scenario(), true);
    let made: Vec<_> = directories().into_iter().filter(|name| !before.contains(name)).collect();
    assert!(!made.is_empty());
    let addresses: Vec<SocketAddr> = stack
        .endpoints()
        .tiers
        .values()
        .flatten()
        .chain([&stack.endpoints().metrics])
        .map(|url| url.trim_start_matches("http://").trim_end_matches("/metrics").parse().unwrap())
        .collect();
    assert!(addresses.iter().all(|address| TcpStream::connect(address).is_ok()));
    // A connection that says nothing must not keep the stack alive.
    let idle = TcpStream::connect(addresses[0]).unwrap();
    let begun = Instant::now();
    stack.stop();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    drop(idle);
    for address in addresses {
        assert!(TcpStream::connect(address).is_err(), "{address} still listens");
    }
    // Other tests start stacks of their own; at least one of the new directories, ours, is gone.
    let deadline = Instant::now() + Duration::from_secs(20);
    while directories().iter().any(|name| made.contains(name)) {
        assert!(Instant::now() < deadline, "{made:?} left behind");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_start_removes_what_a_killed_stack_left_behind() {
    // No process has such a number.
    let left = std::env::temp_dir().join(format!("plimsoll-stack-4294967295-{}", std::process::id()));
    std::fs::create_dir(&left).unwrap();
    let stack = start(&scenario(), false);
    assert!(!left.exists());
    stack.stop();
}

/// Private directories of stacks of this user.
fn directories() -> Vec<std::ffi::OsString> {
    let entries = std::fs::read_dir(std::env::temp_dir()).unwrap();
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    names.filter(|name| name.to_string_lossy().starts_with("plimsoll-stack-")).collect()
}

fn percent(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace("%2B", "+")
}
