//! Open files: every connection is one, and a run that finds out in its middle has measured nothing.
//!
//! Why raised here: most systems give a process 1,024 at first and let it ask for many more.

use crate::error::LoadError;

/// Files that are open anyway: the runtime's, the stack's databases, the terminal.
const OTHERS: u64 = 64;

/// Makes room for a connection of every user.
///
/// # Errors
/// [`LoadError::TooFewFiles`] where the system allows no more.
#[cfg(unix)]
pub fn room_for(users: usize) -> Result<(), LoadError> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};

    let wanted = users as u64 + OTHERS;
    // A system that does not tell has no limit that we could keep.
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(()) };
    // Both ends of a connection are ours where the stack runs in this process.
    let best = (2 * wanted).min(hard);
    if soft < best && setrlimit(Resource::RLIMIT_NOFILE, best, hard).is_ok() {
        return if best >= wanted { Ok(()) } else { Err(LoadError::TooFewFiles { limit: best, wanted }) };
    }
    if soft >= wanted { Ok(()) } else { Err(LoadError::TooFewFiles { limit: soft, wanted }) }
}

#[cfg(not(unix))]
pub fn room_for(_users: usize) -> Result<(), LoadError> {
    Ok(())
}
