//! The private directory of a stack, and those that stacks left behind that were killed.
//!
//! Why a sweep: a stack removes its directory when it stops, but not when its process is killed or ends on a
//! second Ctrl-C; and a directory holds gigabytes. So it bears the process's number, and the next
//! start removes those whose process is gone. A lock on the directory tells of owners whose number means
//! nothing here, such as those in another container that shares the temporary directory.

use std::fs::File;
use std::path::Path;

use tempfile::TempDir;

/// Names go on with the process's number, a dash and random characters.
const PREFIX: &str = "plimsoll-stack-";

/// A directory that only this user can read; removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    directory: TempDir,
    /// Held as long as the directory is used.
    _lock: Option<File>,
}

impl Scratch {
    /// Makes one in `place`, and removes there what dead processes left behind.
    ///
    /// # Errors
    /// If `place` takes no new directory.
    pub fn create(place: &Path) -> std::io::Result<Self> {
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700));
        let directory = builder.tempdir_in(place)?;
        let lock = lock(directory.path());
        #[cfg(target_os = "linux")]
        sweep(place, directory.path());
        Ok(Self { directory, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Directories in `place` that belong to this user and to living processes.
pub fn alive(place: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let mut alive: Vec<_> = entries.filter(is_alive).map(|entry| entry.path()).collect();
    alive.sort();
    alive
}

#[cfg(target_os = "linux")]
fn is_alive(entry: &std::fs::DirEntry) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let Some(process) = entry.file_name().to_str().and_then(process) else { return false };
    let (Ok(found), Ok(us)) = (entry.metadata(), std::fs::metadata("/proc/self")) else { return false };
    found.is_dir() && found.uid() == us.uid() && !is_gone(process)
}

/// Elsewhere whoever holds the lock lives.
#[cfg(not(target_os = "linux"))]
fn is_alive(entry: &std::fs::DirEntry) -> bool {
    let name = entry.file_name();
    name.to_str().is_some_and(|name| name.starts_with(PREFIX)) && lock(&entry.path()).is_none()
}

/// The lock of a directory; `None` if somebody else has it, or where directories can't be locked.
fn lock(directory: &Path) -> Option<File> {
    let file = File::open(directory).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

/// Removes the directories in `place` that belong to the owner of `ours` and to no living process. What
/// can't be looked at or removed stays: a start must not fail for somebody else's remains.
#[cfg(target_os = "linux")]
fn sweep(place: &Path, ours: &Path) {
    use std::os::unix::fs::MetadataExt as _;

    let Ok(user) = ours.symlink_metadata().map(|ours| ours.uid()) else { return };
    // Without /proc every process would seem dead.
    if is_gone(std::process::id()) {
        return;
    }
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        let Some(process) = entry.file_name().to_str().and_then(process) else { continue };
        // Of the entry itself: links are not followed.
        let Ok(found) = entry.metadata() else { continue };
        if found.is_dir() && found.uid() == user && is_gone(process) {
            let directory = entry.path();
            if let Some(_lock) = lock(&directory) {
                let _ = std::fs::remove_dir_all(directory);
            }
        }
    }
}

/// The process's number in a directory's name.
#[cfg(target_os = "linux")]
fn process(name: &str) -> Option<u32> {
    let (process, random) = name.strip_prefix(PREFIX)?.split_once('-')?;
    let is_ours = !random.is_empty() && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_ours && process.bytes().all(|byte| byte.is_ascii_digit()) { process.parse().ok() } else { None }
}

#[cfg(target_os = "linux")]
fn is_gone(process: u32) -> bool {
    matches!(Path::new("/proc").join(process.to_string()).try_exists(), Ok(false))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// Above any number that Linux gives to a process.
    const DEAD: u32 = u32::MAX;

    #[test]
    fn a_directory_is_private_bears_the_process_number_and_goes_when_dropped() {
        let place = tempfile::tempdir().unwrap();
        let scratch = Scratch::create(place.path()).unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(process(path.file_name().unwrap().to_str().unwrap()), Some(std::process::id()));
        std::fs::write(path.join("file"), "").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_start_removes_what_the_dead_left_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = place.path().join(name);
            std::fs::create_dir_all(path.join("audio")).unwrap();
            std::fs::write(path.join("audio/1"), "x").unwrap();
            path
        };
        let living = Scratch::create(place.path()).unwrap();
        let dead = [make(&format!("{PREFIX}{DEAD}-aB3xyz")), make(&format!("{PREFIX}{}-q", DEAD - 1))];
        assert_eq!(alive(place.path()), [living.path()]);
        let locked = make(&format!("{PREFIX}{DEAD}-locked"));
        let held = lock(&locked).unwrap();
        let mut others = vec![living.path().to_owned(), locked.clone()];
        for name in ["1-abcdef", "abcdef", "4294967295", "4294967295-", "4294967295-a.b", "+4294967295-a"] {
            others.push(make(&format!("{PREFIX}{name}")));
        }
        others.push(make("4294967295-abcdef"));
        let (file, link) = (format!("{PREFIX}{DEAD}-file"), format!("{PREFIX}{DEAD}-link"));
        std::fs::write(place.path().join(&file), "").unwrap();
        let elsewhere = make("elsewhere");
        std::os::unix::fs::symlink(&elsewhere, place.path().join(&link)).unwrap();
        others.extend([place.path().join(file), place.path().join(link), elsewhere.join("audio/1")]);

        let _next = Scratch::create(place.path()).unwrap();
        assert!(dead.iter().all(|path| !path.exists()));
        for path in &others {
            assert!(path.exists(), "{} is gone", path.display());
        }
        drop(held);
        let _last = Scratch::create(place.path()).unwrap();
        assert!(!locked.exists());
    }
}
