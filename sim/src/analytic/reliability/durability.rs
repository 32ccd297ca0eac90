//! Durability: how long until more copies are lost than the code can bear.
//!
//! Why the exact chain and not the usual `mu^m / lambda^(m+1)`: it costs nothing, and holds where repair is
//! slow, which is where durability is in question.

use super::HOURS_PER_YEAR;

/// Units that hold one piece of data, and how many of them may be lost at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Units {
    /// Copies, or fragments of an erasure code.
    pub total: u64,
    /// Losses the data survives: one less than the copies, or the parity fragments.
    pub tolerated: u64,
}

impl Units {
    /// n full copies; one is enough.
    #[must_use]
    pub fn replicas(n: u64) -> Self {
        Self { total: n, tolerated: n.saturating_sub(1) }
    }
}

/// Units of an erasure code of `data` and `parity` fragments.
#[must_use]
pub fn erasure_units(data: u64, parity: u64) -> Units {
    Units { total: data.saturating_add(parity), tolerated: parity }
}

/// How lost units are repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Each as soon as it is lost, all at a time.
    Parallel,
    /// One at a time.
    Serial,
    /// At most so many at a time.
    Crews(u64),
}

impl Repair {
    fn at_a_time(self, lost: u64) -> u64 {
        match self {
            Self::Parallel => lost,
            Self::Serial => lost.min(1),
            Self::Crews(crews) => lost.min(crews),
        }
    }
}

/// States of the chain that are gone through; more tolerated losses than this are never reached.
const TOLERATED_MAX: u64 = 1_000_000;

/// Mean time to data loss, hours: the exact mean first passage of the birth-death chain from "all well" to
/// one loss too many (Gibson, Redundant Disk Arrays, 1992, section 5.3). Each unit fails at `1/mttf`; a repair
/// takes `mttr` on average.
#[must_use]
pub fn mttdl_hours(units: Units, mttf_hours: f64, mttr_hours: f64, repair: Repair) -> f64 {
    first_passage(units, mttf_hours, mttr_hours, repair, 0.0)
}

/// Mean time to data loss with the share `beta` of each unit's failures having a cause that takes all units at
/// once (beta-factor model, as in [`super::beta_factor_availability`]), hours; exact.
#[must_use]
pub fn mttdl_with_common_cause_hours(
    units: Units,
    mttf_hours: f64,
    mttr_hours: f64,
    repair: Repair,
    beta: f64,
) -> f64 {
    let beta = beta.clamp(0.0, 1.0);
    if units.total == 0 || mttf_hours <= 0.0 {
        return 0.0;
    }
    if beta == 1.0 {
        return mttf_hours;
    }
    first_passage(units, mttf_hours / (1.0 - beta), mttr_hours, repair, beta / mttf_hours)
}

/// Mean time to one loss too many, or to an event of rate `common` that ends it from any state.
///
/// `T(j) = r(j) + (1 - e(j)) T(j+1)`, eliminated from "all well" on. `e` is carried instead of `1 - e`, so
/// that only positive numbers are added (the idea of Grassmann, Taksar and Heyman, "Regenerative analysis and
/// steady state distributions for Markov chains", Operations Research 33, 1985).
fn first_passage(units: Units, mttf: f64, mttr: f64, repair: Repair, common: f64) -> f64 {
    if units.total == 0 || mttf <= 0.0 || common == f64::INFINITY {
        return 0.0;
    }
    if units.tolerated >= units.total || units.tolerated > TOLERATED_MAX {
        return 1.0 / common;
    }
    let (mut rest, mut ended) = (0.0, 0.0);
    let (mut sum, mut reached) = (0.0, 1.0);
    for lost in 0..=units.tolerated {
        let up = (units.total - lost) as f64 / mttf;
        let repairing = repair.at_a_time(lost) as f64;
        let down = if repairing == 0.0 { 0.0 } else { repairing / mttr.max(0.0) };
        if down == f64::INFINITY {
            return 1.0 / common;
        }
        let leaving = up + common + down * ended;
        if leaving == 0.0 {
            return f64::INFINITY;
        }
        rest = (1.0 + down * rest) / leaving;
        ended = (common + down * ended) / leaving;
        sum += reached * rest;
        reached *= up / leaving;
    }
    sum
}

