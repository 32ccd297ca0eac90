//! The programs that the services profile needs, and where Debian and its relatives put them.
//!
//! Why all at once: whoever lacks four programs wants to hear of four.

use std::path::{Path, PathBuf};

use crate::error::StackError;

/// A program: its name, the Debian package that brings it, and directories beyond the usual ones.
struct Needed {
    name: &'static str,
    package: &'static str,
}

const NEEDED: [Needed; 5] = [
    Needed { name: "initdb", package: "postgresql" },
    Needed { name: "postgres", package: "postgresql" },
    Needed { name: "redis-server", package: "redis-server" },
    Needed { name: "nats-server", package: "nats-server" },
    Needed { name: "nginx", package: "nginx-light" },
];

/// Directories that programs are in; servers are not always in a user's `PATH`.
const DIRECTORIES: [&str; 5] =
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];
/// `PostgreSQL` has a directory for each version.
const POSTGRES: &str = "/usr/lib/postgresql";

/// All programs, found.
#[derive(Debug, Clone)]
pub struct Programs(Vec<PathBuf>);

impl Programs {
    pub const INITDB: usize = 0;
    pub const POSTGRES: usize = 1;
    pub const REDIS: usize = 2;
    pub const NATS: usize = 3;
    pub const NGINX: usize = 4;

    /// Looks for all of them.
    ///
    /// # Errors
    /// [`StackError::MissingPrograms`] with those that are not there, and the packages that bring them.
    pub fn find() -> Result<Self, StackError> {
        let directories = directories();
        let at = |needed: &Needed| {
            directories.iter().map(|place| place.join(needed.name)).find(|path| path.is_file())
        };
        let found: Vec<Option<PathBuf>> = NEEDED.iter().map(at).collect();
        let missing =
            || NEEDED.iter().zip(&found).filter(|(_, path)| path.is_none()).map(|(needed, _)| needed);
        if missing().next().is_some() {
            let mut packages: Vec<&str> = missing().map(|needed| needed.package).collect();
            packages.dedup();
            return Err(StackError::MissingPrograms {
                programs: missing().map(|needed| needed.name).collect::<Vec<_>>().join(", "),
                packages: packages.join(" "),
            });
        }
        Ok(Self(found.into_iter().flatten().collect()))
    }

    /// One of them, by the constants above.
    pub fn get(&self, program: usize) -> PathBuf {
        self.0[program].clone()
    }
}

fn directories() -> Vec<PathBuf> {
    let versions = std::fs::read_dir(POSTGRES).into_iter().flatten().flatten().map(|entry| entry.path());
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<(u32, PathBuf)> =
        versions.filter_map(|path| Some((number(&path)?, path))).collect();
    // The newest first.
    versions.sort_by(|a, b| b.cmp(a));
    let mut all: Vec<PathBuf> = versions.into_iter().map(|(_, path)| path.join("bin")).collect();
    all.extend(DIRECTORIES.map(PathBuf::from));
    let path = std::env::var_os("PATH").unwrap_or_default();
    all.extend(std::env::split_paths(&path).filter(|place| place.is_absolute()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_where_servers_are_kept_or_named_with_their_packages() {
        match Programs::find() {
            Ok(programs) => {
                assert!(programs.get(Programs::NGINX).ends_with("nginx"));
                assert!(programs.get(Programs::POSTGRES).ends_with("postgres"));
            }
            Err(StackError::MissingPrograms { programs, packages }) => {
                assert!(!programs.is_empty() && !packages.is_empty());
            }
            Err(other) => panic!("{other}"),
        }
    }
}
