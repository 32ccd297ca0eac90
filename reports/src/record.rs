//! The records: plain data that every stage writes and every renderer reads.
//!
//! Why plain: a record is what `--format json` prints and what stands in `plimsoll-out/`, so whoever reads
//! the JSON later needs these types and nothing of the engines. All values are in base units (seconds,
//! bytes, bits per second, shares of 1); a name ends in its unit where it has one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where a record comes from; enough to make it again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of plimsoll.
    pub version: String,
    /// Scenario name.
    pub scenario: String,
    pub seed: u64,
    /// Options that change the result (never the number of threads, which does not).
    pub options: BTreeMap<String, String>,
    /// The run was stopped early; figures cover what was finished.
    pub partial: bool,
}

/// A quantity's unit; renderers choose the prefix (K, M, ms).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Count,
    PerSecond,
    PerDay,
    Bytes,
    BitsPerSecond,
    Seconds,
    /// A share of 1, shown in per cent.
    Share,
    /// A plain number.
    Number,
    /// US dollars a month.
    DollarsPerMonth,
}

/// A value with a 95 % confidence interval, where one is known (else both ends are the value).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    pub value: f64,
    pub low: f64,
    pub high: f64,
}

impl Interval {
    #[must_use]
    pub const fn exact(value: f64) -> Self {
        Self { value, low: value, high: value }
    }

    /// Half of the interval's width.
    #[must_use]
    pub fn margin(&self) -> f64 {
        0.5 * (self.high - self.low)
    }
}

/// Closed-form figures with their working.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub provenance: Provenance,
    pub summary: String,
    /// The system in a few words: `1 B users · 100 M songs · 30 plays a day`.
    #[serde(default)]
    pub headline: String,
    pub quantities: Vec<Quantity>,
    pub claims: Vec<ClaimCheck>,
    /// Worlds that the ranges rest on; 0 where no input is a range.
    #[serde(default)]
    pub worlds: u64,
    /// What some quantities hang on, the most telling one first.
    #[serde(default)]
    pub hangs_on: Vec<Influence>,
    /// What breaks as demand grows.
    #[serde(default)]
    pub growth: Vec<Growth>,
    /// What the scenario's events do to it.
    #[serde(default)]
    pub events: Vec<EventEffect>,
    /// Targets that closed forms can judge; percentiles of latencies are for the simulation.
    #[serde(default)]
    pub slos: Vec<SloVerdict>,
    /// What a reader should know.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// How much of a quantity's uncertainty comes from each input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Influence {
    /// Id of the quantity.
    pub of: String,
    pub label: String,
    /// Inputs by falling share.
    pub inputs: Vec<InputShare>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputShare {
    /// The input, such as `search, per user`.
    pub input: String,
    /// As the file says it: `3 to 6/day`.
    pub text: String,
    /// Where.
    pub source: String,
    /// Its share of the variance of the quantity's logarithm (Shapley effect); they add up to 1.
    pub share: f64,
    /// The quantity with the input at its 5 % and 95 % ends, all others in the middle.
    pub low: f64,
    pub high: f64,
}

/// The system under a multiple of its demand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    pub factor: f64,
    /// Resources by falling use.
    pub resources: Vec<Resource>,
}

/// A resource and how much of it is used at the peak.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// Id of the quantity, such as `web.utilisation_peak`.
    pub id: String,
    /// For people: `web servers`.
    pub label: String,
    /// Share of what there is; above 1 it breaks.
    pub used: f64,
}

/// The system under one of its scenario's events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventEffect {
    pub name: String,
    /// What happens, in words.
    pub what: String,
    /// The fullest resources, the fullest first, with how full they are without the event.
    pub resources: Vec<(Resource, f64)>,
}

/// How far a field of the scenario may go before a quantity passes its bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Solution {
    /// The field, such as `population.users`.
    pub solve: String,
    /// As the scenario has it.
    pub now: String,
    /// The outermost value with which the bound holds, as a setting takes it.
    pub value: String,
    pub factor: f64,
    /// Whether larger values break the bound.
    pub largest: bool,
    /// Id of the bounded quantity, its bound, and its values now and there.
    pub quantity: String,
    pub bound: f64,
    pub quantity_now: f64,
    pub quantity_then: f64,
}

