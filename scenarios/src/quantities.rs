//! What an estimate can say: the names of its quantities and what each is measured in.
//!
//! Why here: a claim and `--until` name a quantity before anything is computed, so a misspelt one must be known
//! while the file is read. The estimate is tested to give these and no others.

use crate::units::{Bandwidth, Count, Duration, Fraction, Number, Quantity, Rate, Size};

/// What a quantity is measured in, and how a text of it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// 1/s.
    Rate,
    /// Times a day.
    PerDay,
    /// bit/s.
    Bandwidth,
    /// Bytes.
    Size,
    Count,
    /// A share of 1.
    Share,
    /// Seconds.
    Duration,
    /// US dollars a month.
    Money,
    /// A plain number.
    Number,
}

impl Measure {
    /// Reads a figure, in the base unit of the measure.
    ///
    /// # Errors
    /// Cause and fix.
    pub fn read(self, text: &str) -> Result<f64, (String, String)> {
        fn value<D: crate::units::Dimension>(
            q: Result<Quantity<D>, (String, String)>,
        ) -> Result<f64, (String, String)> {
            q.map(|q| q.get())
        }
        match self {
            Self::Rate => value(Rate::parse(text)),
            Self::PerDay => value(Rate::parse(text)).map(|rate| rate * crate::arrivals::DAY_S),
            Self::Bandwidth => value(Bandwidth::parse(text)),
            Self::Size => value(Size::parse(text)),
            Self::Count => value(Count::parse(text)),
            Self::Share => value(Fraction::parse(text)),
            Self::Duration => value(Duration::parse(text)),
            Self::Money => {
                let amount = text.trim().trim_start_matches('$').trim_end_matches("USD").trim();
                value(Count::parse_like(amount, "an amount of US dollars", "$25 K"))
            }
            Self::Number => value(Number::parse(text)),
        }
    }
}

/// A quantity's name behind its subject, and its measure.
pub type Named = (&'static str, Measure);

/// Of every action.
pub const ACTION: &[Named] = &[
    ("per_day", Measure::PerDay),
    ("rate", Measure::Rate),
    ("peak_rate", Measure::Rate),
    ("peak_rate_global", Measure::Rate),
    ("ingress", Measure::Bandwidth),
    ("ingress_peak", Measure::Bandwidth),
    ("egress_uncached", Measure::Bandwidth),
    ("egress_uncached_peak", Measure::Bandwidth),
    ("bytes_per_day", Measure::Size),
    ("cache_20_percent", Measure::Size),
    ("latency", Measure::Duration),
    ("latency_full_path", Measure::Duration),
    ("in_flight_peak", Measure::Count),
    ("availability", Measure::Share),
    ("connections", Measure::Count),
    ("connections_peak", Measure::Count),
    ("heartbeats", Measure::Rate),
];

/// Of every dataset.
pub const DATASET: &[Named] = &[
    ("objects", Measure::Count),
    ("objects_10_years", Measure::Count),
    ("storage", Measure::Size),
    ("storage_replicated", Measure::Size),
    ("metadata", Measure::Size),
    ("added_per_day", Measure::PerDay),
    ("storage_per_day", Measure::Size),
    ("storage_1_year", Measure::Size),
    ("storage_10_years", Measure::Size),
    ("storage_10_years_replicated", Measure::Size),
    ("distinct_per_day", Measure::Count),
    ("cache_80", Measure::Size),
    ("cache_90", Measure::Size),
    ("cache_95", Measure::Size),
];

/// Of every tier.
pub const TIER: &[Named] = &[
    ("rate", Measure::Rate),
    ("reads", Measure::Rate),
    ("writes", Measure::Rate),
    ("peak_rate", Measure::Rate),
    ("work_peak", Measure::Rate),
    ("ingress", Measure::Bandwidth),
    ("egress", Measure::Bandwidth),
    ("egress_peak", Measure::Bandwidth),
    ("hit_ratio", Measure::Share),
    ("memory_hit_ratio", Measure::Share),
    ("disk_hit_ratio", Measure::Share),
    ("disk_reads_peak", Measure::Rate),
    ("disk_writes_peak", Measure::Rate),
    ("disk_throughput_peak", Measure::Bandwidth),
    ("backlog", Measure::Size),
    ("iops_peak", Measure::Rate),
    ("stored", Measure::Size),
    ("connections_peak", Measure::Count),
    ("utilisation_peak", Measure::Share),
    ("link_utilisation_peak", Measure::Share),
    ("iops_utilisation_peak", Measure::Share),
    ("store_utilisation", Measure::Share),
    ("connections_utilisation_peak", Measure::Share),
    ("limit_utilisation_peak", Measure::Share),
    ("hottest_shard", Measure::Share),
    ("hottest_shard_utilisation", Measure::Share),
    ("hottest_key_utilisation", Measure::Share),
    ("round_trip", Measure::Duration),
    ("utilisation_all_kinds", Measure::Share),
    ("wait_p99", Measure::Duration),
    ("transfer_peak", Measure::Duration),
    ("disk_wait_peak", Measure::Duration),
    ("connections_refused_peak", Measure::Share),
    ("stale_reads", Measure::Share),
    ("servers", Measure::Count),
    ("servers_by_utilisation", Measure::Count),
    ("servers_by_wait", Measure::Count),
    ("servers_by_link", Measure::Count),
    ("servers_by_iops", Measure::Count),
    ("servers_by_storage", Measure::Count),
    ("servers_by_connections", Measure::Count),
    ("availability", Measure::Share),
    ("availability_zone_loss", Measure::Share),
    ("downtime_per_year", Measure::Duration),
    ("cost_servers", Measure::Money),
    ("cost_storage", Measure::Money),
    ("cost_traffic", Measure::Money),
    ("cost_requests", Measure::Money),
    ("cost_sites", Measure::Money),
    ("cost", Measure::Money),
];

/// Of the whole.
pub const TOTAL: &[Named] = &[
    ("per_day", Measure::PerDay),
    ("rate", Measure::Rate),
    ("peak_rate", Measure::Rate),
    ("reads", Measure::Rate),
    ("writes", Measure::Rate),
    ("reads_per_write", Measure::Number),
    ("ingress", Measure::Bandwidth),
    ("egress_uncached", Measure::Bandwidth),
    ("users_10_years", Measure::Count),
    ("concurrent_users", Measure::Count),
    ("connections_peak", Measure::Count),
    ("storage", Measure::Size),
    ("storage_replicated", Measure::Size),
    ("metadata", Measure::Size),
    ("storage_per_day", Measure::Size),
    ("storage_1_year", Measure::Size),
    ("storage_10_years", Measure::Size),
    ("storage_10_years_replicated", Measure::Size),
    ("servers", Measure::Count),
    ("cost", Measure::Money),
];

/// Subject of the quantities of the whole.
pub const WHOLE: &str = "total";

/// The measure of a name in a table.
#[must_use]
pub fn measure(table: &[Named], name: &str) -> Option<Measure> {
    table.iter().find(|(n, _)| *n == name).map(|(_, m)| *m)
}
