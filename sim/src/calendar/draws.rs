//! Values of a law, drawn many at a time and given out one by one.
//!
//! Why ahead: a loop over nothing but draws keeps the generator in registers and knows the law; drawn between events
//! they cost twice as much. The values and their order are those of single draws.

use plimsoll_scenarios::distribution::Sampler;
use plimsoll_scenarios::rng::Stream;

/// Values that are drawn together.
const AHEAD: usize = 128;

/// A law with a stream that nobody else draws from.
#[derive(Debug, Clone)]
pub struct Draws {
    law: Sampler,
    stream: Stream,
    ahead: Box<[f64]>,
    /// How many of them have been given out.
    given: usize,
}

impl Draws {
    #[must_use]
    pub fn new(law: Sampler, stream: Stream) -> Self {
        Self { law, stream, ahead: vec![0.0; AHEAD].into_boxed_slice(), given: AHEAD }
    }

    #[inline]
    pub fn next(&mut self) -> f64 {
        if self.given >= AHEAD {
            self.draw_ahead();
        }
        let value = self.ahead[self.given];
        self.given += 1;
        value
    }

    #[inline(never)]
    fn draw_ahead(&mut self) {
        self.law.fill(&mut self.stream, &mut self.ahead);
        self.given = 0;
    }

    /// The next values, as [`Self::next`] would give them.
    pub fn fill(&mut self, into: &mut [f64]) {
        let left = &self.ahead[self.given..];
        let (first, rest) = into.split_at_mut(left.len().min(into.len()));
        first.copy_from_slice(&left[..first.len()]);
        self.given += first.len();
        self.law.fill(&mut self.stream, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_scenarios::distribution::Distribution;
    use plimsoll_scenarios::units::Seconds;

    #[test]
    fn values_come_in_the_order_of_single_draws() {
        for law in [
            Distribution::<Seconds>::exponential(2.0),
            Distribution::constant(3.0),
            Distribution::lognormal(1.0, 2.0),
        ] {
            let stream = Stream::new(1, "test", "draws", 0);
            let (mut draws, mut single) = (Draws::new(law.sampler(), stream.clone()), stream);
            let mut check = |got: f64| assert_eq!(got, law.sampler().draw(&mut single));
            for many in [0, 1, 3, 500, 127, 128, 129, 7] {
                for _ in 0..many {
                    check(draws.next());
                }
                let mut values = vec![0.0; many];
                draws.fill(&mut values);
                values.into_iter().for_each(&mut check);
            }
        }
    }
}
