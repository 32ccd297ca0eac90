//! `plimsoll replay`: the same trace in every format gives the known counts; mistakes say what to do.

mod common;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use common::{plimsoll, said};

/// Splitmix64 over a Zipf law, as in sim/src/cache/tests: ids scattered by a multiplicative hash.
fn reference_ids(objects: u64, requests: usize) -> Vec<u64> {
    let mut cdf = Vec::new();
    let mut sum = 0.0;
    for k in 1..=objects {
        sum += 1.0 / k as f64;
        cdf.push(sum);
    }
    let mut stream = plimsoll_scenarios::rng::Stream::splitmix(42);
    let draw = |_| {
        let target = stream.uniform() * sum;
        let rank = cdf.partition_point(|&c| c <= target) as u64;
        1 + rank * 2_654_435_761 % objects
    };
    (0..requests).map(draw).collect()
}

fn oracle(ids: &[u64]) -> Vec<u8> {
    let record = |(time, id): (usize, &u64)| {
        let time = u32::try_from(time).unwrap().to_le_bytes();
        [&time[..], &id.to_le_bytes(), &1_u32.to_le_bytes(), &(-1_i64).to_le_bytes()].concat()
    };
    ids.iter().enumerate().flat_map(record).collect()
}

fn file(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_reference_trace_gives_the_known_miss_counts() {
    let directory = tempfile::tempdir().unwrap();
    let trace = file(directory.path(), "reference.oracleGeneral", &oracle(&reference_ids(100_000, 500_000)));
    let out = directory.path().join("results");
    let args =
        ["--policy", "lru,sieve,s3-fifo,lfu", "--capacity", "100,1000,10000", "--mrc", "--format", "json"];
    let found = said(&[&["replay", text_of(&trace)], &args[..], &["--out", text_of(&out)]].concat());
    assert_eq!(found.code, Some(0), "{found:?}");
    let misses: Vec<u64> = found
        .out
        .split("\"rows\"")
        .nth(1)
        .unwrap()
        .split("\"misses\": ")
        .skip(1)
        .take(12)
        .map(|rest| rest.split(',').next().unwrap().parse().unwrap())
        .collect();
    let lru = [355_345, 247_299, 133_678];
    let others = [293_810, 203_823, 116_970, 294_759, 201_880, 116_044, 296_339, 204_699, 116_970];
    assert_eq!(misses, [&lru[..], &others].concat());
    let curve = found.out.split("\"curve\"").nth(1).unwrap();
    for (capacity, misses) in [100, 1000, 10_000].iter().zip(lru) {
        let point = format!("\"objects\": {capacity},\n        \"misses\": {misses},");
        assert!(curve.contains(&point), "{point} is not in the curve");
    }
    assert_eq!(std::fs::read_to_string(out.join("replay.json")).unwrap(), found.out);
    let svg = std::fs::read_to_string(out.join("miss-ratio-curve.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("S3-FIFO"));
}

#[test]
fn every_format_and_the_standard_input_give_the_same_page() {
    let directory = tempfile::tempdir().unwrap();
    let ids = reference_ids(50, 400);
    let csv = ids.iter().map(|id| format!("0,/{id},1\n")).collect::<Vec<_>>().concat();
    let line = |id: &u64| {
        format!("::1 - - [21/Nov/2026:18:30:00 +0000] \"GET /{id} HTTP/2.0\" 200 1 \"-\" \"curl\"\n")
    };
    let log = ids.iter().map(line).collect::<Vec<_>>().concat();
    let pages: Vec<String> = [("a.bin", oracle(&ids)), ("b.csv", csv.into()), ("c.txt", log.into())]
        .iter()
        .map(|(name, bytes)| {
            let path = file(directory.path(), name, bytes);
            let found = said(&[
                "replay",
                text_of(&path),
                "--policy",
                "lru,clock",
                "--capacity",
                "7,30 B",
                "--by",
                "bytes",
            ]);
            assert_eq!(found.code, Some(0), "{name}: {found:?}");
            found.out.split_once('\n').unwrap().1.to_owned()
        })
        .collect();
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
    let piped = plimsoll()
        .args(["replay", "-", "--policy", "lru,clock", "--capacity", "7,30 B", "--by", "bytes"])
        .write_stdin(oracle(&ids))
        .output()
        .unwrap();
    let piped = String::from_utf8(piped.stdout).unwrap();
    assert!(piped.starts_with("standard input · 400 requests"), "{piped}");
    assert_eq!(piped.split_once('\n').unwrap().1, pages[0]);
}

#[test]
fn mistakes_name_the_place_and_the_next_step() {
    let directory = tempfile::tempdir().unwrap();
    let good = file(directory.path(), "good.csv", b"1,a,5\n");
    let bad = file(directory.path(), "bad.csv", b"time,key,size\n1,a,5\n2,b,big\n");
    let cut = file(directory.path(), "cut.oracleGeneral", &oracle(&[1, 2])[..40]);
    let empty = file(directory.path(), "empty.csv", b"");
    let (good, bad, cut, empty) = (text_of(&good), text_of(&bad), text_of(&cut), text_of(&empty));
    let nowhere = directory.path().join("nowhere.csv");
    for (args, expected) in [
        (vec![good], "nothing to replay for"),
        (vec![good, "--capacity", "0"], "--capacity: `0` is out of range"),
        (vec![good, "--capacity", "5", "--policy", "s3fifo"], "a similar value exists: 's3-fifo'"),
        (vec![good, "--capacity", "2 B"], "add `--by bytes` or `--by objects`"),
        (vec![bad, "--capacity", "5"], "bad.csv: line 3, column 5: `big` is no size in bytes\nhint:"),
        (vec![cut, "--capacity", "5"], "cut.oracleGeneral: record 2 is cut short: 16 of 24 bytes\nhint:"),
        (vec![empty, "--capacity", "5"], "empty.csv: the trace has no requests\nhint:"),
        (vec![text_of(&nowhere), "--capacity", "5"], "nowhere.csv: No such file"),
        (vec![text_of(directory.path()), "--capacity", "5"], "is a directory"),
    ] {
        let found = said(&[&["replay"], &args[..]].concat());
        assert_eq!(found.code, Some(2), "{args:?}: {found:?}");
        assert!(found.err.contains(expected), "{args:?}: {}\nexpected {expected}", found.err);
        assert!(found.out.is_empty(), "{found:?}");
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_what_was_replayed_and_marks_it() {
    use std::io::Write;

    // A trace without an end: the requests again and again until the program no longer reads.
    let mut child = std::process::Command::new(common::PROGRAM)
        .args(["replay", "-", "--capacity", "10", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let ids = oracle(&reference_ids(50, 10_000));
    let began = std::time::Instant::now();
    let mut told = false;
    while began.elapsed() < common::LIMIT && stdin.write_all(&ids).is_ok() {
        // Once it certainly reads, and so listens.
        if !told && began.elapsed().as_millis() > 500 {
            told = true;
            let id = child.id().to_string();
            assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        }
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("\"partial\": true"), "{out}");
}

#[test]
fn a_trace_becomes_a_popularity_that_a_scenario_takes() {
    let directory = tempfile::tempdir().unwrap();
    let mut text = "time,key,size\n".to_owned();
    for (time, id) in reference_ids(20_000, 200_000).iter().enumerate() {
        text.push_str(&format!("{time},{id},1\n"));
    }
    let trace = file(directory.path(), "plays.csv", text.as_bytes());
    let found = said(&["replay", text_of(&trace), "--fit"]);
    assert_eq!(found.code, Some(0), "{found:?}");
    let (_, law) = found.out.split_once("in a scenario\n").unwrap();
    let zipf: f64 = law.split_once("{zipf: ").unwrap().1.split_once('}').unwrap().0.parse().unwrap();
    assert!((zipf - 1.0).abs() < 0.02, "{law}");
    let mut fields = String::new();
    for line in law.lines().map_while(|line| line.strip_prefix("   ")) {
        fields.push_str(&format!("    {line}\n"));
    }
    let scenario = format!(
        "name: fitted\nsummary: from a trace\npopulation: {{users: 1 K}}\ndatasets:\n  object:\n{fields}    size: 1 KB\n    \
         in: store\nactions:\n  get: {{per_user: 10/day, of: object, path: [cache, store]}}\ntiers:\n  \
         cache: {{cache: {{capacity: 1 MB}}}}\n  store: {{}}\n"
    );
    let path = file(directory.path(), "fitted.yaml", scenario.as_bytes());
    let checked = said(&["scenarios", "check", text_of(&path)]);
    assert_eq!(checked.code, Some(0), "{checked:?}\n{scenario}");
}

#[test]
fn a_cache_that_forgets_or_keeps_at_the_second_request_is_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let trace = file(directory.path(), "hits.csv", b"0,a,10\n1,a,10\n5,a,10\n6,b,90\n7,b,90\n8,b,90\n");
    let misses = |rules: &[&str]| {
        let capacity = ["replay", text_of(&trace), "--capacity", "5", "--format", "json"];
        let found = said(&[&capacity, rules].concat());
        assert_eq!(found.code, Some(0), "{rules:?}: {found:?}");
        let record: serde_json::Value = serde_json::from_str(&found.out).unwrap();
        record["rows"][0]["misses"].as_u64().unwrap()
    };
    assert_eq!(misses(&[]), 2);
    assert_eq!(misses(&["--ttl", "4 s"]), 3);
    assert_eq!(misses(&["--admit-on", "2"]), 4);
    assert_eq!(misses(&["--admit-max-size", "50 B"]), 4);
    for (rules, cause) in [
        (["--ttl", "1 to 5 s"], "`1 to 5 s` is out of range"),
        (["--ttl", "1 MB"], "unit doesn't fit"),
        (["--admit-max-size", "5 s"], "unit doesn't fit"),
        (["--admit-on", "3"], "3 is not in 1..=2"),
    ] {
        let found = said(&[&["replay", text_of(&trace), "--capacity", "5"], &rules[..]].concat());
        assert_eq!(found.code, Some(2), "{rules:?}: {found:?}");
        assert!(found.err.contains(cause), "{rules:?}: {}", found.err);
    }
}
