//! Breaking the stack on purpose, and healing it again.
//!
//! Why inside: a test of what a system survives needs faults that come when told, name what they hit, and
//! end. Each break says what it did; the last one on a part wins; healing puts the part right.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::audio::song_bytes;
use crate::bus::Bus;
use crate::cdn::Cdn;
use crate::gate::{Gate, Health};
use crate::log::Log;
use crate::server::Door;
#[cfg(feature = "services")]
use crate::services::Server;
use crate::tiers;
use crate::web::Behind;

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

/// One instance of a tier.
pub struct Part {
    pub tier: &'static str,
    pub replica: usize,
    pub gate: Arc<Gate>,
    /// Its port, or the one that it shares with the other replicas of the tier.
    pub door: Option<Door>,
    pub cache: Option<PartCache>,
    /// The server behind it, its own or the one that it shares with the other replicas of the tier.
    #[cfg(feature = "services")]
    pub server: Option<Arc<Server>>,
}

impl Part {
    /// Whether the server behind it answers.
    #[cfg(feature = "services")]
    pub fn server_answers(&self) -> bool {
        self.server.as_ref().is_none_or(|server| server.is_ready())
    }

    #[cfg(not(feature = "services"))]
    #[expect(clippy::unused_self, reason = "there are no servers")]
    pub const fn server_answers(&self) -> bool {
        true
    }

    /// Kills the server behind it, all of a sudden. Blocks.
    #[cfg(feature = "services")]
    fn kill_server(&self) {
        if let (Some(server), Ok(runtime)) = (&self.server, tokio::runtime::Handle::try_current()) {
            runtime.block_on(server.kill());
        }
    }

