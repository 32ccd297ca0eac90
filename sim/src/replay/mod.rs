//! Recorded traces played through caches.
//!
//! Why streamed: a trace may be larger than memory. It is read once, batch by batch, and each batch goes
//! through all caches, which share nothing but the sizes of objects, so threads can divide them. Memory
//! follows the number of different objects. Reading takes any `Read`; who calls opens files.

mod error;
mod fit;
mod formats;
mod keys;
mod lines;
mod oracle;
mod trace;
mod unpack;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_reports::record::{MissRatioCurve, MissRatioPoint, Provenance, Replay, ReplayRow, Unit};
use plimsoll_scenarios::Policy;

pub use crate::cache::Rules;
pub use error::TraceError;
pub use formats::TraceFormat;
pub use trace::{Batch, Trace};

use self::fit::Counts;
use crate::cache::{Keeper, Sizes};
use crate::mrc::{StackDistances, log_spaced};

/// Requests read and played together.
const BATCH: usize = 1 << 16;

/// Room of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// So many objects, whatever their sizes.
    Objects(NonZeroU64),
    Bytes(NonZeroU64),
}

/// What to play a trace through.
#[derive(Debug, Clone)]
pub struct Options {
    /// Every policy is played with every capacity.
    pub policies: Vec<Policy>,
    pub capacities: Vec<Capacity>,
    /// What every cache does besides.
    pub rules: Rules,
    /// Compute the exact miss-ratio curve of LRU, too.
    pub curve: bool,
    /// Fit a popularity law, too, and check it against the exact curve of LRU.
    pub fit: bool,
    /// The result is the same for any number.
    pub threads: usize,
}

/// Plays the trace from where it is to its end, or until `stop`; the record says which. `progress` hears
/// the requests so far after each batch.
///
/// # Errors
/// At the first request that cannot be read; what was played until then is not reported, since half a
/// trace is not what was asked for.
pub fn replay(
    mut trace: Trace,
    name: &str,
    options: &Options,
    progress: &mut dyn FnMut(u64),
    stop: &AtomicBool,
) -> Result<Replay, TraceError> {
    let mut lanes: Vec<Lane> = Vec::new();
    if options.curve || options.fit {
        lanes.push(Lane::Curve(StackDistances::new()));
    }
    if options.fit {
        lanes.push(Lane::Counts(Counts::default()));
    }
    for &policy in &options.policies {
        lanes.extend(options.capacities.iter().map(|&c| Lane::cache(policy, options.rules, c)));
    }
    if options.rules.ttl_s < f64::INFINITY {
        trace.timed();
    }
    let mut batch = Batch::default();
    let mut partial = false;
    loop {
        trace.read(&mut batch, BATCH)?;
        if batch.ids.is_empty() {
            break;
        }
        play(&mut lanes, &batch, trace.sizes(), options.threads);
        progress(trace.requests());
        if stop.load(Ordering::Relaxed) {
            partial = true;
            break;
        }
    }
    Ok(record(&trace, name, options, lanes, partial))
}

/// One batch through all lanes, divided among threads.
fn play(lanes: &mut [Lane], batch: &Batch, sizes: &Arc<Vec<u64>>, threads: usize) {
    let share = lanes.len().div_ceil(threads.max(1)).max(1);
    let mut shares = lanes.chunks_mut(share);
    let mine = shares.next();
    std::thread::scope(|scope| {
        for share in shares {
            scope.spawn(move || share.iter_mut().for_each(|lane| lane.play(batch, sizes)));
        }
        mine.into_iter().flatten().for_each(|lane| lane.play(batch, sizes));
    });
}

/// What a trace is played through.
enum Lane {
    Cache { policy: Policy, capacity: Capacity, cache: Box<Keeper>, misses: u64, bytes: u64, hits: Vec<bool> },
    Curve(StackDistances),
    Counts(Counts),
}

impl Lane {
    fn cache(policy: Policy, rules: Rules, capacity: Capacity) -> Self {
        let (Capacity::Objects(budget) | Capacity::Bytes(budget)) = capacity;
        let cache = Box::new(Keeper::new(policy, rules, 0, budget.get(), Sizes::Same(1)));
        Self::Cache { policy, capacity, cache, misses: 0, bytes: 0, hits: Vec::new() }
    }