/// Probability of a loss within a year, from the mean time to it: `1 - e^(-t/mttdl)`. From "all well" the
/// true one is a little smaller.
#[must_use]
pub fn annual_loss_from_mttdl(mttdl_hours: f64) -> f64 {
    if mttdl_hours <= 0.0 { 1.0 } else { -(-HOURS_PER_YEAR / mttdl_hours).exp_m1() }
}

/// What may take data in a year: probabilities.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnnualLoss {
    /// More units fail than repair can keep up with, independently.
    pub independent: f64,
    /// A zone is lost for good and takes more units than tolerated.
    pub zone: f64,
    /// Somebody, or some program, deletes it everywhere.
    pub operator: f64,
    /// Any of these.
    pub total: f64,
}

/// Independent and correlated losses side by side. `units_per_zone` is the largest number of a piece's units
/// in one zone; a zone is lost for good with probability `zone_loss_per_year`, in each of `zones`, and where
/// it takes no more units than tolerated nothing is lost by it alone.
#[must_use]
pub fn annual_loss(
    units: Units,
    mttdl_hours: f64,
    zones: u64,
    units_per_zone: u64,
    zone_loss_per_year: f64,
    operator_error_per_year: f64,
) -> AnnualLoss {
    let independent = annual_loss_from_mttdl(mttdl_hours);
    let any_zone = -(zones as f64 * (-zone_loss_per_year.clamp(0.0, 1.0)).ln_1p()).exp_m1();
    let zone = if units_per_zone > units.tolerated { any_zone } else { 0.0 };
    let operator = operator_error_per_year.clamp(0.0, 1.0);
    let kept = [independent, zone, operator].iter().map(|p| (-p).ln_1p()).sum::<f64>();
    AnnualLoss { independent, zone, operator, total: -kept.exp_m1() }
}

/// Hours to bring back what a lost unit held: `bytes` at `bandwidth` bytes per second for each of `helpers`
/// that take part, `read_per_lost` bytes read for every byte lost (1 for copies, the data fragments for a
/// plain erasure code).
#[must_use]
pub fn repair_hours(bytes: f64, bandwidth: f64, helpers: u64, read_per_lost: f64) -> f64 {
    if bytes <= 0.0 {
        return 0.0;
    }
    bytes * read_per_lost.max(1.0) / (bandwidth.max(0.0) * helpers as f64) / 3_600.0
}

