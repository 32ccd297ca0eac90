//! What a run gives to other tools, and what it knows second by second.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use common::{Behaviour, Server, options, scenario};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use plimsoll_loadgen::export::{Exposition, HistogramLog, Otlp, TimeSeries};
use plimsoll_loadgen::{Arrivals, Check, Interval, LoadOptions, Playback, Played, Watch, play};
use plimsoll_reports::gate::Series;

fn watched(options: &LoadOptions, server: &Server, interval: &(dyn Fn(&Interval<'_>) + Sync)) -> Played {
    let watch = Watch { progress: &|_| {}, interval };
    play(&scenario(300, true), &server.targets(), options, watch).unwrap()
}

#[test]
fn the_seconds_of_a_run_add_up_to_the_run() {
    let server = Server::start(Behaviour::Answer);
    let seen = Mutex::new((0, 0, 0, 0, Vec::new()));
    let played = watched(&options(1.0, 3.0), &server, &|interval| {
        let (planned, all, counted, gets, spans) = &mut *seen.lock().unwrap();
        *planned += interval.planned;
        *all += interval.record.sent();
        if interval.counted {
            *counted += interval.record.sent();
            *gets += interval.record.routes[0].complete.len();
        }
        spans.push((interval.from_s, interval.to_s));
    });
    let (planned, all, counted, gets, spans) = seen.into_inner().unwrap();
    let run = &played.measurement;
    assert_eq!(planned, all);
    assert!(all > run.sent && all < 2 * run.sent, "{all} {}", run.sent);
    // The interval in which the warm-up ended belongs to it.
    assert!(counted <= run.sent && counted as f64 > 0.9 * run.sent as f64, "{counted} {}", run.sent);
    assert!(gets <= run.actions[0].complete.count);
    assert!((4..=6).contains(&spans.len()), "{spans:?}");
    assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0), "{spans:?}");
}

#[test]
fn a_round_has_every_series_that_a_gate_may_ask_for() {
    let server = Server::start(Behaviour::Refuse);
    let options = LoadOptions {
        playback: vec![("get".into(), Playback { bitrate_bit_per_s: 64_000.0, buffer_s: 0.01 })],
        ..options(0.2, 1.5)
    };
    let Played { measurement, round, .. } = watched(&options, &server, &|_| {});
    for name in [
        "get.first_byte p99",
        "get.first_data p50",
        "get.events.complete p50",
        "get.rebuffer p50",
        "lag p50",
        "connect p50",
        "errors",
        "get.errors",
        "availability",
        "get.stalled",
        "rate",
        "get.rate",
    ] {
        assert!(round.value(&Series::parse(name).unwrap()).is_some(), "{name}: {round:?}");
    }
    let errors = round.value(&Series::parse("errors").unwrap()).unwrap();
    assert!((errors - measurement.failed as f64 / measurement.sent as f64).abs() < 1e-12);
    let get = &measurement.actions[0];
    let p50 = round.value(&Series::parse("get.first_byte p50").unwrap()).unwrap();
    assert!((p50 / get.first_byte.at(0.5).unwrap() - 1.0).abs() < 0.01);
    assert!(get.first_data.mean_s >= get.first_byte.mean_s && get.complete.mean_s >= get.first_data.mean_s);
    assert!(measurement.connect.count > 0 && measurement.connect.mean_s > 0.0);
}

#[test]
fn a_histogram_log_is_read_back_by_the_format_s_own_parser() {
    let server = Server::start(Behaviour::Answer);
    let log = Mutex::new(HistogramLog::new(Vec::new(), SystemTime::now()).unwrap());
    let bytes = Mutex::new(0_usize);
    let played = watched(&options(0.0, 2.5), &server, &|interval| {
        log.lock().unwrap().add(interval).unwrap();
        *bytes.lock().unwrap() += 1;
    });
    let text = log.into_inner().unwrap().into_inner();
    let (mut intervals, mut merged) = (0, Histogram::<u64>::new(3).unwrap());
    for entry in IntervalLogIterator::new(&text) {
        let LogEntry::Interval(interval) = entry.unwrap() else { continue };
        if interval.tag().unwrap().as_str() == "get.complete" {
            let packed =
                base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram()).unwrap();
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &packed[..]).unwrap();
            merged.add(&histogram).unwrap();
            intervals += 1;
            assert!(interval.duration() > Duration::from_millis(300), "{:?}", interval.duration());
        }
    }
    assert!((2..=4).contains(&intervals), "{intervals}");
    let get = &played.measurement.actions[0].complete;
    assert_eq!(merged.len(), get.count);
    assert!((merged.max() as f64 * 1e-6 - get.max_s).abs() < 0.002 * get.max_s + 1e-6);
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("#[Histogram log format version") && text.contains("#[StartTime: "), "{text}");
}

