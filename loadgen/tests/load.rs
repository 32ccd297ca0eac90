//! Whole runs against a real server on this machine.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{Behaviour, Server, doubts, options, planned, play, scenario};
use plimsoll_loadgen::{LoadError, LoadOptions, Targets, load};
use plimsoll_scenarios::{Scenario, SourceFile};

#[test]
fn every_planned_request_is_sent_and_read_to_its_end() {
    let server = Server::start(Behaviour::Answer);
    let scenario = scenario(400, true);
    let targets = Targets { metrics: Some(format!("{}/metrics", server.url)), ..server.targets() };
    let run = play(&scenario, &targets, &options(0.5, 2.0)).unwrap();

    let gets = planned(&scenario, 7, 0.5, 2.5);
    assert_eq!(run.planned, 2 * gets, "each get has an event");
    assert_eq!((run.sent, run.missed, run.failed, run.local), (run.planned, 0, 0, 0));
    let all = planned(&scenario, 7, 0.0, 2.5);
    assert_eq!(server.state.gets.load(Ordering::Relaxed), all, "warm-up included");
    assert_eq!(server.state.posts.load(Ordering::Relaxed), all);
    let body = server.state.last_body.lock().unwrap().clone();
    assert!(body.starts_with("{\"item\":") && !body.contains("object"), "{body}");

    let names: Vec<&str> = run.actions.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["get", "get.events"]);
    let get = &run.actions[0];
    assert_eq!((get.requests, get.failed, get.bytes), (gets, 0, gets * 1000));
    assert_eq!((get.first_byte.count, get.complete.count, run.lag.count), (gets, gets, run.sent));
    assert!(get.complete.mean_s >= get.first_byte.mean_s && get.first_byte.mean_s > 0.0);
    let by_tier: Vec<(&str, f64)> = get.served_by.iter().map(|s| (s.tier.as_str(), s.share)).collect();
    assert!(matches!(by_tier[..], [("edge", hit), ("store", _)] if (hit - 0.75).abs() < 0.02), "{by_tier:?}");

    let edge = &run.tiers[0];
    assert_eq!(edge.name, "edge");
    assert!((edge.requests as f64 - gets as f64).abs() < 80.0, "{} {gets}", edge.requests);
    assert!((edge.hit_ratio.unwrap() - 0.75).abs() < 0.02);
    assert!((edge.utilisation.unwrap() - 0.2).abs() < 0.05, "{:?}", edge.utilisation);
    assert!((edge.service_mean_s.unwrap() - 0.001).abs() < 1e-6);
    assert!(!run.provenance.partial);
    assert!(doubts(&run).is_empty(), "{:?}", run.invalid);
}

#[test]
fn requests_go_out_mixed_over_regions_as_the_simulator_s_trace_has_them() {
    let yaml = "
name: tiny
population:
  users: 400
  regions:
    - {name: west, share: 75 %, sites: 1}
    - {name: east, share: 25 %, sites: 2}
datasets:
  item: {count: 1000, size: 1 KB, popularity: {zipf: 1.0}, in: store}
actions:
  get: {per_user: 1/s, of: item, path: [edge, store], http: {get: '/v1/items/{object}'}}
tiers:
  edge: {per: site, cache: {capacity: 100 KB, policy: lru}}
  store: {}
";
    let scenario = Scenario::from_yaml(&SourceFile::new("tiny.yaml", yaml)).unwrap_or_else(|e| panic!("{e}"));
    let sites = [(); 3].map(|()| Server::start(Behaviour::Answer));
    let mut targets = sites[0].targets();
    targets.by_tier.insert("edge".into(), sites.iter().map(|site| site.url.clone()).collect());
    let run = play(&scenario, &targets, &options(0.5, 2.0)).unwrap();

    let trace: Vec<_> = plimsoll_scenarios::trace::requests(&scenario, 7, 2.5).collect();
    let at = |site: u32| trace.iter().filter(|request| request.site == site).count() as u64;
    let seen = sites.each_ref().map(|site| site.state.gets.load(Ordering::Relaxed));
    assert_eq!(seen, [at(0), at(1), at(2)], "every site has its region's users, warm-up included");

    let counted = |region: u32| trace.iter().filter(|r| r.region == region && r.at_s >= 0.5).count() as u64;
    let names: Vec<(&str, u64, f64)> =
        run.regions.iter().map(|r| (r.name.as_str(), r.sites, r.share)).collect();
    assert_eq!(names, [("west", 1, 0.75), ("east", 2, 0.25)]);
    for (id, region) in run.regions.iter().enumerate() {
        let planned = counted(id as u32);
        assert_eq!((region.planned, region.sent, region.failed), (planned, planned, 0));
        // The server says of three in four that its cache had them.
        assert_eq!(region.caches.len(), 1);
        assert_eq!((region.caches[0].tier.as_str(), region.caches[0].lookups), ("edge", planned as f64));
        assert!((region.caches[0].hit_ratio - 0.75).abs() < 0.05, "{:?}", region.caches);
    }
}

