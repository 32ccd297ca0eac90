//! `stack`: up in the background, looked at, broken, healed and down again; and what is said where it can't.
#![cfg(unix)]

mod common;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use common::{LIMIT, Said, plimsoll, small};
use serde_json::Value;
use tempfile::TempDir;

/// A temporary directory of one's own, so that no other test's stacks are seen. What is up there in the end is
/// taken down.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn said(&self, args: &[&str]) -> Said {
        let output = plimsoll().args(args).env("TMPDIR", self.0.path()).output().unwrap();
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn out(&self, args: &[&str]) -> String {
        let said = self.said(args);
        assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
        said.out
    }

    fn json(&self, args: &[&str]) -> Value {
        let out = self.out(&[args, &["--format", "json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    /// Starts the small scenario in the background; gives what it says of itself.
    fn up(&self, more: &[&str]) -> Value {
        let path = small();
        self.json(&[&["stack", "up", path.to_str().unwrap(), "--detach", "--no-emulation"], more].concat())
    }

    fn files(&self) -> Vec<String> {
        common::names(self.0.path())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        while self.said(&["stack", "down"]).code == Some(0) {}
    }
}

fn lives(process: &Value) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}

#[test]
fn a_stack_in_the_background_is_found_broken_healed_and_taken_down() {
    let place = Place::new();
    let ready = place.up(&[]);
    assert!(lives(&ready["process"]));
    let status = place.json(&["stack", "status"]);
    assert_eq!(status.as_array().unwrap().len(), 1);
    assert_eq!((&status[0]["process"], &status[0]["tiers"]), (&ready["process"], &ready["tiers"]));
    assert_eq!((&status[0]["status"]["songs"], &status[0]["scenario"]), (&2000.into(), &"small".into()));

    let broken = place.out(&["stack", "break", "kill", "web/0"]);
    assert_eq!(broken, "web/0 died; `plimsoll stack heal` ends it\n");
    let page = place.out(&["stack", "status"]);
    assert!(
        page.contains("broken: kill web/0: web/0 died") && page.contains("web             3 of 4 up"),
        "{page}"
    );
    assert_eq!(place.out(&["stack", "heal"]), "healed: kill web/0\n");
    assert!(place.said(&["stack", "heal"]).err.contains("nothing is broken"));
    let done = place.json(&["stack", "break", "slow", "metadata-db", "--by", "20ms", "--for", "200ms"]);
    assert_eq!((&done["kind"], &done["lasts"]), (&"slow".into(), &true.into()));
    let began = Instant::now();
    while place.json(&["stack", "status"])[0]["status"]["broken"] != serde_json::json!([]) {
        assert!(began.elapsed() < LIMIT);
    }
    let logs = place.out(&["stack", "logs"]);
    for line in
        ["stack - up, 2000 songs", "breaks - kill web/0: web/0 died", "breaks - slow metadata-db is healed"]
    {
        assert!(logs.contains(line), "{line}: {logs}");
    }

    let down = place.said(&["stack", "down"]);
    assert!(down.code == Some(0) && down.err.contains("is down"), "{down:?}");
    let began = Instant::now();
    while lives(&ready["process"]) {
        assert!(began.elapsed() < Duration::from_secs(10));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(place.files(), Vec::<String>::new());
    assert!(place.said(&["stack", "status"]).err.contains("no stack is up"));
}

#[test]
fn of_several_stacks_one_has_to_be_named() {
    let place = Place::new();
    let (first, second) = (place.up(&[]), place.up(&[]));
    assert_eq!(place.json(&["stack", "status"]).as_array().unwrap().len(), 2);
    let said = place.said(&["stack", "down"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    let option = format!("--process {}", first["process"]);
    assert!(said.err.contains("several stacks are up") && said.err.contains(&option), "{said:?}");
    place.out(&["stack", "down", "--process", &second["process"].to_string()]);
    assert!(lives(&first["process"]));
    place.out(&["stack", "down"]);
}

#[test]
fn a_stack_that_was_killed_leaves_nothing_to_the_next() {
    let place = Place::new();
    let first = place.up(&[]);
    assert!(Command::new("kill").args(["-KILL", &first["process"].to_string()]).status().unwrap().success());
    let began = Instant::now();
    while lives(&first["process"]) && began.elapsed() < LIMIT {
        // A zombie until its parent, which has ended, is waited for by the system.
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(place.files().len(), 1, "its directory");
    let second = place.up(&[]);
    assert_eq!(place.json(&["stack", "status"]).as_array().unwrap().len(), 1);
    assert_eq!(place.files().len(), 1, "that of the second");
    place.out(&["stack", "down", "--process", &second["process"].to_string()]);
}

#[test]
fn playlists_and_plays_are_kept_where_a_directory_for_them_is_named() {
    let (place, data) = (Place::new(), TempDir::new().unwrap());
    let data_path = data.path().join("kept");
    for _ in 0..2 {
        place.up(&["--data", data_path.to_str().unwrap()]);
        place.out(&["stack", "down"]);
        assert!(data_path.join("users.db").exists() && data_path.join("bus/log").exists());
    }
}

#[test]
fn what_can_not_be_done_is_said_with_the_way_out() {
    let place = Place::new();
    for args in [&["stack", "down"][..], &["stack", "logs"], &["stack", "heal"], &["stack", "break", "kill"]]
    {
        let said = place.said(args);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
        assert!(said.err.contains("no stack is up") && said.err.contains("hint: "), "{args:?}: {said:?}");
    }
    if cfg!(not(feature = "services")) {
        let services = place.said(&["stack", "up", "--profile", "services"]);
        let says = "cargo run --release --features services -- stack up --profile services";
        assert!(services.code == Some(2) && services.err.contains(says), "{services:?}");
    }
    place.up(&[]);
    for (args, says) in [
        (&["kill", "cellar"][..], "metadata-db"),
        (&["kill", "web", "--for", "soon"], "--for"),
        (&["kill", "web", "--by", "1s"], "means nothing"),
        (&["cut-bandwidth", "edge", "--to", "5 MB"], "--to"),
        (&["corrupt", "song/1", "--copies", "9"], "copies"),
    ] {
        let said = place.said(&[&["stack", "break"], args].concat());
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
        assert!(said.err.contains(says), "{args:?}: {said:?}");
    }
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let said = place.said(&["stack", "up", small().to_str().unwrap(), "--detach", "--port", &port]);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
    assert!(said.err.contains("already taken"), "{said:?}");
}
