//! How fast the stack is, and how true its emulated times. Run with
//! `cargo test --release -p plimsoll-stack --test throughput -- --ignored --nocapture --test-threads 1`.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{SEED, User, at, start};
use plimsoll_scenarios::catalogue;
use plimsoll_stack::{Stack, StackOptions};

const SPAN: Duration = Duration::from_secs(4);

/// Processor time that this process has used, seconds; unlike a rate it hardly depends on who else is busy.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // In ticks, a hundred a second on Linux (proc(5)).
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

/// Requests a second of 32 users who ask one after the other, client in the same process.
async fn rate(user: &User, base: &str, path: impl Fn(u64) -> String + Send + Sync + 'static) -> f64 {
    let (path, next) = (Arc::new(path), Arc::new(AtomicU64::new(0)));
    let (begun, cpu) = (Instant::now(), cpu_s());
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (user, base, path, next) =
                (user.clone(), base.to_owned(), Arc::clone(&path), Arc::clone(&next));
            tokio::spawn(async move {
                while begun.elapsed() < SPAN {
                    let answer = user.get(&base, &path(next.fetch_add(1, Ordering::Relaxed))).await;
                    assert!(answer.status.is_success(), "{}", answer.status);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let sent = next.load(Ordering::Relaxed) as f64;
    println!("  {:.1} us of processor time each, client included", (cpu_s() - cpu) / sent * 1e6);
    sent / begun.elapsed().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check"]
async fn throughput_without_emulation() {
    let stack = start(&common::scenario(), false);
    let user = User::new(&stack);
    let (edge, gateway, events) = (at(&stack, "edge"), at(&stack, "gateway"), at(&stack, "events"));
    println!("edge, cached song: {:.0}/s", rate(&user, edge, |_| "/v1/songs/1/audio".to_owned()).await);
    println!(
        "gateway, uncached song: {:.0}/s",
        rate(&user, gateway, |i| format!("/v1/songs/{}/audio", i % 200 + 1)).await
    );
    println!(
        "gateway, cached search: {:.0}/s",
        rate(&user, gateway, |_| "/v1/search?q=golden".to_owned()).await
    );
    println!("events: {:.0}/s", rate_events(&user, events).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check"]
async fn throughput_of_search_over_the_full_catalogue() {
    let full = plimsoll_scenarios::load("spotify").unwrap().scaled_for_load().unwrap();
    let begun = Instant::now();
    let stack =
        Stack::start(&full, &StackOptions { seed: SEED, emulate: false, ..StackOptions::default() }).unwrap();
    println!("start with {} songs: {:?}", full.datasets["song"].count.get(), begun.elapsed());
    let user = User::new(&stack);
    let query = |i: u64| {
        let text = catalogue::query(i);
        format!("/v1/search?q={}", form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>())
    };
    println!("gateway, uncached search: {:.0}/s", rate(&user, at(&stack, "gateway"), query).await);
    let begun = Instant::now();
    stack.stop();
    println!("stop: {:?}", begun.elapsed());
}

async fn rate_events(user: &User, base: &str) -> f64 {
    let begun = Instant::now();
    let tasks: Vec<_> = (0..32)
        .map(|_| {
            let (user, base) = (user.clone(), base.to_owned());
            tokio::spawn(async move {
                let mut sent = 0_u64;
                while begun.elapsed() < SPAN {
                    let answer = user.send("POST", &base, "/v1/events", &[], "{\"song\":5}").await;
                    assert_eq!(answer.status.as_u16(), 202);
                    sent += 1;
                }
                sent
            })
        })
        .collect();
    let mut sent = 0;
    for task in tasks {
        sent += task.await.unwrap();
    }
    sent as f64 / begun.elapsed().as_secs_f64()
}

/// Open-loop load at the scenario's own peak: are service times what was asked for?
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check"]
async fn emulated_times_against_the_scenario() {
    let full = plimsoll_scenarios::load("spotify").unwrap().scaled_for_load().unwrap();
    let stack = Stack::start(&full, &StackOptions { seed: SEED, ..StackOptions::default() }).unwrap();
    let user = User::new(&stack);
    let span_s = 8.0;
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for request in plimsoll_scenarios::trace::requests(&full, SEED, span_s) {
        let action = &full.actions[request.action];
        let due = begun + Duration::from_secs_f64(request.at_s);
        let is_play = full.action_name(request.action) == "play";
        if request.local || action.http.is_none() {
            continue;
        }
        let user = user.clone();
        let (base, path) = if is_play {
            let edges = &stack.endpoints().tiers["edge"];
            (
                edges[request.site as usize % edges.len()].clone(),
                format!("/v1/songs/{}/audio", request.object + 1),
            )
        } else {
            let text = catalogue::query(request.object);
            let query = form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            (at(&stack, "gateway").to_owned(), format!("/v1/search?q={query}"))
        };
        tokio::time::sleep_until(due.into()).await;
        tasks.push(tokio::spawn(async move { user.get(&base, &path).await.status.is_success() }));
    }
    let sent = tasks.len();
    let mut failed = 0;
    for task in tasks {
        failed += usize::from(!task.await.unwrap());
    }
    println!("{sent} requests in {span_s} s, {failed} failed");
    for (tier, plan) in &full.tiers {
        let Some(station) = &plan.station else { continue };
        let value = async |name: &str, label: &str| user.metric(&stack, name, tier, label).await;
        let (count, held) = (
            value("plimsoll_service_seconds_count", "").await,
            value("plimsoll_service_seconds_sum", "").await,
        );
        let waited = value("plimsoll_queue_wait_seconds_sum", "").await;
        let slots = value("plimsoll_slots", "").await;
        let hit = value("plimsoll_cache_results_total", "result=\"hit\"").await
            + value("plimsoll_cache_results_total", "result=\"coalesced\"").await;
        println!(
            "{tier:15} {count:6.0} requests, service {:7.3} ms (asked {:6.3}), wait {:7.3} ms, {:5.1} % busy of {slots} slots, hits {:.3}",
            held / count * 1e3,
            station.service_time.mean() * 1e3,
            waited / count * 1e3,
            held / slots / span_s * 100.0,
            hit / count,
        );
    }
}