#[test]
fn a_stall_of_the_server_is_in_the_figures_of_all_requests_that_met_it() {
    let server = Server::start(Behaviour::Answer);
    let scenario = scenario(300, false);
    let state = Arc::clone(&server.state);
    let staller = std::thread::spawn(move || {
        while state.gets.load(Ordering::Relaxed) < 150 {
            std::thread::sleep(Duration::from_millis(5));
        }
        *state.stalled_until.lock().unwrap() = Some(Instant::now() + Duration::from_secs(1));
    });
    // Fewer users than the stall holds up: the rest waits in the queue, and that wait counts too.
    let options = LoadOptions { users_max: 32, ..options(0.0, 4.0) };
    let run = play(&scenario, &server.targets(), &options).unwrap();
    staller.join().unwrap();

    assert_eq!((run.missed, run.failed), (0, 0));
    let latency = &run.actions[0].complete;
    // A closed loop would see the stall 32 times. About 300 of 1,200 requests fell due within it, and
    // waited from 1 s down to nothing.
    let (p80, p99) = (latency.at(0.80).unwrap(), latency.at(0.99).unwrap());
    assert!(latency.max_s > 0.9 && latency.max_s < 2.5, "{}", latency.max_s);
    assert!(p99 > 0.85 && p99 < 2.5, "{p99}");
    assert!(p80 > 0.05, "{p80}");
    assert!(latency.at(0.5).unwrap() < p80);
    // Who was late is said, too.
    let late = run.invalid.iter().find(|reason| reason.contains("left late")).unwrap();
    assert!(late.starts_with("every user was waiting for an answer when "), "{late}");
}

#[test]
fn failures_are_counted_by_kind_and_kept_out_of_the_latencies() {
    for (behaviour, kind, all) in [
        (Behaviour::Refuse, "status_503", false),
        (Behaviour::ShortBody, "short_body", true),
        (Behaviour::HangUp, "reset", true),
        (Behaviour::Silent, "timeout", true),
    ] {
        let server = Server::start(behaviour);
        let options = LoadOptions { timeout_s: 0.3, ..options(0.0, 1.0) };
        let run = play(&scenario(150, false), &server.targets(), &options).unwrap();
        let (get, sent) = (&run.actions[0], run.sent);
        assert_eq!(run.failures.keys().map(String::as_str).collect::<Vec<_>>(), [kind]);
        assert_eq!((run.failures[kind], get.failed), (run.failed, run.failed));
        assert_eq!(get.complete.count, sent - run.failed);
        if all {
            assert_eq!(run.failed, sent, "{kind}");
            assert!(run.invalid.iter().any(|reason| reason.contains("not usable") && reason.contains(kind)));
        } else {
            assert!((run.failed as f64 / sent as f64 - 0.1).abs() < 0.01, "{} of {sent}", run.failed);
            assert!(doubts(&run).is_empty(), "{:?}", run.invalid);
        }
    }
}

#[test]
fn when_all_users_are_busy_and_the_queue_is_full_requests_are_missed_and_said_to_be() {
    let server = Server::start(Behaviour::Silent);
    let options = LoadOptions { users_max: 4, queue_max: 10, timeout_s: 0.5, ..options(0.0, 1.0) };
    let run = play(&scenario(200, false), &server.targets(), &options).unwrap();
    assert_eq!(run.planned, run.sent + run.missed);
    assert!(run.missed > run.planned / 2, "{} of {}", run.missed, run.planned);
    assert!(run.invalid.iter().any(|reason| reason.contains("never sent")), "{:?}", run.invalid);
}

#[test]
fn a_stop_ends_the_run_soon_and_keeps_what_was_measured() {
    for behaviour in [Behaviour::Answer, Behaviour::Silent] {
        let server = Server::start(behaviour);
        let options = options(0.5, 60.0);
        let stop = Arc::clone(&options.stop);
        let stopper = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(2));
            stop.store(true, Ordering::Relaxed);
            Instant::now()
        });
        let targets = Targets { metrics: Some(format!("{}/metrics", server.url)), ..server.targets() };
        let run = play(&scenario(100, false), &targets, &options).unwrap();
        let took = stopper.join().unwrap().elapsed();
        assert!(took < Duration::from_secs(2), "{took:?}");
        assert!(run.provenance.partial);
        assert!(run.duration_s > 1.0 && run.duration_s < 2.0, "{}", run.duration_s);
        assert!((run.planned as f64 - 100.0 * run.duration_s).abs() < 60.0, "{}", run.planned);
        assert_eq!(run.planned, run.sent + run.missed);
        match behaviour {
            Behaviour::Answer => {
                assert!(run.failed <= 3 && run.missed <= 3, "{:?}", run.failures);
                assert_eq!(run.tiers[0].name, "edge");
            }
            _ => assert_eq!(run.failures.get("stopped"), Some(&run.sent), "{:?}", run.failures),
        }
    }
}

