//! The rounds of an earlier run, small enough for a repository, and the machine they ran on.
//!
//! Why values and not histograms: what a comparison needs of a round is its value of each series. A few
//! hundred numbers make a file whose diff a person can read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::rounds::Round;
use super::series::{Kind, Series};
use crate::json;
use crate::record::Provenance;

/// Version of the file's layout.
const LAYOUT: u32 = 1;
/// Percentiles that are kept of every distribution of times.
const PERCENTILES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];
/// Digits that are kept: more than any measurement has.
const DIGITS: usize = 6;
/// Relative difference of memory up to which two machines are the same: firmware takes a part.
const MEMORY_WITHIN: f64 = 0.05;

/// What makes figures comparable: other hardware has other figures, without any regression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's model, as the system calls it.
    pub cpu: String,
    /// Processors that this process may use.
    pub cores: u64,
    pub memory_bytes: u64,
    /// `linux x86_64`
    pub system: String,
    /// `release` or `debug`: how plimsoll, generator and bundled stack were built.
    pub build: String,
}

/// The rounds that later ones are compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Layout of this file.
    pub layout: u32,
    pub provenance: Provenance,
    pub machine: Machine,
    pub target: String,
    /// Seconds of one round.
    pub round_s: f64,
    /// Seconds before the first round.
    pub warmup_s: f64,
    /// Seeds of the rounds.
    pub seeds: Vec<u64>,
    /// Values by series, one a round.
    pub values: BTreeMap<String, Vec<Option<f64>>>,
}

/// Why a baseline cannot be used.
#[derive(Debug, Error)]
pub enum BaselineError {
    #[error(
        "it is of another machine ({0}), so a difference would say nothing about the system; record one here with --update-baseline"
    )]
    OtherMachine(String),
    #[error(
        "it is of scenario `{theirs}`, this is `{ours}`; name the scenario's own baseline, or record one with --update-baseline"
    )]
    OtherScenario { theirs: String, ours: String },
    #[error("its {what} {theirs}, here {ours}; use the same, or record it again with --update-baseline")]
    OtherRun { what: &'static str, theirs: String, ours: String },
    #[error("it has layout {0}, this plimsoll writes {LAYOUT}; record it again with --update-baseline")]
    OtherLayout(u32),
    #[error(
        "its series have {values} values for {seeds} rounds; it was edited or cut short: record it again with --update-baseline"
    )]
    Uneven { values: usize, seeds: usize },
    #[error(transparent)]
    NoBaseline(#[from] json::JsonError),
}

impl Baseline {
    /// Keeps every series of the rounds.
    #[must_use]
    pub fn of(
        rounds: &[Round],
        provenance: Provenance,
        machine: Machine,
        target: &str,
        spans_s: (f64, f64),
    ) -> Self {
        let mut values = BTreeMap::new();
        for series in all_series(rounds) {
            let column = rounds.iter().map(|round| round.value(&series).map(rounded)).collect();
            values.insert(series.to_string(), column);
        }
        Self {
            layout: LAYOUT,
            provenance,
            machine,
            target: target.to_owned(),
            warmup_s: spans_s.0,
            round_s: spans_s.1,
            seeds: rounds.iter().map(|round| round.seed).collect(),
            values,
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it is no baseline, or one of another layout.
    pub fn read(text: &str) -> Result<Self, BaselineError> {
        #[derive(Deserialize)]
        struct Head {
            layout: u32,
        }
        let head: Head = json::from_str(text)?;
        if head.layout != LAYOUT {
            return Err(BaselineError::OtherLayout(head.layout));
        }
        let baseline: Self = json::from_str(text)?;
        let seeds = baseline.seeds.len();
        match baseline.values.values().find(|column| column.len() != seeds) {
            Some(column) => Err(BaselineError::Uneven { values: column.len(), seeds }),
            None => Ok(baseline),
        }
    }

    /// Whether rounds of this scenario, machine and length may be compared with it.
    ///
    /// # Errors
    /// What differs.
    pub fn accepts(
        &self,
        scenario: &str,
        machine: &Machine,
        spans_s: (f64, f64),
    ) -> Result<(), BaselineError> {
        if self.provenance.scenario != scenario {
            let theirs = self.provenance.scenario.clone();
            return Err(BaselineError::OtherScenario { theirs, ours: scenario.to_owned() });
        }
        if let Some(difference) = self.machine.differs(machine) {
            return Err(BaselineError::OtherMachine(difference));
        }
        let (warmup_s, round_s) = spans_s;
        for (what, theirs, ours) in
            [("rounds last", self.round_s, round_s), ("warm-up lasts", self.warmup_s, warmup_s)]
        {
            if (theirs - ours).abs() > 1e-9 {
                let (theirs, ours) = (format!("{theirs} s"), format!("{ours} s"));
                return Err(BaselineError::OtherRun { what, theirs, ours });
            }
        }
        Ok(())
    }

    /// The values of a series, one a round.
    #[must_use]
    pub fn column(&self, series: &Series) -> Option<&[Option<f64>]> {
        self.values.get(&series.to_string()).map(Vec::as_slice)
    }
}

impl Machine {
    /// What differs from another machine, in words.
    #[must_use]
    pub fn differs(&self, here: &Self) -> Option<String> {
        let mut differences = Vec::new();
        let mut differ = |what: &str, theirs: String, ours: String| {
            if theirs != ours {
                differences.push(format!("{what} `{theirs}`, here `{ours}`"));
            }
        };
        differ("processor", self.cpu.clone(), here.cpu.clone());
        differ("processors", self.cores.to_string(), here.cores.to_string());
        differ("system", self.system.clone(), here.system.clone());
        differ("build", self.build.clone(), here.build.clone());
        let (theirs, ours) = (self.memory_bytes as f64, here.memory_bytes as f64);
        if (theirs - ours).abs() > MEMORY_WITHIN * theirs.max(ours) {
            let gib = |bytes: f64| format!("{:.1} GiB", bytes / f64::from(1 << 30));
            differ("memory", gib(theirs), gib(ours));
        }
        (!differences.is_empty()).then(|| differences.join("; "))
    }
}

/// Every series that any of the rounds has.
fn all_series(rounds: &[Round]) -> Vec<Series> {
    let mut names = std::collections::BTreeSet::new();
    for round in rounds {
        for key in round.times.keys() {
            names.extend(PERCENTILES.map(|p| format!("{key} p{}", (p * 1e8).round() / 1e6)));
        }
        names.extend(round.shares.keys().cloned());
        names.extend(round.values.keys().cloned());
    }
    // A name that is no series would never be asked for.
    names.iter().filter_map(|name| Series::parse(name).ok()).filter(|s| wanted(s, rounds)).collect()
}

/// Quantiles beyond which no round has ten observations are one request's luck.
fn wanted(series: &Series, rounds: &[Round]) -> bool {
    let Kind::Time { p } = series.kind else { return true };
    let key = series.key();
    let beyond = |round: &Round| round.times.get(&key).map_or(0.0, |t| t.count() as f64 * (1.0 - p));
    rounds.iter().any(|round| beyond(round) >= super::judge::BEYOND_MIN)
}

fn rounded(value: f64) -> f64 {
    format!("{value:.*e}", DIGITS - 1).parse().unwrap_or(value)
}