/// One line of an estimate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quantity {
    /// Stable id, `subject.quantity`, such as `play.rate`.
    pub id: String,
    /// Heading under which it is shown: demand, bandwidth, storage, caches, servers.
    pub group: String,
    /// For people, such as `play, mean rate`.
    pub label: String,
    pub value: f64,
    /// 5 % and 95 % of its values over the worlds, where an input it rests on is a range.
    pub range: Option<(f64, f64)>,
    /// The median over the worlds, where it has a range.
    #[serde(default)]
    pub median: Option<f64>,
    pub unit: Unit,
    /// The formula in words: `users x active share x plays a day / seconds a day`.
    pub formula: String,
    /// The formula with numbers put in: `1,000,000,000 x 100 % x 30 / 86,400 s`.
    pub working: String,
    /// Inputs it rests on, such as `spotify.yaml:14`.
    pub sources: Vec<String>,
    /// Shown only with the working: a step on the way, or a detail.
    #[serde(default)]
    pub detail: bool,
}

/// A source's figure held against the estimate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClaimCheck {
    /// Id of the quantity.
    pub what: String,
    /// The figure as the source states it.
    pub claimed_text: String,
    pub claimed: f64,
    pub estimated: f64,
    /// Estimated over claimed, less 1.
    pub deviation: f64,
    /// Relative tolerance.
    pub within: f64,
    pub holds: bool,
}

/// Result of a simulation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub provenance: Provenance,
    pub method: Method,
    /// Simulated span that the figures cover, seconds.
    pub duration_s: f64,
    /// Length of one element of the series, seconds.
    pub slot_s: f64,
    /// When the series start, seconds after 00:00 UTC.
    #[serde(default)]
    pub from_s: f64,
    /// What befell the system while it ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Happening>,
    pub tiers: Vec<TierRun>,
    pub actions: Vec<ActionRun>,
    pub bottleneck: Option<Bottleneck>,
    pub slos: Vec<SloVerdict>,
    /// What a reader should know: assumptions, what is not modelled.
    pub notes: Vec<String>,
}

/// An event of the scenario that a run has played; seconds after 00:00 UTC.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Happening {
    pub name: String,
    pub from_s: f64,
    pub to_s: f64,
    /// When all was as usual again, to a slot; none where it was not before the run ended, or where the run does not show
    /// what is usual (and then there are no impacts).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_s: Option<f64>,
    /// What it did to each action.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub impacts: Vec<Impact>,
}

/// An action while an event lasts and until all is as usual again: its worst slots.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Impact {
    pub action: String,
    /// Highest 99th percentile of the time to the first byte, seconds; none where nobody had an answer.
    pub first_byte_p99_s: Option<f64>,
    /// What it is without the event: in that slot where the run was played without as well, else before it.
    pub usual_p99_s: Option<f64>,
    /// Highest share of requests that failed, and what that is without the event.
    pub failed_share: f64,
    pub usual_failed_share: f64,
}

/// How a run was simulated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Method {
    /// `sampled` or `every request`.
    pub mode: String,
    /// One simulated object stands for this many.
    pub objects_per_sample: u64,
    pub replications: u64,
    /// Requests and queue customers actually simulated.
    pub simulated_requests: u64,
    pub simulated_customers: u64,
}

/// One tier over the run. Totals are over the whole system, scaled up where the run was sampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TierRun {
    pub name: String,
    /// Requests that reached the tier.
    pub requests: f64,
    pub rate_mean_per_s: f64,
    /// Highest slot.
    pub rate_peak_per_s: f64,
    /// Bytes that left the tier towards its callers.
    pub bytes_out: f64,
    pub egress_peak_bit_per_s: f64,
    pub cache: Option<CacheRun>,
    pub station: Option<StationRun>,
    pub link: Option<LinkRun>,
    /// Operations of its disks, where these are limited.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disks: Option<DiskRun>,
    /// Connections that stay at it, where it takes only so many; of a run that plays every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<ConnectionRun>,
    /// Kinds of its servers, where these differ; of a run that plays every request.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<KindRun>,
    /// Reads that missed the latest write, where copies lag; of a run that plays every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staleness: Option<StaleRun>,
    pub series: TierSeries,
}

