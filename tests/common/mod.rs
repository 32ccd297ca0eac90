//! How the tests run the program: in a directory and with a `TMPDIR` of their own, never longer than a limit.
//!
//! Why files for what a child says, and not pipes: a child that is interrupted late must not wait for a
//! reader, and a test looks at what was said so far.
#![allow(dead_code, reason = "each test binary uses a part")]

pub mod shop;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// No command of a test runs longer.
pub const LIMIT: Duration = Duration::from_mins(1);

/// The program, with nothing of the user's surroundings that changes what it prints.
pub fn plimsoll() -> assert_cmd::Command {
    let mut command = assert_cmd::Command::new(PROGRAM);
    command.timeout(LIMIT).env("COLUMNS", "100").env_remove("NO_COLOR");
    command
}

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_plimsoll");

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The scenario that the whole loop plays in seconds.
pub fn small() -> PathBuf {
    repository("tests/scenarios/small.yaml")
}

/// The small scenario with texts replaced, in a file of its own.
pub fn small_with(directory: &Path, edits: &[(&str, &str)]) -> PathBuf {
    let path = directory.join("edited.yaml");
    std::fs::write(&path, edited(&std::fs::read_to_string(small()).unwrap(), edits)).unwrap();
    path
}

/// A text with others put in, each of which must be there.
pub fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "nothing to replace: {from}");
        text.replacen(from, to, 1)
    })
}

/// What a command that is through has said.
#[derive(Debug)]
pub struct Said {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// Runs a command to its end.
pub fn said(args: &[&str]) -> Said {
    let output = plimsoll().args(args).output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a command that must succeed, and gives its stdout.
pub fn out_of(args: &[&str]) -> String {
    let said = said(args);
    assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
    said.out
}

/// A command under way, in a process group and with a temporary directory of its own. Killed when dropped.
pub struct Playing {
    child: Child,
    directory: TempDir,
}

impl Playing {
    pub fn start(args: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        std::fs::create_dir(directory.path().join("tmp")).unwrap();
        let file = |name: &str| File::create(directory.path().join(name)).unwrap();
        let mut command = Command::new(PROGRAM);
        command
            .args(args)
            .env("TMPDIR", directory.path().join("tmp"))
            .env("COLUMNS", "100")
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"));
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Self { child: command.spawn().unwrap(), directory }
    }

    pub fn out(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("out")).unwrap()
    }

    pub fn err(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("err")).unwrap()
    }

    /// Waits until the command has said something that passes.
    pub fn until(&self, what: &str, passes: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !passes(self) {
            assert!(began.elapsed() < LIMIT, "no {what}: {}{}", self.out(), self.err());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a stage of the command is through.
    pub fn until_stage(&self, name: &str) {
        self.until(name, |playing| playing.err().lines().any(|line| line.starts_with(name)));
    }

    /// Ctrl-C.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let args = [format!("-{name}"), self.child.id().to_string()];
        assert!(Command::new("kill").args(args).status().unwrap().success());
    }

    /// Waits for the end, at most this long.
    pub fn end(&mut self, limit: Duration) -> ExitStatus {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < limit, "still running after {limit:?}: {}{}", self.out(), self.err());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Names of what the command has left in its temporary directory.
    pub fn left_behind(&self) -> Vec<String> {
        names(&self.directory.path().join("tmp"))
    }

    /// Whether any process of the command's group still runs.
    #[cfg(unix)]
    pub fn group_runs(&self) -> bool {
        let probe = format!("kill -0 -- -{}", self.child.id());
        Command::new("sh").args(["-c", &probe]).stderr(Stdio::null()).status().unwrap().success()
    }
}

impl Drop for Playing {
    fn drop(&mut self) {
        // Already ended: nothing to kill, and nothing to wait for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Names of the entries of a directory, in order.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The one directory in an `--out` directory: that of its only run.
pub fn only_run(out: &Path) -> PathBuf {
    let names = names(out);
    assert_eq!(names.len(), 1, "{names:?}");
    out.join(&names[0])
}

/// 0, or 1 where the machine was too busy to send in time, which a measurement says and no test can help.
pub fn code_of(measurement: &plimsoll_reports::record::Measurement) -> i32 {
    let late = |why: &String| why.contains("generator was late");
    assert!(measurement.invalid.iter().all(late), "{:?}", measurement.invalid);
    i32::from(!measurement.invalid.is_empty())
}

/// Reads a record of plimsoll.
pub fn record<T: serde::de::DeserializeOwned>(text: &str) -> T {
    plimsoll_reports::json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
