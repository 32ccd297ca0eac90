//! Failures: availability of systems of parts, durability of stored data.
//!
//! Why independent and correlated figures stand side by side: independent failures give nines nobody ever
//! saw; a zone, a bad release or an operator ends them first. Rates are per hour where a name says `_hours`,
//! probabilities per year where it says `_per_year`.

mod availability;
mod copysets;
mod durability;

pub use availability::{
    availability, beta_factor_availability, downtime_minutes_per_year, k_of_n, nines, parallel, series,
    unavailability_of_k_of_n,
};
pub use copysets::{copysets_of, loss_probability, random_copysets};
pub use durability::{
    AnnualLoss, Repair, Units, annual_loss, annual_loss_from_mttdl, erasure_units, mttdl_hours,
    mttdl_with_common_cause_hours, repair_bandwidth, repair_hours,
};

/// Hours in the year that availability figures are quoted for.
pub const HOURS_PER_YEAR: f64 = 8_760.0;