/// Series over the run, one value a slot; `None` where nothing happened.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TierSeries {
    pub rate_per_s: Vec<f64>,
    pub egress_bit_per_s: Vec<f64>,
    pub hit_ratio: Vec<Option<f64>>,
    /// Share of busy slots (stations), mean over regions weighted by slots.
    pub utilisation: Vec<Option<f64>>,
    /// Mean number waiting, over all servers.
    pub queue: Vec<Option<f64>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CacheRun {
    pub policy: String,
    /// Bytes of one instance.
    pub capacity_bytes: f64,
    pub instances: u64,
    pub hit_ratio: Interval,
    /// Che's approximation for the same cache, where it applies.
    pub che_hit_ratio: Option<f64>,
    /// Where its hits come from, of one that is in memory and on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub levels: Option<LevelsRun>,
    /// The hit ratio for each region's users, of a cache that each site or region has; empty where all are one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_region: Vec<(String, f64)>,
}

/// A cache in memory and on disk. Shares are of its lookups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LevelsRun {
    /// Of the bytes of one instance, those in memory.
    pub memory_bytes: f64,
    pub memory_hit_ratio: Interval,
    pub disk_hit_ratio: Interval,
    /// Che's approximation of the first, where it applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula_memory_hit_ratio: Option<f64>,
    /// Hits read from disk in the highest slot, over all servers, 1/s.
    pub reads_peak_per_s: f64,
    /// What was fetched and kept in the highest slot, 1/s.
    pub writes_peak_per_s: f64,
    /// Bits of both in the highest slot, 1/s.
    pub throughput_peak_bit_per_s: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StationRun {
    pub servers: u64,
    /// Slots of one server.
    pub concurrency: u64,
    pub service_mean_s: f64,
    pub utilisation_mean: f64,
    /// Highest slot of the worst region.
    pub utilisation_peak: Interval,
    pub peak_at_s: f64,
    /// The same moment by the region's clock, seconds after midnight.
    pub peak_local_s: f64,
    pub peak_region: String,
    /// Mean wait in that slot and region, simulated, seconds.
    pub wait_mean_peak_s: Interval,
    /// The same by formula: Erlang C, corrected for how arrivals and service times vary (GI/G/c).
    pub erlang_wait_peak_s: f64,
    /// Over the whole run.
    pub wait: Latency,
    /// Wait and service.
    pub sojourn: Latency,
    pub queue_peak: f64,
    /// Share of arrivals turned away by full queues.
    pub rejected_share: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkRun {
    /// Of one instance (or server), bits per second.
    pub capacity_bit_per_s: f64,
    pub instances: u64,
    /// Highest slot of the worst region.
    pub utilisation_peak: f64,
    pub peak_at_s: f64,
    /// The same moment by the region's clock, seconds after midnight.
    pub peak_local_s: f64,
    pub peak_region: String,
    /// How long bodies took; of a run that plays every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferRun>,
}

/// Bodies over links that they share, from the first byte sent to the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TransferRun {
    /// Over the whole run, seconds.
    pub time: Latency,
    /// Mean in the fullest slot of the worst region, simulated, seconds.
    pub mean_peak_s: Interval,
    /// The same by formula: processor sharing, with a bound for each flow; none where links are full, or where only a part
    /// of the flows is bounded by users' access.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula_peak_s: Option<f64>,
}

