//! Exponential values from 64 random bits each.
//!
//! Why of our own: a draw here is a function of the bits of one position of its stream. What is rejected, less than
//! one value in a hundred, is made up for by numbers that follow from these bits, not by the next of the stream; so the draws behind stay
//! the same, and a stream can be entered anywhere.
//!
//! Marsaglia and Tsang, "The ziggurat method for generating random variables", Journal of Statistical Software 5(8), 2000,
//! with 512 layers: half as often as with the paper's 256 a value is not sure. Layer and value come from different bits
//! (Doornik, "An improved ziggurat method", 2005).

use std::sync::LazyLock;

use crate::rng::{GOLDEN, mix};

const LAYERS: usize = 512;
/// Where the tail begins, and the area of each layer, for which the highest one closes the ziggurat.
const TAIL: f64 = 8.481_739_963_222_732;
const AREA: f64 = 1.964_785_650_440_735_8e-3;
/// Bits that say where in a layer; the others say in which.
const WITHIN: u32 = 55;

/// The layers: the lowest one first, which has the tail as well, then all others from the highest down.
#[derive(Debug)]
pub struct Ziggurat {
    /// How far within a layer all lies under the density, in steps of a layer's width over `2^WITHIN`.
    sure: [u64; LAYERS],
    /// Such a step.
    step: [f64; LAYERS],
    /// The density at the right end of a layer.
    density: [f64; LAYERS],
}

static ZIGGURAT: LazyLock<Ziggurat> = LazyLock::new(Ziggurat::new);

impl Ziggurat {
    /// The one that there is.
    #[inline]
    pub fn get() -> &'static Self {
        &ZIGGURAT
    }

    fn new() -> Self {
        let steps = (1_u64 << WITHIN) as f64;
        let mut layers = Self { sure: [0; LAYERS], step: [0.0; LAYERS], density: [0.0; LAYERS] };
        let lowest = AREA / (-TAIL).exp();
        layers.sure[0] = (TAIL / lowest * steps) as u64;
        (layers.step[0], layers.density[0]) = (lowest / steps, 1.0);
        let mut right = TAIL;
        for i in (1..LAYERS).rev() {
            let density = (-right).exp();
            (layers.step[i], layers.density[i]) = (right / steps, density);
            // The highest layer has nothing to its left that is sure.
            let next = if i == 1 { 0.0 } else { -(AREA / right + density).ln() };
            layers.sure[i] = (next / right * steps) as u64;
            right = next;
        }
        layers
    }

    /// A value with mean 1.
    #[inline]
    pub fn at(&self, bits: u64) -> f64 {
        let (layer, within) = ((bits % LAYERS as u64) as usize, bits >> (64 - WITHIN));
        if within < self.sure[layer] { within as i64 as f64 * self.step[layer] } else { self.seldom(bits) }
    }

    /// Whether a point of a layer, so far up in it, lies under the density.
    fn lies_under(&self, layer: usize, value: f64, height: f64) -> bool {
        let (low, high) = (self.density[layer], self.density[layer - 1]);
        let steps = (1_u64 << WITHIN) as f64;
        let (left, right) = (self.sure[layer] as f64 * self.step[layer], steps * self.step[layer]);
        let density = low + height * (high - low);
        // The density is convex: under its tangent at the right end all lies under it, over its chord nothing does.
        if density < low * (1.0 + (right - value)) {
            return true;
        }
        let chord = low + (high - low) * (right - value) / (right - left);
        density <= chord && density < (-value).exp()
    }

    /// The same where it is not sure that a point lies under the density.
    #[cold]
    #[inline(never)]
    fn seldom(&self, bits: u64) -> f64 {
        let (mut drawn, mut last) = (bits, bits);
        let mut next = || {
            last = mix(last.wrapping_add(GOLDEN));
            last
        };
        let mut beyond = 0.0;
        loop {
            let (layer, within) = ((drawn % LAYERS as u64) as usize, drawn >> (64 - WITHIN));
            let value = within as i64 as f64 * self.step[layer];
            if within < self.sure[layer] {
                return beyond + value;
            }
            if layer == 0 {
                // The tail, which has no memory.
                beyond += TAIL;
            } else {
                let height = (next() >> 11) as f64 / (1_u64 << 53) as f64;
                if self.lies_under(layer, value, height) {
                    return beyond + value;
                }
            }
            drawn = next();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Stream;

    #[test]
    fn layers_have_the_same_area_and_reach_to_the_top() {
        let layers = Ziggurat::new();
        let width = |i: usize| layers.step[i] * (1_u64 << WITHIN) as f64;
        for i in 2..LAYERS {
            let area = width(i) * (layers.density[i - 1] - layers.density[i]);
            assert!((area / AREA - 1.0).abs() < 1e-9, "layer {i}: {area}");
            assert!((layers.density[i] - (-width(i)).exp()).abs() < 1e-15);
        }
        let highest = width(1) * (1.0 - layers.density[1]);
        assert!((highest / AREA - 1.0).abs() < 1e-7, "{highest}");
    }

    #[test]
    fn values_are_exponential_everywhere() {
        // Bins that are as likely as each other; the last ones lie in the tail.
        const BINS: usize = 5_000;
        const DRAWS: usize = 20_000_000;
        let mut stream = Stream::new(1, "test", "ziggurat", 0);
        let mut bins = vec![0_u32; BINS];
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..DRAWS {
            let value = stream.exponential();
            sum += value;
            squares += value * value;
            bins[((-(-value).exp_m1()) * BINS as f64) as usize] += 1;
        }
        let n = DRAWS as f64;
        let each = n / BINS as f64;
        let chi: f64 = bins.iter().map(|&got| (f64::from(got) - each).powi(2) / each).sum();
        let (mean, deviation) = ((BINS - 1) as f64, (2.0 * (BINS - 1) as f64).sqrt());
        assert!((chi - mean).abs() < 3.5 * deviation, "{chi} of {mean}");
        assert!((sum / n - 1.0).abs() < 3.5 / n.sqrt(), "{}", sum / n);
        assert!((squares / n - 2.0).abs() < 3.5 * (20.0 / n).sqrt(), "{}", squares / n);
    }

    #[test]
    fn beyond_the_tail_it_is_the_same_law_again() {
        let mut stream = Stream::new(2, "test", "tail", 0);
        let beyond: Vec<f64> =
            (0..20_000_000).map(|_| stream.exponential() - TAIL).filter(|&value| value >= 0.0).collect();
        let n = beyond.len() as f64;
        let expected = 2e7 * (-TAIL).exp();
        assert!((n - expected).abs() < 3.5 * expected.sqrt(), "{n} of {expected}");
        let mean = beyond.iter().sum::<f64>() / n;
        assert!((mean - 1.0).abs() < 3.5 / n.sqrt(), "{mean}");
    }
}
