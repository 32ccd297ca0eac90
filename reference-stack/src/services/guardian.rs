//! Who ends the servers when this process can't any more.
//!
//! Why a process of its own: whoever is killed with SIGKILL cleans nothing up, and servers that outlive their stack
//! hold ports, memory and disk for ever. A guardian reads a pipe whose other end only this process has. The kernel
//! closes it however the process ends; the guardian then ends every process group that it was told of, and removes
//! the private directory. A server is not executed before the guardian knows of it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines that it reads: `+ GROUP SIGNAL` and `- GROUP`. The first argument is the directory.
const SCRIPT: &str = r#"
trap '' HUP INT QUIT TERM
groups=
while read -r sign group signal; do
  case $sign in
    +) groups="$groups $group:$signal" ;;
    -) rest=
       for one in $groups; do
         case $one in "$group":*) ;; *) rest="$rest $one" ;; esac
       done
       groups=$rest ;;
  esac
done
for one in $groups; do kill -s "${one#*:}" -- "-${one%%:*}"; done
[ -z "$groups" ] || sleep 1
for one in $groups; do kill -s KILL -- "-${one%%:*}"; done
rm -rf -- "$1"
"#;

/// It has this long to end once there is nothing left to guard.
const END_MAX: Duration = Duration::from_secs(3);

/// A handle to the guardian; it ends with this, or with this process.
#[derive(Debug)]
pub struct Guardian(Mutex<State>);

#[derive(Debug)]
struct State {
    process: Child,
    /// None once it was told to end.
    pipe: Option<ChildStdin>,
}

impl Guardian {
    /// Starts one that removes `directory` at the end.
    ///
    /// # Errors
    /// If there is no shell, or no process to be had.
    pub fn start(directory: &Path) -> std::io::Result<Self> {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(SCRIPT).arg("plimsoll-guardian").arg(directory);
        command.current_dir("/").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Ctrl-C in this terminal is not meant for it.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut process = command.spawn()?;
        let pipe = process.stdin.take();
        Ok(Self(Mutex::new(State { process, pipe })))
    }

    /// From now on this process group is ended, with this signal first, if our process ends without doing so.
    ///
    /// # Errors
    /// If the guardian is gone.
    pub fn guard(&self, group: u32, signal: &str) -> std::io::Result<()> {
        self.tell(&format!("+ {group} {signal}\n"))
    }

    /// The process group has ended.
    pub fn forget(&self, group: u32) {
        // A guardian that is gone needs not forget.
        let _ = self.tell(&format!("- {group}\n"));
    }

    fn tell(&self, line: &str) -> std::io::Result<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pipe = state.pipe.as_mut().ok_or(std::io::ErrorKind::BrokenPipe)?;
        pipe.write_all(line.as_bytes())
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        let state = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(state.pipe.take());
        let began = Instant::now();
        while matches!(state.process.try_wait(), Ok(None)) {
            if began.elapsed() > END_MAX {
                // It is stuck on the disk; what it would remove, the next start does.
                let _ = state.process.kill();
                let _ = state.process.wait();
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt as _;

    use super::*;

    fn sleeper() -> Child {
        let mut command = Command::new("sleep");
        command.arg("60").process_group(0);
        command.spawn().unwrap()
    }

    fn has_ended(process: &mut Child) -> bool {
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline {
            if process.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    #[test]
    fn groups_that_are_guarded_end_with_the_pipe_and_forgotten_ones_do_not() {
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("a 'b'");
        std::fs::create_dir_all(directory.join("c")).unwrap();
        let guardian = Guardian::start(&directory).unwrap();
        let (mut guarded, mut stubborn, mut forgotten) = (sleeper(), sleeper(), sleeper());
        guardian.guard(guarded.id(), "TERM").unwrap();
        // A signal that it survives: only the second one ends it.
        guardian.guard(stubborn.id(), "CONT").unwrap();
        guardian.guard(forgotten.id(), "TERM").unwrap();
        guardian.forget(forgotten.id());
        // As the kernel does when the process is killed.
        drop(guardian);
        assert!(has_ended(&mut guarded) && has_ended(&mut stubborn));
        assert!(!directory.exists() && place.path().exists());
        assert!(forgotten.try_wait().unwrap().is_none());
        forgotten.kill().unwrap();
        forgotten.wait().unwrap();
    }
}