/// One kind of a tier's servers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindRun {
    pub servers: u64,
    /// Times as fast as the tier's service time says.
    pub speed: f64,
    /// Of one server, bits per second, where the kind says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link_bit_per_s: Option<f64>,
    /// What a weighted balancer goes by, over the mean of all servers.
    pub weight: f64,
    /// Share of the tier's work in calls that its servers got, and what the balancer's policy says of it.
    pub requests_share: f64,
    pub formula_requests_share: f64,
    pub utilisation_mean: f64,
    /// Highest slot.
    pub utilisation_peak: f64,
}

/// Reads of copies that lag behind writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StaleRun {
    pub copies: u32,
    /// Copies that a write waits for, and that a read asks.
    pub write_quorum: u32,
    pub read_quorum: u32,
    /// Mean time until a copy that a write does not wait for has it, seconds.
    pub lag_mean_s: f64,
    /// Share of reads that missed the latest write acknowledged before they came, simulated.
    pub stale_share: Interval,
    /// The same by formula: writes at random, copies asked at random (Bailis et al. 2012).
    pub formula_stale_share: f64,
}

/// Disks of a tier's servers: one operation after the other on each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiskRun {
    /// Operations of one server, 1/s.
    pub iops_per_server: f64,
    pub servers: u64,
    /// Highest slot of the worst region.
    pub utilisation_peak: f64,
    pub peak_at_s: f64,
    /// The same moment by the region's clock, seconds after midnight.
    pub peak_local_s: f64,
    pub peak_region: String,
    /// Waits for them over the whole run; of a run that plays every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Latency>,
    /// Mean wait in that slot and region, simulated, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_mean_peak_s: Option<Interval>,
    /// The same by formula (M/G/1: a call may be several operations); none where disks are full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula_wait_peak_s: Option<f64>,
    /// Share of services turned away because too many operations waited.
    pub rejected_share: f64,
}

/// Connections that stay, at a tier whose servers hold only so many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionRun {
    /// Connections of one server.
    pub each: f64,
    /// Mean share of all that there may be, in the fullest slot of the worst region.
    pub used_peak: f64,
    pub peak_at_s: f64,
    /// The same moment by the region's clock, seconds after midnight.
    pub peak_local_s: f64,
    pub peak_region: String,
    /// Share refused in that slot and region, simulated.
    pub refused_peak: Interval,
    /// The same by Erlang's loss formula.
    pub formula_refused_peak: f64,
    /// Share refused over the whole run.
    pub refused_share: f64,
}

/// A latency distribution, seconds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Observations (of the sample, where the run was sampled).
    pub count: u64,
    pub mean_s: f64,
    pub max_s: f64,
    /// From p = 0 to at most 0.9999, rising.
    pub quantiles: Vec<Quantile>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    pub p: f64,
    pub value_s: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionRun {
    pub name: String,
    pub requests: f64,
    pub rate_mean_per_s: f64,
    pub rate_peak_per_s: f64,
    /// Share of requests answered by each tier of the path, in path order.
    pub served_by: Vec<Served>,
    pub first_byte: Latency,
    pub complete: Latency,
    /// Confidence intervals over replications.
    pub first_byte_p50_s: Interval,
    pub first_byte_p99_s: Interval,
    /// Share of requests that failed (were rejected by some tier).
    pub failed_share: f64,
    pub series: ActionSeries,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Served {
    pub tier: String,
    pub share: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ActionSeries {
    /// Share of requests that failed.
    #[serde(default)]
    pub failed_share: Vec<f64>,
    /// Attempts that callers made for these requests, retries and hedges among them; empty where no caller tries again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts_per_s: Vec<f64>,
    pub rate_per_s: Vec<f64>,
    pub first_byte_p50_s: Vec<Option<f64>>,
    pub first_byte_p99_s: Vec<Option<f64>>,
}

/// The tier that has least room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bottleneck {
    pub tier: String,
    /// `servers`, `link` or `disks`.
    pub resource: String,
    pub utilisation: f64,
    pub at_s: f64,
    /// The same moment by the region's clock, seconds after midnight.
    pub local_s: f64,
    pub region: String,
    /// Demand could grow by this factor before the tier is full.
    pub headroom: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SloVerdict {
    /// As written in the scenario.
    pub text: String,
    pub value: f64,
    pub bound: f64,
    pub unit: Unit,
    pub holds: bool,
}

/// What a load run measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    pub provenance: Provenance,
    pub target: String,
    pub warmup_s: f64,
    /// Seconds that count.
    pub duration_s: f64,
    /// Requests of the schedule in the seconds that count (those served on the device not among them).
    pub planned: u64,
    pub sent: u64,
    /// Planned and never sent (the run was stopped, or every user was busy until its end).
    pub missed: u64,
    pub failed: u64,
    /// Requests answered on the device, without any traffic.
    pub local: u64,
    /// How late requests were sent: the generator's own delay. It is part of every latency below.
    pub lag: Latency,
    /// How long connections took to open; most requests use one that is open already.
    #[serde(default)]
    pub connect: Latency,
    pub actions: Vec<ActionMeasured>,
    /// What the stack says of its tiers, in the seconds that count.
    pub tiers: Vec<TierMeasured>,
    /// Why the run should not be trusted; empty if it may be.
    pub invalid: Vec<String>,
    /// Kinds of failures and how often.
    pub failures: BTreeMap<String, u64>,
    /// How the load was mixed over regions; empty where all users are one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<RegionMeasured>,
}

/// Requests of the users of one region, in the seconds that count.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionMeasured {
    pub name: String,
    pub sites: u64,
    /// Of the demand, as the scenario says.
    pub share: f64,
    pub planned: u64,
    pub sent: u64,
    pub failed: u64,
    /// What the caches that it has for itself answered, in path order, as far as answers name their tier.
    pub caches: Vec<RegionCache>,
}