#[test]
fn two_runs_in_one_process_send_the_same_requests_also_from_within_a_runtime() {
    let server = Server::start(Behaviour::Answer);
    let scenario = scenario(200, false);
    let first = play(&scenario, &server.targets(), &options(0.0, 1.0)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let second = runtime.block_on(async { play(&scenario, &server.targets(), &options(0.0, 1.0)) }).unwrap();
    assert_eq!((first.planned, first.sent), (second.planned, second.sent));
    assert_eq!(server.state.gets.load(Ordering::Relaxed), first.sent + second.sent);
}

#[test]
fn sites_choose_instances_and_progress_is_told() {
    let (one, two) = (Server::start(Behaviour::Answer), Server::start(Behaviour::Answer));
    let mut targets = Targets { headers: vec![("x-key".into(), "k".into())], ..Targets::default() };
    targets.by_tier.insert("edge".into(), vec![one.url.clone(), two.url.clone()]);
    let (calls, last) = (AtomicU64::new(0), AtomicU64::new(0));
    let run = load(&scenario(300, false), &targets, &options(0.0, 1.0), &|progress| {
        calls.fetch_add(1, Ordering::Relaxed);
        last.store(progress.sent, Ordering::Relaxed);
        assert!(progress.elapsed_s <= progress.total_s);
    })
    .unwrap();
    let gets = [&one, &two].map(|s| s.state.gets.load(Ordering::Relaxed));
    assert_eq!(gets[0] + gets[1], run.sent);
    assert!(gets[0].min(gets[1]) > run.sent / 3, "{gets:?}");
    assert!(calls.load(Ordering::Relaxed) >= 4);
    assert_eq!(last.load(Ordering::Relaxed), run.sent);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_sent() {
    let server = Server::start(Behaviour::Answer);
    let scenario = scenario(100, false);
    let fails =
        |scenario, targets: &Targets, options: &LoadOptions| play(scenario, targets, options).unwrap_err();
    let to = |url: &str| Targets { fallback: Some(url.to_owned()), ..Targets::default() };

    let error = fails(&scenario, &to("http://198.51.100.7:80"), &options(0.0, 1.0));
    assert!(error.to_string().contains("198.51.100.7:80` is not on this machine"), "{error}");
    let remote_metrics = Targets { metrics: Some("http://198.51.100.7/metrics".into()), ..server.targets() };
    assert!(matches!(fails(&scenario, &remote_metrics, &options(0.0, 1.0)), LoadError::NotLoopback { .. }));

    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = fails(&scenario, &to(&format!("http://{free}")), &options(0.0, 1.0));
    assert!(error.to_string().starts_with(&format!("cannot reach http://{free}: ")), "{error}");

    let error = fails(&scenario, &Targets::default(), &options(0.0, 1.0));
    assert!(error.to_string().contains("no target for tier `edge`"), "{error}");
    let mut silent = scenario.clone();
    silent.actions["get"].http = None;
    let error = fails(&silent, &server.targets(), &options(0.0, 1.0));
    assert!(error.to_string().contains("action `get` has no `http`"), "{error}");
    let bad_header = Targets { headers: vec![("x y".into(), String::new())], ..server.targets() };
    assert!(matches!(fails(&scenario, &bad_header, &options(0.0, 1.0)), LoadError::BadHeader { .. }));
    assert!(matches!(fails(&scenario, &server.targets(), &options(0.0, 0.0)), LoadError::BadOption { .. }));
    let few = LoadOptions { users_max: 0, ..options(0.0, 1.0) };
    for (bad, says) in [
        (options(0.0, 0.0), "duration is 0 s"),
        (options(0.0, f64::NAN), "duration is NaN s"),
        (options(-1.0, 1.0), "warm-up is -1 s"),
        (few, "users is 0"),
    ] {
        let error = bad.check().unwrap_err().to_string();
        assert!(error.starts_with(says) && error.contains("expected"), "{error}");
    }
    options(0.0, 1.0).check().unwrap();
    assert_eq!(server.state.gets.load(Ordering::Relaxed), 0);
}

#[test]
fn the_schedule_is_a_poisson_process() {
    let scenario = scenario(1_000, false);
    let times: Vec<f64> = plimsoll_scenarios::trace::requests(&scenario, 7, 30.0).map(|r| r.at_s).collect();
    let gaps: Vec<f64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|g| (g - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    let cv = variance.sqrt() / mean;
    assert!((0.95..1.05).contains(&cv), "{cv}");
    assert!((mean * 1_000.0 - 1.0).abs() < 0.03, "{mean}");
}
