//! The services profile: every real server is killed with SIGKILL under load, and so is the process that owns them.
//!
//! What the profile does otherwise is what `behaviour` tests, for both profiles. Where a program is missing these
//! tests pass and say why they did nothing, unless `PLIMSOLL_REQUIRE_SERVICES` is set, as it is in CI.
#![cfg(all(feature = "services", target_os = "linux"))]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use common::{PATIENCE, SEED, User, at, scenario, until};
use http::StatusCode;
use plimsoll_stack::{Profile, Stack, StackError, StackOptions, song_bytes};

const SONG: usize = 20_000;
/// Where a child process writes the directory of its stack.
const TOLD: &str = "PLIMSOLL_TEST_TOLD";

/// A stack of real servers; none where there are none.
fn start() -> Option<Stack> {
    let scenario = scenario();
    match Stack::check(&scenario, Profile::Services) {
        Err(missing @ StackError::MissingPrograms { .. }) => {
            assert!(std::env::var_os("PLIMSOLL_REQUIRE_SERVICES").is_none(), "{missing}");
            eprintln!("skipped: {missing}");
            return None;
        }
        checked => checked.unwrap(),
    }
    let options = StackOptions {
        seed: SEED,
        emulate: false,
        profile: Profile::Services,
        object_server: Some(PathBuf::from(env!("CARGO_BIN_EXE_plimsoll-objects"))),
        ..StackOptions::default()
    };
    let began = Instant::now();
    let stack = Stack::start(&scenario, &options).unwrap();
    eprintln!("up after {:.1} s", began.elapsed().as_secs_f64());
    Some(stack)
}

fn directory(stack: &Stack) -> PathBuf {
    stack.running().log.parent().unwrap().to_owned()
}

/// The processes that work in a directory: their numbers, by the directory's name in it.
fn processes(directory: &Path) -> BTreeMap<u32, PathBuf> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let process = |entry: std::fs::DirEntry| {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let place = std::fs::read_link(entry.path().join("cwd")).ok()?;
        Some((number, place.strip_prefix(directory).ok()?.to_owned()))
    };
    entries.filter_map(process).collect()
}

/// Those of them that the stack has started itself, and not another of them.
fn servers(directory: &Path) -> BTreeMap<u32, PathBuf> {
    let all = processes(directory);
    let parent = |number: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let own = |number: &u32| parent(*number) == Some(std::process::id());
    all.iter().filter(|(number, _)| own(number)).map(|(number, place)| (*number, place.clone())).collect()
}

fn kill(process: u32) {
    assert!(Command::new("kill").args(["-KILL", &process.to_string()]).status().unwrap().success());
}

/// What does not work of all that passes a server: an object from the store, a search, a playlist, a play.
async fn failures(user: &User, stack: &Stack, unknown: &AtomicU64) -> Vec<String> {
    let number = unknown.fetch_add(1, Ordering::Relaxed);
    let song = user.get(at(stack, "edge"), &format!("/v1/songs/{}/audio", number % 200 + 1)).await;
    let found = user.get(at(stack, "gateway"), &format!("/v1/search?q=golden+{number}")).await;
    let list = user.send("POST", at(stack, "gateway"), "/v1/playlists", &[], "{\"name\":\"x\"}").await;
    let told = user.send("POST", at(stack, "gateway"), "/v1/events", &[], "{\"song\":5}").await;
    let answers = [(song, 200), (found, 200), (list, 201), (told, 202)];
    let failed = answers.iter().filter(|(answer, status)| answer.status.as_u16() != *status);
    failed.map(|(answer, _)| format!("{} {:?}", answer.status, answer.body)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_may_be_killed_under_load_and_no_byte_is_wrong() {
    let Some(stack) = start() else { return };
    let (place, user) = (directory(&stack), User::new(&stack));
    let (ended, unknown, rights) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let play = async |who: u64| {
        let (mut right, mut refused) = (0_u64, 0_u64);
        while !ended.load(Ordering::Relaxed) {
            let song = (who * 31 + right) % 200 + 1;
            let answer = user.get(at(&stack, "edge"), &format!("/v1/songs/{song}/audio")).await;
            if answer.status == StatusCode::OK {
                assert!(answer.body == song_bytes(SEED, song, SONG), "wrong bytes of song {song}");
                right += 1;
                rights.fetch_add(1, Ordering::Relaxed);
            } else {
                assert!([500, 502, 503, 504].contains(&answer.status.as_u16()), "{}", answer.status);
                refused += 1;
            }
        }
        (right, refused)
    };
    let killing = async {
        let all = servers(&place);
        assert!(all.len() >= 7, "nginx of two sites, shield and gateway, and four more: {all:?}");
        for (process, of) in &all {
            kill(*process);
            let killed = Instant::now();
            until("it is there again", async || {
                let now = servers(&place);
                now.len() == all.len() && !now.contains_key(process)
            })
            .await;
            loop {
                let failed = failures(&user, &stack, &unknown).await;
                if failed.is_empty() {
                    break;
                }
                assert!(killed.elapsed() < PATIENCE, "{} was killed, and still: {failed:?}", of.display());
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let works = killed.elapsed().as_secs_f64();
            let played = rights.load(Ordering::Relaxed);
            until("songs are played", async || rights.load(Ordering::Relaxed) >= played + 20).await;
            eprintln!("{}: works again after {works:.2} s", of.display());
        }
        ended.store(true, Ordering::Relaxed);
    };
    let (played, ()) = tokio::join!(futures_util::future::join_all((0..6).map(play)), killing);
    let (right, refused) = played.iter().fold((0, 0), |(a, b), (right, refused)| (a + right, b + refused));
    eprintln!("{right} songs were right, {refused} were refused");
    assert!(right > 100 && refused < right, "{right} right, {refused} refused");
    stack.stop();
    assert_eq!(processes(&place), BTreeMap::new());
    assert!(!place.exists());
}

#[test]
fn nothing_is_left_of_a_stack_whose_process_is_killed() {
    let told = tempfile::tempdir().unwrap();
    let told = told.path().join("told");
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "holds_a_stack_until_it_is_killed", "--ignored"])
        .env(TOLD, &told)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    let place = loop {
        if let Ok(text) = std::fs::read_to_string(&told)
            && let Some(place) = text.strip_suffix('\n')
        {
            break PathBuf::from(place);
        }
        if holder.try_wait().unwrap().is_some() {
            // It has said why.
            return assert!(std::env::var_os("PLIMSOLL_REQUIRE_SERVICES").is_none());
        }
        assert!(began.elapsed() < PATIENCE * 2, "the stack does not come up");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(processes(&place).len() >= 8, "{:?}", processes(&place));
    holder.kill().unwrap();
    holder.wait().unwrap();
    let killed = Instant::now();
    while !processes(&place).is_empty() || place.exists() {
        assert!(killed.elapsed() < PATIENCE, "left: {:?}", processes(&place));
        std::thread::sleep(Duration::from_millis(20));
    }
    eprintln!("nothing was left after {:.1} s", killed.elapsed().as_secs_f64());
}

#[test]
#[ignore = "the process that another test kills"]
fn holds_a_stack_until_it_is_killed() {
    let (Some(told), Some(stack)) = (std::env::var_os(TOLD), start()) else { return };
    std::fs::write(told, format!("{}\n", directory(&stack).display())).unwrap();
    std::thread::sleep(PATIENCE * 4);
}