#[test]
fn a_time_series_has_a_line_for_every_second_and_request() {
    let server = Server::start(Behaviour::Answer);
    let series = Mutex::new(TimeSeries::new(Vec::new()).unwrap());
    let played =
        watched(&options(0.0, 2.5), &server, &|interval| series.lock().unwrap().add(interval).unwrap());
    let text = String::from_utf8(series.into_inner().unwrap().into_inner()).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(&rows[0][..4], ["from_s", "to_s", "counted", "request"]);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{text}");
    let sum = |name: &str, column: &str| -> u64 {
        let column = rows[0].iter().position(|c| *c == column).unwrap();
        rows.iter().filter(|row| row[3] == name).map(|row| row[column].parse::<u64>().unwrap()).sum()
    };
    assert_eq!(
        (sum("all", "sent"), sum("all", "planned")),
        (played.measurement.sent, played.measurement.planned)
    );
    assert_eq!(sum("get", "sent") + sum("get.events", "sent"), played.measurement.sent);
}

#[test]
fn metrics_are_served_while_the_run_lasts() {
    let server = Server::start(Behaviour::Answer);
    let exposition = Exposition::start(0).unwrap();
    assert!(exposition.address.ip().is_loopback());
    let scrape = || {
        let mut stream = TcpStream::connect(exposition.address).unwrap();
        stream.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    assert!(scrape().contains("plimsoll_load_planned_total 0\n"));
    let played = watched(&options(0.0, 1.5), &server, &|interval| exposition.add(interval));
    let text = scrape();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\ncontent-type: text/plain"), "{text}");
    let gets = played.measurement.actions[0].requests;
    for line in [
        format!("plimsoll_load_sent_total{{request=\"get\"}} {gets}"),
        format!("plimsoll_load_complete_seconds_bucket{{request=\"get\",le=\"+Inf\"}} {gets}"),
        format!("plimsoll_load_complete_seconds_count{{request=\"get\"}} {gets}"),
        format!("plimsoll_load_lag_seconds_count {}", played.measurement.sent),
    ] {
        assert!(text.lines().any(|l| l == line), "{line}: {text}");
    }
    let address = exposition.address;
    drop(exposition);
    assert!(TcpStream::connect(address).is_err(), "still served");
}

#[test]
fn a_body_that_drips_interrupts_its_listener() {
    let server = Server::start(Behaviour::Drip(Duration::from_millis(100)));
    let play_at = |bitrate_bit_per_s| {
        let options = LoadOptions {
            arrivals: Arrivals::Constant { rate_per_s: 40.0 },
            playback: vec![("get".into(), Playback { bitrate_bit_per_s, buffer_s: 0.001 })],
            ..options(0.0, 2.0)
        };
        let run = common::play(&scenario(10, false), &server.targets(), &options).unwrap();
        assert_eq!(run.failed, 0, "{:?}", run.failures);
        run.actions[0].clone()
    };
    // 250 bytes last 50 ms: three times 50 ms of silence.
    let fast = play_at(40_000.0);
    assert_eq!(fast.stalled, fast.requests);
    let median_s = fast.rebuffer.unwrap().at(0.5).unwrap();
    assert!((median_s - 0.15).abs() < 0.04, "{median_s}");
    // They last 250 ms: each next piece comes in time.
    let slow = play_at(8_000.0);
    assert!(slow.stalled < slow.requests / 4, "{} of {}", slow.stalled, slow.requests);
    assert!(slow.first_data.at(0.5).unwrap() < 0.05 && slow.complete.at(0.5).unwrap() > 0.29);
}

#[test]
fn answers_that_are_not_as_expected_are_failures_by_their_kind() {
    let server = Server::start(Behaviour::Answer);
    let with = |checks: &[&str]| {
        let checks = checks.iter().map(|text| Check::parse(text).unwrap()).collect();
        let options =
            LoadOptions { checks, arrivals: Arrivals::Constant { rate_per_s: 100.0 }, ..options(0.0, 1.0) };
        common::play(&scenario(10, false), &server.targets(), &options)
    };
    // SHA-256 of 1,000 times `x`.
    let hash = "get.sha256 = 44f8354494a5ba03ba1792a8d3e9c534c47a9181980fde7a3f44b06ef2ae7c7f";
    let sound = with(&["get.status = 200", "get.length = 1000", "get.body contains xxxx", hash]).unwrap();
    assert_eq!(sound.failed, 0, "{:?}", sound.failures);
    for (check, kind) in [
        ("get.status = 206", "status_200"),
        ("get.length = 999", "check_length"),
        ("get.body contains y", "check_body"),
        (&hash.replace("44f8", "54f8"), "check_sha256"),
    ] {
        let run = with(&[check]).unwrap();
        assert_eq!(run.failures.get(kind), Some(&run.sent), "{check}: {:?}", run.failures);
    }
    let error = with(&["put.status = 200"]).unwrap_err().to_string();
    assert!(error.contains("--check names `put`") && error.contains("what sends are get"), "{error}");
}

/// A collector that takes one export and answers with a status; what it got.
fn collector(status: &'static str) -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut request = Vec::new();
        let mut piece = [0; 4_096];
        loop {
            let n = stream.read(&mut piece).unwrap();
            request.extend_from_slice(&piece[..n]);
            let text = String::from_utf8_lossy(&request);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
                if body.len() >= length.parse().unwrap() {
                    break;
                }
            }
            assert!(n > 0, "the export is cut short");
        }
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n{{}}").unwrap();
        String::from_utf8(request).unwrap()
    });
    (url, thread)
}

