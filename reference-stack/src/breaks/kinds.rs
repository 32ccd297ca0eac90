//! What each kind of break does.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::healing::Harmed;
use super::{Break, BreakError, BreakKind, Breaker, CUT_TO_BITS_PER_S, RELEASES_MAX, SLOW_BY, check_time};
use crate::audio::song_bytes;
use crate::gate::Health;
use crate::tiers;

/// What happened in words, the song that came out, and what is to be healed.
type Happened = (String, Option<u64>, Option<Harmed>);

impl Breaker {
    pub(super) fn kill(&self, parts: &[usize]) -> Happened {
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
        if let Err(late) = self.doors_follow(parts) {
            self.log.note("breaks", late);
        }
        (format!("{} died", self.names(parts)), None, Some(Harmed::Health(parts.to_vec())))
    }

    pub(super) fn pause(&self, parts: &[usize]) -> Happened {
        for &index in parts {
            self.parts[index].gate.set_health(Health::Paused);
        }
        (format!("{} answer nothing", self.names(parts)), None, Some(Harmed::Health(parts.to_vec())))
    }

    pub(super) fn flush(&self, parts: &[usize]) -> Result<Happened, BreakError> {
        let caches = parts.iter().filter_map(|&index| self.parts[index].cache.as_ref());
        if caches.map(|cache| (cache.wipe)()).count() == 0 {
            return Err(BreakError::Wrong(format!("{} has no cache", self.names(parts))));
        }
        Ok((format!("{} forgot everything", self.names(parts)), None, None))
    }

    pub(super) fn slow(&self, parts: &[usize], by_ms: Option<f64>) -> Result<Happened, BreakError> {
        check_time(by_ms.map(|ms| ms / 1e3), "--by")?;
        let by = by_ms.map_or(SLOW_BY, |ms| Duration::from_secs_f64(ms / 1e3));
        for &index in parts {
            self.parts[index].gate.slow_by(by);
        }
        let what = format!("{} take {by:?} longer", self.names(parts));
        Ok((what, None, Some(Harmed::Speed(parts.to_vec()))))
    }

    pub(super) fn cut(&self, parts: &[usize], bits_per_s: Option<f64>) -> Result<Happened, BreakError> {
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

    /// One more song; one after the other, so that numbers have no gaps.
    pub(super) fn release(&self) -> Result<Happened, BreakError> {
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

    pub(super) fn harm(&self, wish: &Break, song: u64) -> Result<Happened, BreakError> {
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
}
