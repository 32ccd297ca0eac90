//! A link that all transfers under way share equally, where none may get more than a bound.
//!
//! Why it takes no law of sizes: processor sharing is insensitive to it. With so many transfers that the bound binds all of
//! them the link is an M/M/c without a queue, beyond that an M/M/1, for a number `c = capacity / bound` that need not
//! be whole (Ben Fredj et al., "Statistical bandwidth sharing", SIGCOMM 2001; Bonald and Proutière, "Insensitive
//! bandwidth sharing in data networks", Queueing Systems 44, 2003).

use super::erlang_b;

/// A link under Poisson arrivals of transfers; bits per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharedLink {
    pub capacity: f64,
    /// Most that one transfer gets; infinite where nothing else bounds it.
    pub per_flow: f64,
    /// Bits that come in a second.
    pub load: f64,
}

impl SharedLink {
    /// Mean number of transfers under way; infinite where the link is full.
    #[must_use]
    pub fn flows(&self) -> f64 {
        let bound = self.per_flow.min(self.capacity);
        let utilisation = self.load / self.capacity;
        if utilisation >= 1.0 {
            return f64::INFINITY;
        }
        if self.load <= 0.0 {
            return 0.0;
        }
        // Up to `bounded` transfers each gets what the bound allows.
        let bounded = (self.capacity / bound).floor();
        let erlang = self.load / bound;
        let blocked = erlang_b(bounded as u64, erlang);
        let rest = 1.0 - utilisation;
        let all = 1.0 + blocked * utilisation / rest;
        let beyond = blocked * utilisation / rest * (bounded + 1.0 / rest);
        (erlang * (1.0 - blocked) + beyond) / all
    }

    /// Mean time of a transfer of this size, seconds: in proportion to the size, whatever the law of all sizes.
    #[must_use]
    pub fn time_of(&self, bits: f64) -> f64 {
        let alone = bits / self.per_flow.min(self.capacity);
        if self.load <= 0.0 { alone } else { (bits * self.flows() / self.load).max(alone) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytic::queues::{mg1_ps_response, mmc_sojourn};

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-12, "got {got}, want {want}");
    }

    #[test]
    fn without_a_bound_it_is_one_server_and_with_whole_numbers_many() {
        for load in [0.0, 10.0, 500.0, 990.0] {
            let link = SharedLink { capacity: 1000.0, per_flow: f64::INFINITY, load };
            near(link.time_of(50.0), mg1_ps_response(load / 50.0, 50.0 / 1000.0, 50.0 / 1000.0));
            let link = SharedLink { per_flow: 100.0, ..link };
            near(link.time_of(50.0), mmc_sojourn(10, load / 50.0, 0.5));
        }
        let full = SharedLink { capacity: 10.0, per_flow: 1.0, load: 10.0 };
        assert_eq!((full.flows(), full.time_of(1.0)), (f64::INFINITY, f64::INFINITY));
    }

    #[test]
    fn between_whole_numbers_it_is_what_the_states_add_up_to() {
        // Two and a half bounds: at rates 1, 2, 2.5, 2.5 .. of transfers of one bit that come at 2 a second.
        let link = SharedLink { capacity: 2.5, per_flow: 1.0, load: 2.0 };
        let (mut state, mut all, mut flows) = (1.0, 1.0, 0.0);
        for n in 1..2_000 {
            state *= 2.0 / f64::from(n).min(2.5);
            all += state;
            flows += f64::from(n) * state;
        }
        near(link.flows(), flows / all);
    }
}
