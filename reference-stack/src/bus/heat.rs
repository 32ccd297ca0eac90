//! Plays per minute of every song, over the last minute and since the beginning.

use std::collections::{HashMap, VecDeque};

use serde::Serialize;

/// The window, and the slices in which it moves.
pub const WINDOW_MS: u64 = 60_000;
const SLICE_MS: u64 = 5_000;

/// A song that was played in the window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeatSong {
    pub song: u64,
    /// Since the beginning.
    pub plays: u64,
    pub plays_per_minute: f64,
}

/// Counts of plays.
#[derive(Debug, Default)]
pub struct Heat {
    totals: HashMap<u64, u64>,
    /// Slices of the window that hold plays, oldest first: number of the slice, plays by song.
    slices: VecDeque<(u64, HashMap<u64, u64>)>,
}

impl Heat {
    pub fn with_totals(totals: HashMap<u64, u64>) -> Self {
        Self { totals, slices: VecDeque::new() }
    }

    /// Counts a play.
    pub fn play(&mut self, song: u64, at_ms: u64, now_ms: u64) {
        *self.totals.entry(song).or_default() += 1;
        self.warm(song, at_ms, now_ms);
    }

    /// Counts a play that is in the totals already.
    pub fn warm(&mut self, song: u64, at_ms: u64, now_ms: u64) {
        self.forget(now_ms);
        // A clock may have been set back: what seems to come from the future happens now.
        let slice = at_ms.min(now_ms) / SLICE_MS;
        if slice < first_slice(now_ms) {
            return;
        }
        let place = self.slices.partition_point(|(known, _)| *known < slice);
        if self.slices.get(place).is_none_or(|(known, _)| *known != slice) {
            self.slices.insert(place, (slice, HashMap::new()));
        }
        *self.slices[place].1.entry(song).or_default() += 1;
    }

    /// The songs played most in the window; ties go to the one played more before, then to the lower number.
    pub fn top(&mut self, count: usize, now_ms: u64) -> Vec<HeatSong> {
        self.forget(now_ms);
        let mut window: HashMap<u64, u64> = HashMap::new();
        for (song, plays) in self.slices.iter().flat_map(|(_, plays)| plays) {
            *window.entry(*song).or_default() += plays;
        }
        let minutes = WINDOW_MS as f64 / 60_000.0;
        let total = |song| self.totals.get(song).copied().unwrap_or(0);
        let mut songs: Vec<(u64, u64, u64)> =
            window.iter().map(|(song, plays)| (*plays, total(song), *song)).collect();
        songs.sort_unstable_by_key(|&(plays, total, song)| (std::cmp::Reverse((plays, total)), song));
        songs.truncate(count);
        let heat =
            |(plays, total, song)| HeatSong { song, plays: total, plays_per_minute: plays as f64 / minutes };
        songs.into_iter().map(heat).collect()
    }

    fn forget(&mut self, now_ms: u64) {
        let first = first_slice(now_ms);
        while self.slices.front().is_some_and(|(slice, _)| *slice < first) {
            self.slices.pop_front();
        }
    }
}

const fn first_slice(now_ms: u64) -> u64 {
    now_ms.saturating_sub(WINDOW_MS) / SLICE_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_moves_on_and_totals_stay() {
        let mut heat = Heat::default();
        let then = 1_000_000;
        for (song, at_ms) in [(7, 0), (7, 0), (9, 30_000), (9, 30_000), (9, 30_000), (4, 59_000), (7, 59_000)]
        {
            heat.play(song, then + at_ms, then + at_ms);
        }
        let songs = |heat: &mut Heat, now| {
            heat.top(10, now).into_iter().map(|s| (s.song, s.plays, s.plays_per_minute)).collect::<Vec<_>>()
        };
        assert_eq!(songs(&mut heat, then + 59_500), [(7, 3, 3.0), (9, 3, 3.0), (4, 1, 1.0)]);
        assert_eq!(songs(&mut heat, then + 70_000), [(9, 3, 3.0), (7, 3, 1.0), (4, 1, 1.0)]);
        assert_eq!(songs(&mut heat, then + 200_000), []);
        assert_eq!(heat.top(1, then + 59_500), [], "what is forgotten does not come back");
        heat.play(4, then + 900_000, then + 200_000);
        assert_eq!(songs(&mut heat, then + 200_000), [(4, 2, 1.0)], "from the future means now");
        assert_eq!(heat.top(0, then + 200_000), []);
    }
}