    /// Brings the server behind it back. Blocks.
    #[cfg(feature = "services")]
    fn revive_server(&self) -> Result<(), String> {
        if let (Some(server), Ok(runtime)) = (&self.server, tokio::runtime::Handle::try_current()) {
            runtime.block_on(server.revive()).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    #[cfg(not(feature = "services"))]
    #[expect(clippy::unused_self, reason = "there are no servers")]
    const fn kill_server(&self) {}

    #[cfg(not(feature = "services"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "there are no servers")]
    const fn revive_server(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A cache that can be wiped.
pub struct PartCache {
    /// All replicas of the tier share it.
    pub shared: bool,
    pub wipe: Box<dyn Fn() + Send + Sync>,
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
    pub active: Mutex<BTreeMap<u64, Active>>,
    pub next_id: AtomicU64,
}

/// A break that lasts.
pub struct Active {
    done: Done,
    harmed: Harmed,
    until: Option<Instant>,
}

/// What healing has to put right.
#[derive(Debug, Clone)]
enum Harmed {
    Health(Vec<usize>),
    Speed(Vec<usize>),
    Links(Vec<usize>),
    Bus,
    Songs(std::ops::Range<u64>),
}

/// A target, understood.
enum Target {
    Parts(Vec<usize>),
    Song(u64),
}

impl Breaker {
    /// Breaks something. Blocks on the disk.
    ///
    /// # Errors
    /// If the wish can't be understood or met; then nothing is broken.
    pub fn break_it(self: &Arc<Self>, wish: &Break) -> Result<Done, BreakError> {
        let target = wish.target.as_deref().unwrap_or(wish.kind.usual_target());
        check_time(wish.for_s, "--for")?;
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

    /// Heals one break, or all. Blocks on the disk.
    ///
    /// # Errors
    /// If there is no such break, or the disk refuses.
    pub fn heal(&self, id: Option<u64>) -> Result<Vec<Done>, BreakError> {
        let healed: Vec<Active> = {
            let mut active = lock(&self.active);
            match id {
                None => std::mem::take(&mut *active).into_values().collect(),
                Some(id) => active.remove(&id).into_iter().collect(),
            }
        };
        if let (Some(id), true) = (id, healed.is_empty()) {
            return Err(BreakError::Wrong(format!("nothing is broken under the number {id}")));
        }
        for Active { done, harmed, .. } in &healed {
            self.put_right(harmed).map_err(BreakError::Failed)?;
            self.log.note("breaks", format_args!("{} {} is healed", done.kind.name(), done.target));
        }
        Ok(healed.into_iter().map(|active| active.done).collect())
    }

    /// Heals what has been broken for long enough. Blocks on the disk.
    pub fn heal_what_is_due(&self) {
        let now = Instant::now();
        let due: Vec<u64> = {
            let active = lock(&self.active);
            let is_due = |active: &Active| active.until.is_some_and(|until| until <= now);
            active.iter().filter(|(_, active)| is_due(active)).map(|(id, _)| *id).collect()
        };
        for id in due {
            // Somebody else may have healed it meanwhile; what the disk refuses is in the log.
            if let Err(error) = self.heal(Some(id)) {
                self.log.note("breaks", format_args!("{id} can't be healed: {error}"));
            }
        }
    }

    /// What is broken.
    pub fn active(&self) -> Vec<Done> {
        lock(&self.active).values().map(|active| active.done.clone()).collect()
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

    fn target(&self, text: &str) -> Result<Target, BreakError> {
        let (name, number) = match text.split_once('/') {
            Some((name, number)) => (name, Some(number)),
            None => (text, None),
        };
        let number = number.map(str::parse::<u64>).transpose().map_err(|_| {
            BreakError::Wrong(format!("`{text}`: after the slash comes a number, as in web/0 or song/7"))
        })?;
        if name == "song" {
            let songs = self.songs.load(Ordering::Relaxed);
            return match number {
                Some(song) if (1..=songs).contains(&song) => Ok(Target::Song(song)),
                _ => Err(BreakError::Wrong(format!("`{text}`: songs count from song/1 to song/{songs}"))),
            };
        }
        let matches = |part: &Part| part.tier == name && number.is_none_or(|n| n == part.replica as u64);
        let parts: Vec<usize> = (0..self.parts.len()).filter(|&i| matches(&self.parts[i])).collect();
        if parts.is_empty() {
            let replicas = self.parts.iter().filter(|part| part.tier == name).count();
            return Err(BreakError::Wrong(if replicas > 0 {
                format!("`{text}`: {name} has the replicas {name}/0 to {name}/{}", replicas - 1)
            } else {
                format!("`{text}` is no part of the stack; tiers are {}", tiers::ALL.join(", "))
            }));
        }
        Ok(Target::Parts(parts))
    }

    fn parts_of(&self, text: &str) -> Result<Vec<usize>, BreakError> {
        match self.target(text)? {
            Target::Parts(parts) => Ok(parts),
            Target::Song(_) => Err(BreakError::Wrong(format!("`{text}`: name a tier such as web or web/0"))),
        }
    }

    fn song_of(&self, text: &str) -> Result<u64, BreakError> {
        match self.target(text)? {
            Target::Song(song) => Ok(song),
            Target::Parts(_) => Err(BreakError::Wrong(format!("`{text}`: name a song such as song/7"))),
        }
    }

    fn kill(&self, parts: &[usize]) -> (String, Option<u64>, Option<Harmed>) {
        for &index in parts {
            let part = &self.parts[index];
            let mut others =
                self.parts.iter().enumerate().filter(|&(at, other)| at != index && other.tier == part.tier);
            let all_down = !others.any(|(_, other)| other.gate.is_up());
            // A port of one's own goes with the process, a shared one with the last of them. Before the gate, so
            // that nobody hears from a dead process that it is dead.
            let own_port = [tiers::EDGE, tiers::WEB].contains(&part.tier);
            if let Some(door) = part.door.as_ref().filter(|_| own_port || all_down) {
                door.shut();
            }
            part.gate.set_health(Health::Down);
            if let Some(cache) = part.cache.as_ref().filter(|cache| !cache.shared || all_down) {
                (cache.wipe)();
            }
            if part.tier == tiers::EVENTS && all_down {
                self.bus.crash();
            }
            if all_down || part.tier == tiers::EDGE {
                part.kill_server();
            }
        }
        (format!("{} died", self.names(parts)), None, Some(Harmed::Health(parts.to_vec())))
    }

    fn pause(&self, parts: &[usize]) -> (String, Option<u64>, Option<Harmed>) {
        for &index in parts {
            self.parts[index].gate.set_health(Health::Paused);
        }
        (format!("{} answer nothing", self.names(parts)), None, Some(Harmed::Health(parts.to_vec())))
    }

    fn flush(&self, parts: &[usize]) -> Result<(String, Option<u64>, Option<Harmed>), BreakError> {
        let caches = parts.iter().filter_map(|&index| self.parts[index].cache.as_ref());
        if caches.map(|cache| (cache.wipe)()).count() == 0 {
            return Err(BreakError::Wrong(format!("{} has no cache", self.names(parts))));
        }
        Ok((format!("{} forgot everything", self.names(parts)), None, None))
    }

    fn slow(
        &self,
        parts: &[usize],
        by_ms: Option<f64>,
    ) -> Result<(String, Option<u64>, Option<Harmed>), BreakError> {
        check_time(by_ms.map(|ms| ms / 1e3), "--by")?;
        let by = by_ms.map_or(SLOW_BY, |ms| Duration::from_secs_f64(ms / 1e3));
        for &index in parts {
            self.parts[index].gate.slow_by(by);
        }
        let what = format!("{} take {by:?} longer", self.names(parts));
        Ok((what, None, Some(Harmed::Speed(parts.to_vec()))))
    }

    fn cut(
        &self,
        parts: &[usize],
        bits_per_s: Option<f64>,
    ) -> Result<(String, Option<u64>, Option<Harmed>), BreakError> {
        let bits_per_s = bits_per_s.unwrap_or(CUT_TO_BITS_PER_S);
        if !bits_per_s.is_finite() || bits_per_s < 8.0 {
            return Err(BreakError::Wrong("a bandwidth is 8 bit/s or more".to_owned()));
        }
        for &index in parts {
            self.parts[index].gate.link.cut(bits_per_s);
        }
        let what = format!("{} send {bits_per_s} bit/s each", self.names(parts));
        Ok((what, None, Some(Harmed::Links(parts.to_vec()))))
    }

    fn release(&self) -> Result<(String, Option<u64>, Option<Harmed>), BreakError> {
        // One after the other, so that numbers have no gaps.
        let _guard = lock(&self.active);
        let song = self.songs.load(Ordering::Relaxed) + 1;
        if song > self.songs_at_start + RELEASES_MAX {
            return Err(BreakError::Wrong(format!("{RELEASES_MAX} songs have been released already")));
        }
        let bytes = song_bytes(self.seed, song, self.song_bytes);
        self.behind.audio.publish(song, &bytes).map_err(|error| BreakError::Failed(error.to_string()))?;
        self.behind.metadata.publish(song).map_err(BreakError::Failed)?;
        self.songs.store(song, Ordering::Relaxed);
        Ok((format!("song {song} is out"), Some(song), None))
    }

    fn harm(&self, wish: &Break, song: u64) -> Result<(String, Option<u64>, Option<Harmed>), BreakError> {
        let copies = self.behind.audio.copies();
        let count = wish.copies.unwrap_or(1);
        if count == 0 || count > copies.len() {
            return Err(BreakError::Wrong(format!("there are {} copies of each song", copies.len())));
        }
        // Those that a reader would look at first.
        for copy in (0..count).map(|step| &copies[(song as usize + step) % copies.len()]) {
            let done = if wish.kind == BreakKind::Lose { copy.lose(song) } else { copy.corrupt(song) };
            done.map_err(|error| BreakError::Failed(error.to_string()))?;
        }
        let songs = if wish.kind == BreakKind::Lose { copies[0].neighbours(song) } else { song..song + 1 };
        let what = match wish.kind {
            BreakKind::Lose => {
                format!("songs {} to {} are gone from {count} copies", songs.start, songs.end - 1)
            }
            _ => format!("song {song} is wrong in {count} copies"),
        };
        Ok((what, None, Some(Harmed::Songs(songs))))
    }

    fn put_right(&self, harmed: &Harmed) -> Result<(), String> {
        match harmed {
            Harmed::Bus => self.bus.stall(false),
            Harmed::Speed(parts) => {
                for &index in parts {
                    self.parts[index].gate.slow_by(Duration::ZERO);
                }
            }
            Harmed::Links(parts) => {
                for &index in parts {
                    self.parts[index].gate.link.restore();
                }
            }
            Harmed::Health(parts) => {
                for part in parts.iter().map(|&index| &self.parts[index]) {
                    part.revive_server()?;
                    if part.tier == tiers::EVENTS {
                        self.bus.start().map_err(|error| error.to_string())?;
                    }
                    part.gate.set_health(Health::Up);
                    part.door.iter().for_each(Door::open);
                }
            }
            Harmed::Songs(songs) => {
                for song in songs.clone() {
                    let bytes = song_bytes(self.seed, song, self.song_bytes);
                    for copy in self.behind.audio.copies() {
                        copy.write(song, &bytes).map_err(|error| error.to_string())?;
                    }
                }
            }
        }
        Ok(())
    }

    fn names(&self, parts: &[usize]) -> String {
        let name = |&index: &usize| format!("{}/{}", self.parts[index].tier, self.parts[index].replica);
        parts.iter().map(name).collect::<Vec<_>>().join(", ")
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
