//! The parts of a stack, and what the text of a target names of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{BreakError, Breaker};
use crate::gate::Gate;
use crate::server::Door;
#[cfg(feature = "services")]
use crate::services::Server;
use crate::tiers;

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
    pub(super) fn kill_server(&self) {
        if let (Some(server), Ok(runtime)) = (&self.server, tokio::runtime::Handle::try_current()) {
            runtime.block_on(server.kill());
        }
    }

    /// Brings the server behind it back. Blocks.
    #[cfg(feature = "services")]
    pub(super) fn revive_server(&self) -> Result<(), String> {
        if let (Some(server), Ok(runtime)) = (&self.server, tokio::runtime::Handle::try_current()) {
            runtime.block_on(server.revive()).map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    #[cfg(not(feature = "services"))]
    #[expect(clippy::unused_self, reason = "there are no servers")]
    pub(super) const fn kill_server(&self) {}

    #[cfg(not(feature = "services"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "there are no servers")]
    pub(super) const fn revive_server(&self) -> Result<(), String> {
        Ok(())
    }
}

/// A cache that can be wiped.
pub struct PartCache {
    /// All replicas of the tier share it.
    pub shared: bool,
    pub wipe: Box<dyn Fn() + Send + Sync>,
}

/// A target, understood.
pub(super) enum Target {
    Parts(Vec<usize>),
    Song(u64),
}

impl Breaker {
    pub(super) fn target(&self, text: &str) -> Result<Target, BreakError> {
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

    pub(super) fn parts_of(&self, text: &str) -> Result<Vec<usize>, BreakError> {
        match self.target(text)? {
            Target::Parts(parts) => Ok(parts),
            Target::Song(_) => Err(BreakError::Wrong(format!("`{text}`: name a tier such as web or web/0"))),
        }
    }

    pub(super) fn song_of(&self, text: &str) -> Result<u64, BreakError> {
        match self.target(text)? {
            Target::Song(song) => Ok(song),
            Target::Parts(_) => Err(BreakError::Wrong(format!("`{text}`: name a song such as song/7"))),
        }
    }

    pub(super) fn names(&self, parts: &[usize]) -> String {
        let name = |&index: &usize| format!("{}/{}", self.parts[index].tier, self.parts[index].replica);
        parts.iter().map(name).collect::<Vec<_>>().join(", ")
    }

    /// Waits until the ports of these parts do what their doors say.
    pub(super) fn doors_follow(&self, parts: &[usize]) -> Result<(), String> {
        let mut doors = parts.iter().filter_map(|&index| self.parts[index].door.as_ref());
        if doors.all(Door::followed) {
            return Ok(());
        }
        Err(format!("the port of {} did not open or close in time; try again", self.names(parts)))
    }
}
