//! Breaking the stack on purpose, and healing it again.
//!
//! Why inside: a test of what a system survives needs faults that come when told, name what they hit, and
//! end. Each break says what it did; the last one on a part wins; healing puts the part right.

mod healing;
mod kinds;
mod parts;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::bus::Bus;
use crate::cdn::Cdn;
use crate::log::Log;
use crate::web::Behind;
pub use healing::Active;
use healing::Harmed;
pub use parts::{Part, PartCache};

/// Breaks that may be there at once.
const BREAKS_MAX: usize = 1000;
/// Songs that may be published while the stack is up.
const RELEASES_MAX: u64 = 1000;
/// Unless said otherwise.
const SLOW_BY: Duration = Duration::from_millis(100);
const CUT_TO_BITS_PER_S: f64 = 1e6;
/// Longest time that anything is slowed by or broken for.
const TIME_MAX_S: f64 = 86_400.0;

/// What can be done to the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakKind {
    /// A replica dies: connections are cut, its memory is gone.
    Kill,
    /// A replica takes requests and answers none.
    Pause,
    /// A cache forgets everything.
    FlushCache,
    /// A song comes out that nobody has in a cache.
    HotRelease,
    /// All work of a tier takes longer.
    Slow,
    /// A tier sends at this many bits per second.
    CutBandwidth,
    /// The consumer of play events stops.
    StallBus,
    /// Bytes of a song change on the disk.
    Corrupt,
    /// The volume that a song is in is gone.
    Lose,
}

impl BreakKind {
    /// Every kind, by the name that commands and the admin API use, with what it is aimed at unless told.
    pub const NAMES: [(&'static str, Self, &'static str); 9] = [
        ("kill", Self::Kill, "web/0"),
        ("pause", Self::Pause, "web/0"),
        ("flush-cache", Self::FlushCache, "edge"),
        ("hot-release", Self::HotRelease, "songs"),
        ("slow", Self::Slow, "metadata-db"),
        ("cut-bandwidth", Self::CutBandwidth, "edge"),
        ("stall-bus", Self::StallBus, "events"),
        ("corrupt", Self::Corrupt, "song/1"),
        ("lose", Self::Lose, "song/1"),
    ];

    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize].0
    }

    const fn usual_target(self) -> &'static str {
        Self::NAMES[self as usize].2
    }
}

/// A wish to break something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Break {
    pub kind: BreakKind,
    /// A tier (`web`), one of its replicas (`web/1`) or a song (`song/7`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Seconds until it heals by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_s: Option<f64>,
    /// `slow`: by this much, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by_ms: Option<f64>,
    /// `cut-bandwidth`: to this much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bits_per_s: Option<f64>,
    /// `corrupt` and `lose`: copies that are hit, one unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copies: Option<usize>,
}

impl Break {
    pub const fn new(kind: BreakKind) -> Self {
        Self { kind, target: None, for_s: None, by_ms: None, bits_per_s: None, copies: None }
    }
}

/// A break that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub id: u64,
    pub kind: BreakKind,
    pub target: String,
    /// What happened, in words.
    pub what: String,
    /// The song that was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub song: Option<u64>,
    /// Whether there is something to heal.
    pub lasts: bool,
}

/// Why nothing was broken.
#[derive(Debug, thiserror::Error)]
pub enum BreakError {
    #[error("{0}")]
    Wrong(String),
    #[error("{0}")]
    Failed(String),
}

/// Everything that can be broken.
pub struct Breaker {
    pub parts: Vec<Part>,
    pub edges: Vec<Arc<Cdn>>,
    pub behind: Arc<Behind>,
    pub bus: Arc<Bus>,
    /// Songs that there are.
    pub songs: Arc<AtomicU64>,
    pub songs_at_start: u64,
    pub song_bytes: usize,
    pub seed: u64,
    pub log: Log,
    /// Held while something is broken or healed: who hears of either may rely on it.
    pub doing: Mutex<()>,
    pub active: Mutex<BTreeMap<u64, Active>>,
    pub next_id: AtomicU64,
}

impl Breaker {
    /// Breaks something. Blocks on the disk.
    ///
    /// # Errors
    /// If the wish can't be understood or met; then nothing is broken.
    pub fn break_it(self: &Arc<Self>, wish: &Break) -> Result<Done, BreakError> {
        let target = wish.target.as_deref().unwrap_or(wish.kind.usual_target());
        check_time(wish.for_s, "--for")?;
        let _doing = lock(&self.doing);
        if lock(&self.active).len() >= BREAKS_MAX {
            return Err(BreakError::Wrong(format!(
                "{BREAKS_MAX} things are broken already; heal them first"
            )));
        }
        let (what, song, harmed) = match wish.kind {
            BreakKind::Kill => self.kill(&self.parts_of(target)?),
            BreakKind::Pause => self.pause(&self.parts_of(target)?),
            BreakKind::FlushCache => self.flush(&self.parts_of(target)?)?,
            BreakKind::Slow => self.slow(&self.parts_of(target)?, wish.by_ms)?,
            BreakKind::CutBandwidth => self.cut(&self.parts_of(target)?, wish.bits_per_s)?,
            BreakKind::StallBus => {
                self.bus.stall(true);
                ("plays are logged and not counted".to_owned(), None, Some(Harmed::Bus))
            }
            BreakKind::HotRelease => self.release()?,
            BreakKind::Corrupt | BreakKind::Lose => self.harm(wish, self.song_of(target)?)?,
        };
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let done =
            Done { id, kind: wish.kind, target: target.to_owned(), what, song, lasts: harmed.is_some() };
        self.log.note("breaks", format_args!("{} {target}: {}", wish.kind.name(), done.what));
        if let Some(harmed) = harmed {
            let until = wish.for_s.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
            lock(&self.active).insert(id, Active { done: done.clone(), harmed, until });
        }
        Ok(done)
    }

    /// Brings the hottest songs into all edge caches; gives how many of them are there.
    pub async fn warm(&self, top: usize) -> usize {
        let mut warm = 0;
        for song in self.bus.top(top) {
            let path = format!("/v1/songs/{}/audio", song.song);
            for edge in &self.edges {
                warm += usize::from(edge.warm(&path).await);
            }
        }
        warm
    }
}

fn check_time(seconds: Option<f64>, option: &str) -> Result<(), BreakError> {
    match seconds {
        Some(s) if !(s.is_finite() && s > 0.0 && s <= TIME_MAX_S) => Err(BreakError::Wrong(format!(
            "{option} is more than nothing and at most a day, as in 500ms or 30s"
        ))),
        _ => Ok(()),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_under_its_own_name() {
        for (index, (name, kind, _)) in BreakKind::NAMES.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
            assert_eq!(serde_json::to_value(kind).unwrap(), name);
        }
    }

    #[test]
    fn wishes_are_read_strictly() {
        let read = |text: &str| serde_json::from_str::<Break>(text);
        let wish = read("{\"kind\":\"slow\",\"target\":\"web/1\",\"by_ms\":20,\"for_s\":1.5}").unwrap();
        assert_eq!((wish.kind, wish.by_ms, wish.for_s), (BreakKind::Slow, Some(20.0), Some(1.5)));
        for wrong in ["{}", "{\"kind\":\"melt\"}", "{\"kind\":\"slow\",\"by\":1}"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        for seconds in [0.0, -1.0, f64::NAN, 1e9] {
            assert!(check_time(Some(seconds), "--for").is_err());
        }
    }
}