/// A tier's cache, as the users of one region met it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegionCache {
    pub tier: String,
    pub lookups: f64,
    /// Share of them that it answered.
    pub hit_ratio: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ActionMeasured {
    pub name: String,
    /// Requests sent in the seconds that count.
    pub requests: u64,
    pub rate_per_s: f64,
    pub failed: u64,
    pub bytes: u64,
    /// From the intended start to the response headers.
    pub first_byte: Latency,
    /// From the intended start to the first bytes of the body.
    #[serde(default)]
    pub first_data: Latency,
    /// From the intended start to the end of the body.
    pub complete: Latency,
    /// Silence once the music had begun, where bodies are played at a bitrate.
    #[serde(default)]
    pub rebuffer: Option<Latency>,
    /// Plays that were interrupted at least once.
    #[serde(default)]
    pub stalled: u64,
    /// Share of requests answered by each tier, from the responses' `Server-Timing`.
    pub served_by: Vec<Served>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TierMeasured {
    pub name: String,
    pub requests: u64,
    pub rate_per_s: f64,
    pub hit_ratio: Option<f64>,
    /// Share of busy slots.
    pub utilisation: Option<f64>,
    /// Mean wait for a slot, seconds.
    pub wait_mean_s: Option<f64>,
    /// Mean time in a slot, seconds.
    pub service_mean_s: Option<f64>,
    pub rejected: u64,
    pub bytes_out: u64,
}

/// Predicted beside measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub provenance: Provenance,
    pub rows: Vec<ComparisonRow>,
    /// Id of the row with the largest error, shares by difference and all else by ratio.
    pub worst: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ComparisonRow {
    /// Stable id, such as `edge.hit_ratio` or `play.first_byte.p99`.
    pub id: String,
    pub label: String,
    pub unit: Unit,
    pub predicted: f64,
    pub measured: f64,
    /// Predicted less measured for shares; predicted over measured less 1 for all else.
    pub error: f64,
}

/// Everything one `run` has found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub scenario: String,
    pub summary: String,
    pub estimate: Option<Estimate>,
    /// The full-scale day.
    pub simulation: Option<Run>,
    /// The scaled-down run, predicted.
    pub prediction: Option<Run>,
    pub measurement: Option<Measurement>,
    pub comparison: Option<Comparison>,
    pub stages: Vec<Stage>,
}

