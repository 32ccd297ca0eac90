//! What is shared equally by all who are there: a server that serves all at once, a link that carries many bodies.
//!
//! Why virtual time: whoever comes or goes changes what all others get. In a time that goes on by what one of them gets
//! each has a fixed end, so that an arrival is a place in an order and not a change of everybody's (the fluid model of
//! Parekh and Gallager, "A generalized processor sharing approach to flow control", 1993).

use std::collections::BTreeSet;

/// Those who share, by when each has all it wants.
#[derive(Debug, Clone, Default)]
pub struct Shared {
    /// What everybody has got who has been there all the time: seconds of service, or bits.
    got: f64,
    last_s: f64,
    /// Ends, in what everybody has got by then, in order; they are never negative, so that their bits are in order too.
    inside: BTreeSet<(u64, u32)>,
}

impl Shared {
    pub fn len(&self) -> usize {
        self.inside.len()
    }

    /// Brings it up to now; each has got `pace` a second since the last time.
    pub fn advance(&mut self, now: f64, pace: f64) {
        if self.inside.is_empty() {
            // Nobody is there to whom it matters: small numbers keep their digits.
            self.got = 0.0;
        } else {
            self.got += (now - self.last_s) * pace;
        }
        self.last_s = now;
    }

    /// Somebody who wants so much more comes.
    pub fn join(&mut self, wanted: f64, at: u32) {
        self.inside.insert(((self.got + wanted).to_bits(), at));
    }

    /// When the first of them has all it wants, if each gets `pace` a second from now on.
    pub fn first_s(&self, now: f64, pace: f64) -> Option<f64> {
        let &(end, _) = self.inside.first()?;
        Some(now + (f64::from_bits(end) - self.got).max(0.0) / pace)
    }

    /// The first has all it wants, and goes.
    pub fn pop(&mut self) -> Option<u32> {
        let (end, at) = self.inside.pop_first()?;
        self.got = f64::from_bits(end);
        Some(at)
    }

    /// All go, as they are.
    pub fn clear(&mut self) -> impl Iterator<Item = u32> {
        std::mem::take(&mut self.inside).into_iter().map(|(_, at)| at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_wants_least_goes_first_and_all_get_the_same() {
        let mut shared = Shared::default();
        shared.advance(10.0, 1.0);
        shared.join(3.0, 7);
        // Alone for a second, then two at half the pace.
        shared.advance(11.0, 1.0);
        shared.join(1.0, 8);
        assert_eq!(shared.first_s(11.0, 0.5), Some(13.0));
        shared.advance(13.0, 0.5);
        assert_eq!((shared.pop(), shared.len()), (Some(8), 1));
        assert_eq!(shared.first_s(13.0, 1.0), Some(14.0));
        shared.advance(14.0, 1.0);
        assert_eq!((shared.pop(), shared.pop(), shared.len()), (Some(7), None, 0));
    }
}