#[test]
fn a_collector_of_opentelemetry_gets_every_request_of_the_run() {
    let (url, collector) = collector("200 OK");
    let otlp = Otlp::start(&url, "spotify", 7).unwrap();
    let server = Server::start(Behaviour::Answer);
    let played = watched(&options(0.0, 1.0), &server, &|interval| otlp.add(interval));
    let sent = otlp.close();
    assert_eq!((sent.exports, sent.failed), (1, 0), "{sent:?}");
    let request = collector.join().unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /v1/metrics HTTP/1.1\r\n") && head.contains("application/json"), "{head}");
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let resource = &body["resourceMetrics"][0];
    assert_eq!(resource["resource"]["attributes"][3]["value"]["intValue"], "7");
    let metrics = resource["scopeMetrics"][0]["metrics"].as_array().unwrap();
    let points = |name: &str, kind: &str| {
        let metric = metrics.iter().find(|m| m["name"] == name).unwrap();
        metric[kind]["dataPoints"].as_array().unwrap().clone()
    };
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let all: u64 = points("plimsoll.load.sent", "sum").iter().map(|p| number(&p["asInt"])).sum();
    assert_eq!(all, played.measurement.sent);
    for point in points("plimsoll.load.complete", "histogram") {
        let buckets = point["bucketCounts"].as_array().unwrap();
        assert_eq!(buckets.len(), point["explicitBounds"].as_array().unwrap().len() + 1);
        assert_eq!(buckets.iter().map(number).sum::<u64>(), number(&point["count"]));
        assert!(point["sum"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn a_collector_that_refuses_or_is_not_there_does_not_stop_a_run() {
    let (url, collector) = collector("503 Service Unavailable");
    let sent = Otlp::start(&url, "t", 1).unwrap().close();
    collector.join().unwrap();
    assert_eq!((sent.exports, sent.failed), (0, 1));
    assert!(sent.cause.unwrap().contains("answered 503"));
    let sent = Otlp::start(&url, "t", 1).unwrap().close();
    assert_eq!((sent.exports, sent.failed), (0, 1), "nobody listens there any more");
    assert!(Otlp::start("http://192.0.2.1:4318", "t", 1).is_err(), "not this machine");
}
