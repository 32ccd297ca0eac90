//! `load`, `stack` and the records that go between commands: what works, and what each failure says.

mod common;

use std::collections::BTreeMap;
use std::net::TcpListener;

use common::{Playing, code_of, out_of, record, said, small, small_with};
use plimsoll_reports::record::Measurement;
use tempfile::TempDir;

/// What `stack --format json` prints.
#[derive(Debug, serde::Deserialize)]
struct Ready {
    tiers: BTreeMap<String, Vec<String>>,
    metrics: String,
    api_key: String,
}

fn stack(more: &[&str]) -> (Playing, Ready) {
    let path = small();
    let playing = Playing::start(&[&["stack", path.to_str().unwrap(), "--format", "json"], more].concat());
    playing.until("address", |playing| playing.err().contains("up;"));
    let ready = record(&playing.out());
    (playing, ready)
}

/// Plays the small scenario for a moment.
fn load(more: &[&str]) -> common::Said {
    let path = small();
    let short = ["load", path.to_str().unwrap(), "--warmup", "0.2", "--duration", "1", "--format", "json"];
    said(&[&short[..], more].concat())
}

/// A port on which nobody listens.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_bundled_stack_is_started_loaded_and_stopped() {
    let said = load(&[]);
    let measurement: Measurement = record(&said.out);
    assert_eq!(said.code, Some(code_of(&measurement)), "{said:?}");
    assert!(measurement.sent > 200, "{measurement:?}");
    for tier in ["edge", "gateway", "web", "metadata-cache"] {
        assert!(measurement.tiers.iter().any(|t| t.name == tier && t.requests > 0), "{tier}");
    }
}

#[test]
fn a_tier_without_a_cache_has_no_hit_ratio() {
    let measurement: Measurement = record(&load(&[]).out);
    // Of the small scenario's tiers, `web` is one that has a cache in other scenarios.
    let web = measurement.tiers.iter().find(|tier| tier.name == "web").unwrap();
    assert_eq!(web.hit_ratio, None);
}

#[test]
fn the_stack_of_another_terminal_can_be_loaded_through_its_gateway() {
    let port = free_port().to_string();
    let (_playing, ready) = stack(&["--port", &port]);
    let gateway = format!("http://127.0.0.1:{port}");
    assert_eq!(ready.tiers["gateway"], [gateway.as_str()]);
    let key = format!("x-api-key: {}", ready.api_key);
    let said = load(&["--target", &gateway, "--metrics", &ready.metrics, "--header", &key]);
    let measurement: Measurement = record(&said.out);
    assert_eq!(said.code, Some(code_of(&measurement)), "{said:?}");
    assert_eq!((measurement.failed, measurement.target.as_str()), (0, gateway.as_str()));
    assert!(!measurement.tiers.is_empty());
}

#[test]
fn a_target_that_refuses_the_key_ends_with_1_and_says_how_often() {
    let (_playing, ready) = stack(&["--no-emulation"]);
    let said = load(&["--target", &ready.tiers["gateway"][0], "--header", "x-api-key: wrong"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    let measurement: Measurement = record(&said.out);
    assert_eq!(measurement.failures.get("status_401"), Some(&measurement.sent));
    assert!(!measurement.invalid.is_empty());
}

#[test]
fn an_unreachable_target_ends_with_1_and_is_named() {
    let target = format!("http://127.0.0.1:{}", free_port());
    let said = load(&["--target", &target]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains(&target) && said.err.contains("is the stack running"), "{said:?}");
}

#[test]
fn a_target_elsewhere_ends_with_2_and_gets_no_request() {
    for target in
        ["http://example.com", "http://192.0.2.1:80", "http://127.0.0.1.example.com", "http://0.0.0.0"]
    {
        let said = load(&["--target", target]);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{target}: {said:?}");
        assert!(said.err.contains("not on this machine"), "{target}: {said:?}");
    }
}

#[test]
fn a_target_that_is_no_url_or_a_bad_header_ends_with_2() {
    let target = format!("http://127.0.0.1:{}", free_port());
    for args in [
        &["--target", "nonsense"][..],
        &["--target", "ftp://127.0.0.1"],
        &["--target", "https://127.0.0.1"],
        &["--target", &target, "--header", "no colon"],
        &["--target", &target, "--header", "bad name: 1"],
        &["--target", &target, "--metrics", "http://example.com/metrics"],
    ] {
        let said = load(args);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
    }
}

#[test]
fn options_out_of_range_end_with_2_before_anything_is_started() {
    let path = small();
    let path = path.to_str().unwrap();
    for option in ["--duration=0", "--duration=-3", "--duration=nan", "--warmup=-1", "--users=0"] {
        let said = said(&["load", path, option]);
        assert_eq!(said.code, Some(2), "{option}: {said:?}");
        assert!(!said.err.contains("stack "), "{option}: a stack was started: {said:?}");
    }
}

#[test]
fn a_scenario_without_a_load_section_ends_with_2_and_is_told_what_to_add() {
    let directory = TempDir::new().unwrap();
    let text = std::fs::read_to_string(small()).unwrap();
    let path = directory.path().join("day-only.yaml");
    std::fs::write(&path, text.split("load:").next().unwrap()).unwrap();
    let path = path.to_str().unwrap();
    for args in [&["load", path][..], &["stack", path], &["simulate", path, "--scaled"]] {
        let said = said(args);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
        assert!(said.err.contains("no `load` section") && said.err.contains("hint: add"), "{said:?}");
    }
}

#[test]
fn a_stack_lacks_no_tier() {
    let directory = TempDir::new().unwrap();
    let path = small_with(directory.path(), &[("in: audio-store", "in: shield")]);
    let said = said(&["stack", path.to_str().unwrap()]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
    assert!(said.err.contains("write `in: audio-store`"), "{said:?}");
}

#[test]
fn a_port_that_is_taken_ends_with_1_and_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let path = small();
    let said = said(&["stack", path.to_str().unwrap(), "--port", &port]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains(&format!("port {port}")) && said.err.contains("already taken"), "{said:?}");
}

#[test]
fn a_record_that_is_missing_or_none_ends_with_2_and_is_named() {
    let directory = TempDir::new().unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (garbage, empty) = (write("garbage.json", "{\"a\": [1, 2"), write("empty.json", ""));
    let other = write("other.json", &out_of(&["estimate", "spotify", "--format", "json"]));
    let missing = directory.path().join("missing.json").to_str().unwrap().to_owned();
    for path in [&garbage, &empty, &other, &missing] {
        let said = said(&["compare", path, path]);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{path}: {said:?}");
        assert!(said.err.contains(path.as_str()) && said.err.contains("hint: "), "{path}: {said:?}");
    }
    let nowhere = directory.path().join("nowhere");
    for args in [&["report", nowhere.to_str().unwrap()][..], &["compare", nowhere.to_str().unwrap()]] {
        let said = said(args);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
        assert!(said.err.contains("nowhere"), "{said:?}");
    }
}

#[test]
fn an_out_that_cannot_be_written_ends_with_1_before_any_stage() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let path = small();
    let out = file.join("out");
    let said = said(&["run", path.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains("cannot write") && said.err.contains("--out"), "{said:?}");
    assert!(!said.err.contains("estimate "), "{said:?}");
}
