//! What a listener hears of a body that arrives in pieces: when the music starts, and how often it stops.
//!
//! Why not the time of the last byte alone: a song that takes ten seconds to arrive plays perfectly if each
//! second of it came in time, and one that takes two may stutter. A player starts once its buffer holds some
//! seconds, consumes at the bitrate, stops when the buffer is empty and starts again once it is filled to the
//! same mark, or all has come (the model of the stalling literature, such as Hossfeld et al., "Quantification
//! of `YouTube` `QoE` via Crowdsourcing", ISM 2011).

use std::time::{Duration, Instant};

/// How bodies are played.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Playback {
    pub bitrate_bit_per_s: f64,
    /// Seconds of music that are buffered before it starts, and after each interruption.
    pub buffer_s: f64,
}

/// What came of a play.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Play {
    pub stalls: u32,
    /// Silence in all, the wait for the first sound not among it.
    pub rebuffer: Duration,
}

/// A player under way.
#[derive(Debug)]
pub struct Player {
    bytes_per_s: f64,
    /// Bytes that must be buffered before the music goes on.
    mark: f64,
    arrived: f64,
    /// Bytes played so far.
    played: f64,
    /// When what arrived so far was last accounted for.
    at: Option<Instant>,
    /// `None` while playing.
    silent_since: Option<Instant>,
    /// Whether there was sound yet.
    begun: bool,
    play: Play,
}

impl Player {
    pub fn new(playback: Playback) -> Self {
        let bytes_per_s = playback.bitrate_bit_per_s / 8.0;
        Self {
            bytes_per_s,
            mark: bytes_per_s * playback.buffer_s,
            arrived: 0.0,
            played: 0.0,
            at: None,
            silent_since: None,
            begun: false,
            play: Play::default(),
        }
    }

    /// More bytes are there.
    pub fn arrive(&mut self, at: Instant, bytes: usize) {
        self.advance(at);
        self.arrived += bytes as f64;
        if self.arrived - self.played >= self.mark {
            self.sound(at);
        }
    }

    /// All bytes are there: from here on nothing interrupts the music.
    pub fn end(mut self, at: Instant) -> Play {
        self.advance(at);
        self.sound(at);
        self.play
    }

    /// Plays until now, or until the buffer is empty.
    fn advance(&mut self, now: Instant) {
        let Some(before) = self.at.replace(now) else {
            self.silent_since = Some(now);
            return;
        };
        if self.silent_since.is_some() {
            return;
        }
        let left_s = (self.arrived - self.played) / self.bytes_per_s;
        let elapsed_s = now.saturating_duration_since(before).as_secs_f64();
        if elapsed_s <= left_s {
            self.played += elapsed_s * self.bytes_per_s;
            return;
        }
        self.played = self.arrived;
        self.play.stalls += 1;
        self.silent_since = Some(before + Duration::from_secs_f64(left_s));
    }

    fn sound(&mut self, at: Instant) {
        if let Some(since) = self.silent_since.take()
            && self.begun
        {
            self.play.rebuffer += at.saturating_duration_since(since);
        }
        self.begun = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays pieces of `(milliseconds, bytes)` at 1,000 bytes a second, with half a second of buffer.
    fn played(pieces: &[(u64, usize)], end_ms: u64) -> (u32, u64) {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut player = Player::new(Playback { bitrate_bit_per_s: 8_000.0, buffer_s: 0.5 });
        for (ms, bytes) in pieces {
            player.arrive(at(*ms), *bytes);
        }
        let play = player.end(at(end_ms));
        (play.stalls, u64::try_from(play.rebuffer.as_millis()).unwrap())
    }

    #[test]
    fn a_body_that_keeps_ahead_is_never_interrupted() {
        assert_eq!(played(&[(0, 500), (400, 500), (900, 500)], 900), (0, 0));
        // All at once, and slow headers before it do not count.
        assert_eq!(played(&[(5_000, 4_000)], 5_000), (0, 0));
    }

    #[test]
    fn silence_lasts_from_the_empty_buffer_until_it_is_filled_to_the_mark() {
        // 500 ms of sound, empty at 500; 300 bytes at 800 are below the mark, 200 more at 1,000 reach it.
        assert_eq!(played(&[(0, 500), (800, 300), (1_000, 200)], 1_000), (1, 500));
        // Below the mark, but all has come.
        assert_eq!(played(&[(0, 500), (800, 300)], 800), (1, 300));
        // Twice.
        assert_eq!(played(&[(0, 500), (700, 500), (1_500, 500)], 1_500), (2, 500));
    }

    #[test]
    fn a_short_body_plays_when_it_is_whole() {
        assert_eq!(played(&[(0, 10), (3_000, 10)], 3_000), (0, 0));
        assert_eq!(played(&[], 10), (0, 0));
    }
}
