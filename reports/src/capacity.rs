//! The load line: how much a system carries while its targets hold.

use serde::{Deserialize, Serialize};

use crate::record::Provenance;

/// What a search for the limit has found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    pub provenance: Provenance,
    pub target: String,
    /// What had to hold.
    pub slos: Vec<String>,
    /// Highest rate at which all of it held, requests a second; 0 if at none.
    pub holds_per_s: f64,
    /// Lowest rate at which something broke; `None` if nothing did. The line is between the two.
    pub breaks_per_s: Option<f64>,
    /// What broke, or why the search ended before anything did.
    pub why: String,
    /// In the order in which they were made.
    pub probes: Vec<CapacityProbe>,
    pub law: Option<FittedLaw>,
}

/// One rate, played for some seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CapacityProbe {
    pub offered_per_s: f64,
    /// Answers a second, failures not among them.
    pub achieved_per_s: f64,
    pub latency_mean_s: f64,
    /// Requests in the system at the same time, on average.
    pub in_flight: f64,
    /// The first target that broke.
    pub broken: Option<String>,
    /// The generator could not keep up.
    pub unsound: Option<String>,
}

/// The universal scalability law, fitted to the probes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FittedLaw {
    /// Throughput with one request in the system, 1/s.
    pub lambda_per_s: f64,
    /// Part that is done one after the other.
    pub sigma: f64,
    /// What requests cost each other pair by pair.
    pub kappa: f64,
    /// Root mean square of the relative errors of throughput.
    pub error: f64,
    /// Requests in the system, and throughput, beyond which more load makes less throughput.
    pub peak: Option<(f64, f64)>,
}
