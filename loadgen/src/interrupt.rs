//! Ctrl-C, SIGTERM and SIGHUP: who listens, and what they do.
//!
//! Why here: goose registers a Ctrl-C handler of its own (through the `ctrlc` crate, replacing whatever the
//! program had), and exits the process on the second. `ctrlc` has room for one handler; registering first
//! makes goose's registration fail, which goose takes without complaint. So one flag rules all of plimsoll.
//! SIGTERM (`kill`, `docker stop`, CI) and SIGHUP (the terminal was closed) stop like Ctrl-C, so that they
//! leave nothing behind either. `nohup` is no help against that; `setsid` is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Exit code of a program that Ctrl-C ended: 128 and the number of the signal. The others end it with the same
/// one, for it says what happened, and the handler is not told which signal came.
const INTERRUPTED: i32 = 130;

/// A flag that Ctrl-C sets, as do SIGTERM and SIGHUP; a second of them ends the process at once with code 130.
///
/// The handler is installed on the first call and stays for the life of the process, in place of any other
/// handler except one that the program has itself installed through the `ctrlc` crate. [`crate::load`]
/// calls this, so a program that wants Ctrl-C for other stages as well should use this same flag.
#[must_use]
pub fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = STOP.get_or_init(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        // An error means that the program's own `ctrlc` handler is there already: then that one rules.
        let _ = ctrlc::set_handler(move || {
            if seen.swap(true, Ordering::Relaxed) {
                std::process::exit(INTERRUPTED);
            }
        });
        stop
    });
    Arc::clone(stop)
}
