//! Named, counter-based random streams.
//!
//! Why named: a draw belongs to an (entity, purpose, replication), not to a thread or to the moment at
//! which it happens to be made. So a result has the same bytes for any number of threads, and two
//! what-ifs that differ in one tier see the same random numbers everywhere else.
//!
//! The generator is `SplitMix64` with a gamma of its own per stream (Steele, Lea and Flood, "Fast
//! splittable pseudorandom number generators", OOPSLA 2014, section 5): output `i` is a mix of
//! `start + i * gamma`, a pure function of the counter.

use std::convert::Infallible;

use rand::TryRng;

use crate::ziggurat::Ziggurat;

/// One random stream. Cheap to make; two streams with different names are independent.
#[derive(Debug, Clone)]
pub struct Stream {
    state: u64,
    gamma: u64,
}

pub(crate) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

pub(crate) const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// An odd number whose bit pattern is neither too regular nor too sparse (`mixGamma` of the paper).
const fn mix_gamma(mut z: u64) -> u64 {
    z = (z ^ (z >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    z = (z ^ (z >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    z = (z ^ (z >> 33)) | 1;
    if (z ^ (z >> 1)).count_ones() < 24 { z ^ 0xAAAA_AAAA_AAAA_AAAA } else { z }
}

impl Stream {
    /// The stream of this entity (a tier, a site: any text), purpose and replication under a seed.
    #[must_use]
    pub fn new(seed: u64, entity: &str, purpose: &str, replication: u64) -> Self {
        let mut key = mix(seed ^ GOLDEN);
        for part in [entity.as_bytes(), &[0xFF], purpose.as_bytes()] {
            for &byte in part {
                key = mix(key ^ u64::from(byte)).wrapping_add(GOLDEN);
            }
        }
        key = mix(key ^ mix(replication.wrapping_add(GOLDEN)));
        Self { state: key, gamma: mix_gamma(key.wrapping_add(GOLDEN)) }
    }

    /// The classic `SplitMix64` sequence of a seed, as reference traces use it.
    #[must_use]
    pub const fn splitmix(seed: u64) -> Self {
        Self { state: seed, gamma: GOLDEN }
    }

    /// The next 64 bits.
    #[inline]
    pub const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(self.gamma);
        mix(self.state)
    }

    /// Passes over one draw: the stream goes on as if it had been made.
    #[inline]
    pub const fn skip(&mut self) {
        self.state = self.state.wrapping_add(self.gamma);
    }

    /// Uniform in `[0, 1)` with 53 bits.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform over `0..n` (multiply and shift; the bias is below `n / 2^64`).
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// Exponential with mean 1; one draw, whatever comes of it.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        Ziggurat::get().at(self.bits())
    }

    /// What as many calls of [`Self::exponential`] would give, in less time.
    pub fn exponentials(&mut self, into: &mut [f64]) {
        let layers = Ziggurat::get();
        // A copy whose figures stay in registers.
        let mut stream = self.clone();
        for value in into {
            *value = layers.at(stream.bits());
        }
        *self = stream;
    }

    /// What as many calls of [`Self::exponential`] would give with a draw after each that nobody looks at.
    pub fn every_other_exponential(&mut self, into: &mut [f64]) {
        let (state, gamma) = (self.state.wrapping_sub(self.gamma), self.gamma.wrapping_mul(2));
        let mut others = Self { state, gamma };
        others.exponentials(into);
        self.state = others.state.wrapping_add(self.gamma);
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.bits() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.bits())
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for chunk in target.chunks_mut(8) {
            chunk.copy_from_slice(&self.bits().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_the_published_sequence() {
        let mut stream = Stream::splitmix(1_234_567);
        assert_eq!(stream.bits(), 6_457_827_717_110_365_317);
        assert_eq!(stream.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn a_draw_passed_over_is_one_that_nobody_looked_at() {
        let mut drawn = Stream::new(1, "test", "skip", 0);
        let mut passed = drawn.clone();
        let _ = drawn.uniform();
        passed.skip();
        assert_eq!(drawn.bits(), passed.bits());
    }

    #[test]
    fn exponentials_are_the_same_one_by_one_and_many_at_a_time() {
        let mut one = Stream::new(1, "test", "exponentials", 0);
        let mut many = one.clone();
        let mut got = vec![0.0; 10_000];
        many.exponentials(&mut got);
        assert!(got.iter().all(|&value| value == one.exponential()));
        assert_eq!(one.bits(), many.bits());
        many.every_other_exponential(&mut got);
        for value in got {
            assert_eq!(value, one.exponential());
            one.skip();
        }
        assert_eq!(one.bits(), many.bits());
        // One draw each.
        let (mut drawn, mut passed) = (one.clone(), one);
        for _ in 0..10_000 {
            drawn.exponential();
            passed.skip();
        }
        assert_eq!(drawn.bits(), passed.bits());
    }

    #[test]
    fn streams_with_other_names_differ_and_the_same_name_repeats() {
        let draw =
            |seed, entity, purpose, replication| Stream::new(seed, entity, purpose, replication).bits();
        let base = draw(1, "edge", "arrivals", 0);
        assert_eq!(base, draw(1, "edge", "arrivals", 0));
        for other in [
            draw(2, "edge", "arrivals", 0),
            draw(1, "edges", "arrivals", 0),
            draw(1, "edge", "sarrivals", 0),
            draw(1, "edgea", "rrivals", 0),
            draw(1, "edge", "arrivals", 1),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn uniforms_have_the_right_moments() {
        let mut stream = Stream::new(7, "test", "uniform", 0);
        let n = 1_000_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..n {
            let u = stream.uniform();
            sum += u;
            squares += u * u;
        }
        assert!((sum / f64::from(n) - 0.5).abs() < 0.002);
        assert!((squares / f64::from(n) - 1.0 / 3.0).abs() < 0.002);
    }
}