/// Bytes per second a fleet of `nodes` with `bytes` each spends on repair, on average, reading
/// `read_per_lost` bytes for every byte lost.
#[must_use]
pub fn repair_bandwidth(nodes: u64, bytes: f64, mttf_hours: f64, read_per_lost: f64) -> f64 {
    if mttf_hours <= 0.0 {
        return f64::INFINITY;
    }
    nodes as f64 * bytes.max(0.0) * read_per_lost.max(1.0) / (mttf_hours * 3_600.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(got: f64, want: f64) {
        assert!((got / want - 1.0).abs() < 1e-12, "got {got}, want {want}");
    }

    #[test]
    fn two_copies_have_their_textbook_formula() {
        let (lambda, mu) = (1e-6, 1.0 / 24.0);
        let want = (3.0 * lambda + mu) / (2.0 * lambda * lambda);
        for repair in [Repair::Parallel, Repair::Serial, Repair::Crews(1)] {
            near(mttdl_hours(Units::replicas(2), 1e6, 24.0, repair), want);
        }
        // One copy, and copies that nobody repairs: the last of three.
        near(mttdl_hours(Units::replicas(1), 1e6, 24.0, Repair::Serial), 1e6);
        near(mttdl_hours(Units::replicas(3), 1e6, f64::INFINITY, Repair::Parallel), 1e6 * 11.0 / 6.0);
        near(mttdl_hours(Units::replicas(3), 1e6, 24.0, Repair::Crews(0)), 1e6 * 11.0 / 6.0);
    }

    /// The chain's equations by elimination: mean time to absorption from every state.
    fn by_elimination(units: Units, mttf: f64, mttr: f64, repair: Repair) -> f64 {
        let states = units.tolerated as usize + 1;
        // (up + down) T(j) - up T(j+1) - down T(j-1) = 1, Thomas' algorithm.
        let (mut above, mut right) = (vec![0.0; states], vec![0.0; states]);
        for j in 0..states {
            let up = (units.total - j as u64) as f64 / mttf;
            let down = repair.at_a_time(j as u64) as f64 / mttr;
            let (before, known) = if j == 0 { (0.0, 0.0) } else { (above[j - 1], right[j - 1]) };
            let pivot = up + down - down * before;
            above[j] = up / pivot;
            right[j] = (1.0 + down * known) / pivot;
        }
        (0..states).rev().fold(0.0, |later, j| right[j] + above[j] * later)
    }

    #[test]
    fn the_recursion_solves_the_chain() {
        for units in [Units::replicas(3), erasure_units(4, 2), erasure_units(10, 4)] {
            for repair in [Repair::Parallel, Repair::Serial, Repair::Crews(2)] {
                // Slow repair: elimination subtracts, and would lose its digits with a fast one.
                let (got, want) =
                    (mttdl_hours(units, 100.0, 20.0, repair), by_elimination(units, 100.0, 20.0, repair));
                assert!((got / want - 1.0).abs() < 1e-9, "{units:?} {repair:?}: {got} {want}");
            }
        }
    }

    #[test]
    fn correlated_losses_dominate() {
        let units = Units::replicas(3);
        let mttdl = mttdl_hours(units, 1e6, 24.0, Repair::Parallel);
        let together = annual_loss(units, mttdl, 3, 3, 1e-4, 1e-5);
        assert!((together.independent * mttdl / HOURS_PER_YEAR - 1.0).abs() < 1e-9);
        assert!((together.zone - 3e-4).abs() < 1e-7 && together.total > together.zone);
        let spread = annual_loss(units, mttdl, 3, 1, 1e-4, 1e-5);
        assert_eq!(spread.zone, 0.0);
        assert!((spread.total / (1e-5 + spread.independent) - 1.0).abs() < 1e-9);
        // Nearly only the common cause, then only it; and where nothing is repaired, three exponential times.
        let common = mttdl_with_common_cause_hours(units, 1e6, 24.0, Repair::Parallel, 0.01);
        assert!((common / 1e8 - 1.0).abs() < 1e-5, "{common}");
        let none = mttdl_with_common_cause_hours(units, 1.0, f64::INFINITY, Repair::Parallel, 0.5);
        near(none, 1.0 / 2.0 + 1.5 / 2.0 * (1.0 / 1.5 + 1.0 / 1.5 * 1.0));
        near(mttdl_with_common_cause_hours(units, 1e6, 24.0, Repair::Parallel, 1.0), 1e6);
    }

    #[test]
    fn repair_takes_its_time() {
        // 10 TB over 50 helpers of 100 MB/s each: 2,000 s; ten times as long with 10 fragments to read.
        near(repair_hours(10e12, 100e6, 50, 1.0), 2_000.0 / 3_600.0);
        near(repair_hours(10e12, 100e6, 50, 10.0), 20_000.0 / 3_600.0);
        near(repair_bandwidth(1_000, 10e12, 100_000.0, 10.0), 1e17 / 3.6e8);
        assert_eq!(repair_hours(1.0, 0.0, 5, 1.0), f64::INFINITY);
        assert_eq!(repair_hours(0.0, 0.0, 0, 1.0), 0.0);
    }

    #[test]
    fn extremes_are_answers() {
        assert_eq!(mttdl_hours(Units::replicas(0), 1.0, 1.0, Repair::Serial), 0.0);
        assert_eq!(mttdl_hours(Units::replicas(2), 1e6, 0.0, Repair::Serial), f64::INFINITY);
        assert_eq!(mttdl_hours(erasure_units(0, 3), 1e6, 1.0, Repair::Serial), f64::INFINITY);
        assert_eq!(annual_loss_from_mttdl(f64::INFINITY), 0.0);
        assert_eq!(annual_loss_from_mttdl(0.0), 1.0);
    }
}