    fn play(&mut self, batch: &Batch, sizes: &Arc<Vec<u64>>) {
        match self {
            Self::Curve(distances) => batch.ids.iter().for_each(|&id| distances.request(id)),
            Self::Counts(counts) => batch.ids.iter().for_each(|&id| counts.request(id)),
            Self::Cache { capacity, cache, misses, bytes, hits, .. } => {
                let objects = sizes.len() as u32;
                let by_bytes = matches!(capacity, Capacity::Bytes(_));
                let known = if by_bytes { Sizes::Each(Arc::clone(sizes)) } else { Sizes::Same(1) };
                cache.grow(objects, known);
                cache.set_own(|| Sizes::Each(Arc::clone(sizes)));
                hits.clear();
                cache.request_at(&batch.ids, &batch.times_s, hits);
                for (&hit, &size) in hits.iter().zip(&batch.bytes) {
                    *misses += u64::from(!hit);
                    *bytes += u64::from(!hit) * size;
                }
                // Lets go of the sizes, so that the reader can add to them without a copy.
                cache.grow(objects, Sizes::Same(1));
            }
        }
    }
}

fn record(trace: &Trace, name: &str, options: &Options, lanes: Vec<Lane>, partial: bool) -> Replay {
    let requests = trace.requests();
    let share = |part: u64, whole: u64| if whole == 0 { 0.0 } else { part as f64 / whole as f64 };
    let mut rows = Vec::new();
    let (mut curve, mut counts) = (None, None);
    for lane in lanes {
        match lane {
            Lane::Curve(distances) => curve = Some(curve_of(&distances, &options.capacities)),
            Lane::Counts(counted) => counts = Some(counted),
            Lane::Cache { policy, capacity, misses, bytes, .. } => {
                let (capacity, capacity_unit) = match capacity {
                    Capacity::Objects(objects) => (objects.get(), Unit::Count),
                    Capacity::Bytes(bytes) => (bytes.get(), Unit::Bytes),
                };
                rows.push(ReplayRow {
                    policy: policy.label().to_owned(),
                    capacity,
                    capacity_unit,
                    requests,
                    misses,
                    miss_ratio: share(misses, requests),
                    bytes_missed: bytes,
                    byte_miss_ratio: share(bytes, trace.bytes()),
                });
            }
        }
    }
    let mut notes = notes(trace, options);
    let fit = counts.and_then(|counts| {
        let points = curve.iter().flat_map(|c| &c.points).filter(|p| checked(p.objects, options));
        let fit = counts.fit(&points.map(|p| (p.objects, p.misses)).collect::<Vec<_>>());
        if fit.is_none() {
            notes.push("no object is asked for twice: there is no popularity to fit".to_owned());
        }
        fit
    });
    Replay {
        provenance: Provenance {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            scenario: name.to_owned(),
            seed: 0,
            options: BTreeMap::new(),
            partial,
        },
        format: trace.format().name().to_owned(),
        requests,
        objects: trace.objects().into(),
        bytes: trace.bytes(),
        rows,
        curve: curve.filter(|_| options.curve),
        fit,
        notes,
    }
}

/// Whether a fitted law is checked at this capacity: the powers of ten, and those asked for.
fn checked(objects: u64, options: &Options) -> bool {
    let asked = options.capacities.iter().any(|c| matches!(c, Capacity::Objects(o) if o.get() == objects));
    asked || objects.checked_ilog10().is_some_and(|digits| 10_u64.pow(digits) == objects)
}

fn curve_of(distances: &StackDistances, capacities: &[Capacity]) -> MissRatioCurve {
    let mut at = log_spaced(distances.objects());
    at.extend(capacities.iter().filter_map(|c| match c {
        Capacity::Objects(objects) => Some(objects.get()),
        Capacity::Bytes(_) => None,
    }));
    at.sort_unstable();
    at.dedup();
    let requests = distances.requests().max(1) as f64;
    let points = at.iter().zip(distances.misses(&at)).map(|(&objects, misses)| MissRatioPoint {
        objects,
        misses,
        miss_ratio: misses as f64 / requests,
    });
    MissRatioCurve {
        policy: Policy::Lru.label().to_owned(),
        first_requests: distances.objects(),
        points: points.collect(),
    }
}

/// What a reader of the figures should know.
fn notes(trace: &Trace, options: &Options) -> Vec<String> {
    let mut notes = Vec::new();
    if trace.skipped() > 0 {
        notes.push(format!(
            "{} lines were passed over: other methods than GET, or answers other than 2xx and 304",
            trace.skipped()
        ));
    }
    if options.curve && options.rules != Rules::NONE {
        notes.push("the curve is that of LRU alone, without a time to live or admission".to_owned());
    }
    let by_bytes = options.capacities.iter().any(|c| matches!(c, Capacity::Bytes(_)));
    if by_bytes && trace.changed() > 0 {
        notes.push(format!(
            "{} requests had other bytes than the first for the same object; in a cache it takes those of the first",
            trace.changed()
        ));
    }
    notes
}
