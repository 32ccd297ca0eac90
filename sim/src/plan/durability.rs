//! What copies are worth: probabilities of losing an object in a year, and what repairs and quorums cost.
//!
//! Why three causes side by side: independent failures give absurd nines, and what really takes data is a zone or
//! an operator. Rates are assumptions, said where they are used.

use plimsoll_reports::plan::StorageCheck;
use plimsoll_scenarios::{Scenario, Scheme, TierId};

use super::evaluate::Sizing;
use crate::analytic::reliability::{
    Repair, Units, annual_loss, loss_probability, mttdl_hours, random_copysets, repair_bandwidth,
    repair_hours,
};
use crate::analytic::replication::Quorum;

/// Hours between failures of one server's disks: 4 % of them fail in a year.
const MTTF_HOURS: f64 = 8_760.0 / 0.04;
/// Bytes a second of each server that helps in a repair.
const REPAIR_BYTES_PER_S: f64 = 50e6;
/// Bytes on each server of a store that is somebody else's.
const PROVIDER_BYTES: f64 = 10e12;
/// Hours before a repair begins.
const DETECT_HOURS: f64 = 1.0;
/// Probability that a zone is lost for good in a year, and that an operator deletes what must be kept.
const ZONE_LOSS: f64 = 1e-6;
const OPERATOR_LOSS: f64 = 1e-5;
/// Bytes of a piece that is placed as one: where it lies decides what is lost together.
const PIECE_BYTES: f64 = 1e9;

/// The rates that figures of durability rest on, in words.
pub const ASSUMED: &str = "durability: 4 % of disks fail in a year, a repair begins after an hour with 50 MB/s of every \
                           other server, a provider's server holds 10 TB, a zone is lost for good once in a million years, an operator errs once in 100,000";

/// Probability that an object of a dataset is lost in a year: failures independent, and zones.
#[must_use]
pub fn of_dataset(scenario: &Scenario, sizing: &Sizing, dataset: usize) -> f64 {
    let Some(tier) = scenario.datasets[dataset].stored_in else { return 1.0 };
    let kept = check(scenario, sizing, tier);
    1.0 - (1.0 - kept.independent_loss) * (1.0 - kept.zone_loss)
}

/// All that is kept somewhere, with what protects it.
#[must_use]
pub fn checks(scenario: &Scenario, sizing: &Sizing) -> Vec<StorageCheck> {
    let keeps = |t: &TierId| scenario.datasets.values().any(|d| d.stored_in == Some(*t));
    (0..scenario.tiers.len()).filter(keeps).map(|t| check(scenario, sizing, t)).collect()
}

fn check(scenario: &Scenario, sizing: &Sizing, tier: TierId) -> StorageCheck {
    let here = &scenario.tiers[tier];
    let load = &sizing.loads[tier];
    let (pieces, needed) = here.replication.pieces();
    let servers = match &sizing.tiers[tier] {
        Some(sized) if here.external.is_none() => sized.deployed(load).max(1),
        _ => (load.stored / PROVIDER_BYTES).ceil().max(f64::from(pieces)) as u64,
    };
    let (scheme, units, read) = match here.replication.scheme {
        Scheme::Copies { count, .. } => (format!("{count} copies"), Units::replicas(u64::from(count)), 1.0),
        Scheme::Erasure { data, parity } => (
            format!("{data} pieces and {parity} more"),
            Units { total: u64::from(data + parity), tolerated: u64::from(parity) },
            f64::from(data),
        ),
    };
    let each = load.stored / servers as f64;
    let helpers = servers.saturating_sub(1).max(1);
    let hours = DETECT_HOURS + repair_hours(each, REPAIR_BYTES_PER_S, helpers, read);
    let mttdl = mttdl_hours(units, MTTF_HOURS, hours, Repair::Parallel);
    let zones = u64::from(here.zones.max(1));
    let in_zone = u64::from(pieces).div_ceil(zones);
    let loss = annual_loss(units, mttdl, zones, in_zone, ZONE_LOSS, OPERATOR_LOSS);
    let failed = (servers / 100).max(1).max(u64::from(pieces - needed) + 1).min(servers);
    let placed = random_copysets(servers, u64::from(pieces - needed) + 1, load.stored / PIECE_BYTES);
    let quorum = match here.replication.scheme {
        Scheme::Copies { count, write, read } => {
            Quorum { copies: u64::from(count), writes: u64::from(write), reads: u64::from(read) }.stale_read()
        }
        Scheme::Erasure { .. } => 0.0,
    };
    StorageCheck {
        tier: scenario.tier_name(tier).to_owned(),
        scheme,
        independent_loss: loss.independent,
        zone_loss: loss.zone,
        operator_loss: loss.operator,
        copyset_loss: loss_probability(servers, u64::from(pieces - needed) + 1, failed, placed),
        repair_hours: hours,
        repair_bytes_per_s: repair_bandwidth(servers, each, MTTF_HOURS, read),
        stale_read: quorum,
    }
}
