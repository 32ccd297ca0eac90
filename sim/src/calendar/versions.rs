//! Copies that lag behind writes: which reads are stale.
//!
//! Why no event brings a write to a copy: a copy's delay is known once it is drawn, and matters only to who reads. Of each
//! object the latest acknowledged write is kept, with the times at which the copies that did not acknowledge it have it.
//! A read asks its copies at random; it is stale where none of them has that write when it comes.

use hashbrown::HashMap;
use plimsoll_scenarios::distribution::Sampler;
use plimsoll_scenarios::rng::Stream;
use plimsoll_scenarios::{Replication, Scheme};

use super::frame::NONE;
use super::machine::Machine;
use super::program::Site;

/// Objects whose latest writes are kept before those that all copies have are forgotten.
const KEPT_MIN: usize = 1 << 16;

/// The copies of a tier.
#[derive(Debug)]
pub struct Versions {
    writes: u32,
    reads: u32,
    /// Every read meets the latest write.
    strict: bool,
    lag: Sampler,
    lags: Stream,
    choices: Stream,
    /// By instance and object: when each copy that did not acknowledge the latest write has it.
    latest: HashMap<u64, Box<[f64]>>,
    forget_at: usize,
    /// All copies, in an order whose first ones are those that a read asks.
    order: Vec<u32>,
}

impl Versions {
    /// `None` where copies do not lag.
    #[must_use]
    pub fn new(replication: &Replication, lags: Stream, choices: Stream) -> Option<Self> {
        let lag = replication.lag.as_ref()?.sampler();
        let Scheme::Copies { count, write, read } = replication.scheme else { return None };
        Some(Self {
            writes: write,
            reads: read,
            strict: read + write > count,
            lag,
            lags,
            choices,
            latest: HashMap::new(),
            forget_at: KEPT_MIN,
            order: (0..count).collect(),
        })
    }

    fn write(&mut self, key: u64, now: f64) {
        if self.strict {
            return;
        }
        if self.latest.len() >= self.forget_at {
            self.latest.retain(|_, there_s| there_s.iter().any(|&at| at > now));
            self.forget_at = (2 * self.latest.len()).max(KEPT_MIN);
        }
        let late = self.order.len() as u32 - self.writes;
        let there_s = (0..late).map(|_| now + self.lag.draw(&mut self.lags)).collect();
        self.latest.insert(key, there_s);
    }

    /// Whether a read is stale.
    fn read(&mut self, key: u64, now: f64) -> bool {
        let Some(there_s) = self.latest.get(&key) else { return false };
        let copies = self.order.len();
        for i in 0..self.reads as usize {
            let other = i + self.choices.below((copies - i) as u64) as usize;
            self.order.swap(i, other);
        }
        // Which copies acknowledged is a matter of chance too: let them be the first by number.
        let has = |copy: &u32| copy.checked_sub(self.writes).is_none_or(|late| there_s[late as usize] <= now);
        !self.order[..self.reads as usize].iter().any(has)
    }
}

impl Machine<'_> {
    fn version(&self, at: u32, site: &Site) -> Option<u64> {
        let object = self.frames[at].object;
        let instance = self.instance(at, site.tier) as u64;
        (object != NONE).then(|| instance << 32 | u64::from(self.key(object)))
    }

    /// A write has been acknowledged by as many copies as it takes.
    #[cold]
    pub(super) fn written(&mut self, at: u32, site: &Site) {
        let (now, key) = (self.now, self.version(at, site));
        if let (Some(key), Some(versions)) = (key, &mut self.tiers[site.tier].versions) {
            versions.write(key, now);
        }
    }

    /// A read comes to copies that lag.
    #[cold]
    pub(super) fn read_version(&mut self, at: u32, site: &Site) {
        let (now, key) = (self.now, self.version(at, site));
        let (Some(key), Some(versions)) = (key, &mut self.tiers[site.tier].versions) else { return };
        let stale = versions.read(key, now);
        let pool = self.tiers[site.tier].first_pool;
        let place = if pool == NONE { 0 } else { self.pools[pool as usize + (key >> 32) as usize].place };
        let slot = self.tally.slot();
        self.tally.beside.read((site.tier, place, slot), stale);
    }
}