impl Report {
    /// One in which nothing has been found yet.
    #[must_use]
    pub fn new(scenario: &str, summary: &str) -> Self {
        Self {
            scenario: scenario.to_owned(),
            summary: summary.to_owned(),
            estimate: None,
            simulation: None,
            prediction: None,
            measurement: None,
            comparison: None,
            stages: Vec::new(),
        }
    }
}

/// How long a stage of `run` took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    pub name: String,
    pub wall_s: f64,
    /// Highest resident memory of the process up to the end of this stage, bytes.
    pub peak_memory_bytes: Option<u64>,
}

impl Latency {
    /// The value at quantile `p` (0 to 1), linear between stored quantiles; `None` without observations.
    #[must_use]
    pub fn at(&self, p: f64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let next = self.quantiles.partition_point(|q| q.p < p);
        match (next.checked_sub(1).and_then(|i| self.quantiles.get(i)), self.quantiles.get(next)) {
            (None, None) => None,
            (None, Some(q)) => Some(q.value_s),
            (Some(_), None) => Some(self.max_s),
            (Some(a), Some(b)) => Some(a.value_s + (b.value_s - a.value_s) * (p - a.p) / (b.p - a.p)),
        }
    }
}

/// Quantiles that a [`Latency`] keeps: dense in the tail, so that plots show it.
pub const QUANTILES: [f64; 33] = [
    0.0, 0.01, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35, 0.40, 0.45, 0.50, 0.55, 0.60, 0.65, 0.70, 0.75,
    0.80, 0.85, 0.90, 0.925, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.993, 0.995, 0.997, 0.998, 0.999, 0.9999,
];

/// A recorded trace, played through caches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// The scenario is the trace's name; nothing is random, so the seed is 0.
    pub provenance: Provenance,
    /// Kind of the trace: `oracle-general`, `csv` or `access-log`.
    pub format: String,
    pub requests: u64,
    /// Different objects.
    pub objects: u64,
    /// Bytes of all requests.
    pub bytes: u64,
    pub rows: Vec<ReplayRow>,
    pub curve: Option<MissRatioCurve>,
    /// A law for use in a scenario.
    #[serde(default)]
    pub fit: Option<PopularityFit>,
    /// What a reader should know.
    pub notes: Vec<String>,
}

/// Popularity laws fitted to a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PopularityFit {
    /// Exponent of Zipf's law.
    pub zipf: f64,
    /// Objects of the catalogue that go with it, also those that the trace never asks for.
    pub objects: f64,
    /// Objects that the trace asks for.
    pub seen: u64,
    /// Groups of objects by falling popularity, each counting those before it.
    pub table: Vec<FittedGroup>,
    /// Objects of the catalogue that go with the table.
    pub table_objects: f64,
    /// Miss ratios of LRU by the laws, beside the exact ones.
    pub checks: Vec<FitCheck>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FittedGroup {
    /// Share of the catalogue.
    pub top: f64,
    /// Share of the requests that these get.
    pub requests: f64,
}

/// One capacity; miss ratios of the whole trace, first requests included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FitCheck {
    pub objects: u64,
    pub exact: f64,
    /// By Che's approximation under each law.
    pub zipf: f64,
    pub table: f64,
}

/// One policy with one capacity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayRow {
    pub policy: String,
    pub capacity: u64,
    /// Objects ([`Unit::Count`]) or bytes.
    pub capacity_unit: Unit,
    pub requests: u64,
    pub misses: u64,
    pub miss_ratio: f64,
    pub bytes_missed: u64,
    /// Bytes missed over bytes of all requests.
    pub byte_miss_ratio: f64,
}

/// Exact misses by capacity, in objects.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MissRatioCurve {
    pub policy: String,
    /// First requests of objects, which miss at any capacity.
    pub first_requests: u64,
    /// Rising by capacity, evenly on a logarithmic scale.
    pub points: Vec<MissRatioPoint>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MissRatioPoint {
    pub objects: u64,
    pub misses: u64,
    pub miss_ratio: f64,
}
