//! Putting right what was broken.
//!
//! Why one at a time: what breaks heals by itself too, while somebody asks for it. Both hear of it when it is done.

use std::time::{Duration, Instant};

use super::{BreakError, Breaker, Done, lock};
use crate::audio::song_bytes;
use crate::gate::Health;
use crate::server::Door;
use crate::tiers;

/// What can't be healed is tried again after this time.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// A break that lasts.
#[derive(Debug, Clone)]
pub struct Active {
    pub done: Done,
    pub harmed: Harmed,
    /// When it heals by itself.
    pub until: Option<Instant>,
}

/// What healing has to put right.
#[derive(Debug, Clone)]
pub enum Harmed {
    Health(Vec<usize>),
    Speed(Vec<usize>),
    Links(Vec<usize>),
    Bus,
    Songs(std::ops::Range<u64>),
}

impl Breaker {
    /// Heals one break, or all. Returns once they are healed, whoever does it. Blocks on the disk.
    ///
    /// # Errors
    /// If there is no such break, or the disk refuses; what could not be healed stays broken.
    pub fn heal(&self, id: Option<u64>) -> Result<Vec<Done>, BreakError> {
        let _doing = lock(&self.doing);
        let wanted: Vec<(u64, Active)> = {
            let active = lock(&self.active);
            let wanted = active.iter().filter(|(at, _)| id.is_none_or(|id| id == **at));
            wanted.map(|(at, active)| (*at, active.clone())).collect()
        };
        if let (Some(id), true) = (id, wanted.is_empty()) {
            return Err(BreakError::Wrong(format!("nothing is broken under the number {id}")));
        }
        let (mut healed, mut refused) = (Vec::with_capacity(wanted.len()), None);
        for (at, Active { done, harmed, .. }) in wanted {
            match self.put_right(&harmed) {
                Ok(()) => {
                    lock(&self.active).remove(&at);
                    self.log.note("breaks", format_args!("{} {} is healed", done.kind.name(), done.target));
                    healed.push(done);
                }
                Err(cause) => refused = Some(cause),
            }
        }
        refused.map_or(Ok(healed), |cause| Err(BreakError::Failed(cause)))
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
            // Somebody else may have healed it meanwhile.
            if let Err(BreakError::Failed(cause)) = self.heal(Some(id)) {
                self.log.note("breaks", format_args!("{id} can't be healed yet: {cause}"));
                if let Some(active) = lock(&self.active).get_mut(&id) {
                    active.until = Some(Instant::now() + TRY_AGAIN);
                }
            }
        }
    }

    /// What is broken.
    pub fn active(&self) -> Vec<Done> {
        lock(&self.active).values().map(|active| active.done.clone()).collect()
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
                    // Fetches that were under way when it died have ended since.
                    let own = part.cache.as_ref().filter(|cache| !cache.shared && !part.gate.is_up());
                    if let Some(cache) = own {
                        (cache.wipe)();
                    }
                    if part.tier == tiers::EVENTS {
                        self.bus.start().map_err(|error| error.to_string())?;
                    }
                    part.gate.set_health(Health::Up);
                    part.door.iter().for_each(Door::open);
                }
                self.doors_follow(parts)?;
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
}
