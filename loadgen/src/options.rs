//! How to run the load, checked before anything is started.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::arrivals::Arrivals;
use crate::checks::Check;
use crate::error::LoadError;
use crate::player::Playback;

const SECONDS_MAX: f64 = 86_400.0;

/// How to run the load.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    pub seed: u64,
    /// Seconds before those that count.
    pub warmup_s: f64,
    /// Seconds that count.
    pub duration_s: f64,
    /// When requests are sent.
    pub arrivals: Arrivals,
    /// What answers must be beyond a success.
    pub checks: Vec<Check>,
    /// How the bodies of these actions are played by their listeners.
    pub playback: Vec<(String, Playback)>,
    /// Goose users: requests that can be under way at the same time (a closed model has its own number).
    pub users_max: usize,
    /// Requests that are due and wait for a user; one more is missed.
    pub queue_max: usize,
    /// A request that takes longer has failed, seconds.
    pub timeout_s: f64,
    /// Ends the run early when set; what was measured is kept.
    pub stop: Arc<AtomicBool>,
}

impl LoadOptions {
    /// The usual bounds: 512 users, 16,384 waiting requests, 30 s for a request.
    #[must_use]
    pub fn new(seed: u64, warmup_s: f64, duration_s: f64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        Self {
            seed,
            warmup_s,
            duration_s,
            arrivals: Arrivals::Scenario,
            checks: Vec::new(),
            playback: Vec::new(),
            users_max: 512,
            queue_max: 16_384,
            timeout_s: 30.0,
            stop,
        }
    }

    /// Whether [`crate::load`] would take these options, for programs that want to know before they start a stack.
    ///
    /// # Errors
    /// [`LoadError::BadOption`], for the first that is out of range.
    pub fn check(&self) -> Result<(), LoadError> {
        let bad = |option, value: String, expected| Err(LoadError::BadOption { option, value, expected });
        if !(self.duration_s > 0.0 && self.duration_s <= SECONDS_MAX) {
            return bad("duration", format!("{} s", self.duration_s), "more than 0 s, and at most a day");
        }
        if !(0.0..=SECONDS_MAX).contains(&self.warmup_s) {
            return bad("warm-up", format!("{} s", self.warmup_s), "0 s to a day");
        }
        if !(self.timeout_s > 0.0 && self.timeout_s <= 120.0) {
            return bad("timeout", format!("{} s", self.timeout_s), "more than 0 s, and at most 120 s");
        }
        if !(1..=8_192).contains(&self.users()) {
            return bad("users", self.users().to_string(), "1 to 8192");
        }
        if !(1..=1_048_576).contains(&self.queue_max) {
            return bad("queue", self.queue_max.to_string(), "1 to 1048576");
        }
        let sound = |p: &Playback| p.bitrate_bit_per_s > 0.0 && (0.0..=SECONDS_MAX).contains(&p.buffer_s);
        if let Some((action, playback)) = self.playback.iter().find(|(_, playback)| !sound(playback)) {
            return bad(
                "play",
                format!("{playback:?} of `{action}`"),
                "a bitrate above 0 and a buffer of 0 s or more",
            );
        }
        Ok(())
    }

    /// Goose users that the model of arrivals needs.
    pub(crate) fn users(&self) -> usize {
        self.arrivals.closed().map_or(self.users_max, |(users, _)| users)
    }

    pub(crate) fn total_s(&self) -> f64 {
        self.warmup_s + self.duration_s
    }
}
