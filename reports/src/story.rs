//! Sentences that a terminal and a page both say.
//!
//! Why here: the verdict, the bottleneck and the moment of a peak are the answer that people quote, so
//! they must not differ between renderers.

use crate::compare;
use crate::format::{clock, error, human, significant};
use crate::record::{
    ActionRun, Bottleneck, Comparison, ComparisonRow, Estimate, Happening, Impact, Provenance, Report,
    Resource, Run, SloVerdict, TierRun, Unit,
};

/// Runs shorter than this are load runs: moments in them are seconds from the start, not hours of a day.
const DAY_LIKE_S: f64 = 3600.0;
const DAY_S: f64 = 86_400.0;
/// Utilisation from which the tier with least room is at risk.
const FULL: f64 = 1.0;

/// Whether moments are told by the clock: of a day, or of a window of it.
fn by_clock(run: &Run) -> bool {
    run.duration_s >= DAY_LIKE_S || run.from_s > 0.0
}

/// `18:10 UTC`, or `second 23` of a short run.
pub fn moment(run: &Run, at_s: f64) -> String {
    if by_clock(run) {
        format!("{} UTC", clock(run.from_s + at_s))
    } else {
        format!("second {}", significant(at_s.round(), 3))
    }
}

/// `18:10 local time, europe`, or `second 23` of a short run: a scaled-down load run has one region only,
/// which goes without saying.
fn moment_in(run: &Run, at_s: f64, local_s: f64, region: &str) -> String {
    if !by_clock(run) {
        return moment(run, at_s);
    }
    let at = format!("{} local time", clock(local_s));
    if region.is_empty() { at } else { format!("{at}, {region}") }
}

/// Heading of a column of moments: see [`short_moment_in`].
pub fn moment_heading(run: &Run) -> &'static str {
    if by_clock(run) { "local time, where" } else { "second" }
}

/// `18:10 europe`: for a column under [`moment_heading`].
pub fn short_moment_in(run: &Run, at_s: f64, local_s: f64, region: &str) -> String {
    if !by_clock(run) {
        return significant(at_s.round(), 3);
    }
    format!("{} {region}", clock(local_s)).trim_end().to_owned()
}

/// Which tier binds first, how full it is, when and where, and how much more it takes.
pub fn bottleneck(run: &Run) -> Option<String> {
    let (tier, rest) = bottleneck_parts(run)?;
    Some(format!("{tier} binds first: {rest}"))
}

/// The tier that binds first, and the rest of the sentence.
pub fn bottleneck_parts(run: &Run) -> Option<(&str, String)> {
    let Bottleneck { tier, resource, utilisation, at_s, local_s, region, headroom } =
        run.bottleneck.as_ref()?;
    let busy = human(*utilisation, Unit::Share);
    let at = moment_in(run, *at_s, *local_s, region);
    let resource = match resource.as_str() {
        "servers" => "its servers are",
        "link" => "its link is",
        "disks" => "its disks are",
        other => &format!("its {other} is"),
    };
    let room = if *utilisation >= FULL || *headroom <= 1.0 {
        "There is no room left.".to_owned()
    } else {
        format!("Demand can grow {} times before that is full.", significant(*headroom, 3))
    };
    Some((tier, format!("{resource} {busy} busy at {at}. {room}")))
}

/// What an estimate finds fullest, and how much more demand that takes.
pub fn fullest(estimate: &Estimate) -> Option<String> {
    let now = estimate.growth.iter().find(|step| step.factor == 1.0)?;
    let first = now.resources.first().filter(|first| first.used > 0.0)?;
    let busy = human(first.used, Unit::Share);
    if first.used >= FULL {
        return Some(format!("{} bind first: {busy} used at the peak. There is no room left.", first.label));
    }
    // What is stored does not grow with the demand of a day: the next step of growth shows what does.
    let grows = |r: &&Resource| {
        let more = estimate.growth.iter().filter(|step| step.factor > 1.0);
        more.flat_map(|step| &step.resources).any(|later| later.id == r.id && later.used > r.used * 1.001)
    };
    let binding = now.resources.iter().find(grows)?;
    Some(format!(
        "{} bind first: {} used at the peak. Demand can grow {} times before that is full.",
        binding.label,
        human(binding.used, Unit::Share),
        significant(FULL / binding.used, 3)
    ))
}

/// `5 of 6 hold`.
pub fn slo_count(slos: &[SloVerdict]) -> String {
    let holding = slos.iter().filter(|s| s.holds).count();
    if holding == slos.len() && holding > 1 {
        return format!("all {holding} hold");
    }
    format!("{holding} of {} hold", slos.len())
}

/// The worst error of a comparison in words: `edge hit ratio, +0.7 points`.
pub fn worst(comparison: &Comparison) -> Option<(&ComparisonRow, String)> {
    let row = comparison
        .worst
        .as_ref()
        .and_then(|id| comparison.rows.iter().find(|r| r.id == *id))
        .or_else(|| compare::worst(&comparison.rows))?;
    Some((row, format!("{}, {}", row.label, error(row.error, row.unit))))
}

/// The run that a reader wants first: the full day, or else the scaled-down one.
pub fn main_run(report: &Report) -> Option<&Run> {
    report.simulation.as_ref().or(report.prediction.as_ref())
}

/// The action with the highest rate.
pub fn main_action(run: &Run) -> Option<&ActionRun> {
    run.actions.iter().reduce(|a, b| if b.rate_mean_per_s > a.rate_mean_per_s { b } else { a })
}

/// The cache that answers the most requests among those on a network (with a link or servers), or among
/// all if there is no such one.
pub fn main_cache(run: &Run) -> Option<&TierRun> {
    let hits = |t: &TierRun| t.cache.as_ref().map_or(0.0, |c| c.hit_ratio.value * t.requests);
    let best = |networked: bool| {
        let tiers = run.tiers.iter().filter(|t| t.cache.is_some());
        let tiers = tiers.filter(|t| !networked || t.station.is_some() || t.link.is_some());
        tiers.reduce(|a, b| if hits(b) > hits(a) { b } else { a })
    };
    best(true).or_else(|| best(false))
}

/// `18:00 to 20:00`, `16:00 for 20 s`, or `10:00` of what happens at once.
pub fn lasts(run: &Run, event: &Happening) -> String {
    let end_s = run.from_s + run.duration_s;
    let time = |at_s: f64| if at_s == DAY_S { "24:00".to_owned() } else { clock(at_s) };
    if event.to_s <= event.from_s {
        return time(event.from_s);
    }
    let lasts_s = event.to_s - event.from_s;
    if lasts_s < 60.0 {
        return format!("{} for {}", time(event.from_s), human(lasts_s, Unit::Seconds));
    }
    format!("{} to {}", time(event.from_s), time(event.to_s.min(end_s)))
}

/// The actions that an event hits, by what it does to them.
pub fn hit(event: &Happening) -> Vec<&Impact> {
    let failing = |i: &Impact| i.failed_share - i.usual_failed_share;
    let slower = |i: &Impact| match (i.first_byte_p99_s, i.usual_p99_s) {
        (Some(worst), Some(usual)) if usual > 0.0 => worst / usual,
        _ => 0.0,
    };
    let mut all: Vec<&Impact> = event.impacts.iter().collect();
    // What fails is worse than what is slow; below a hundredth it is chance.
    let rank = |i: &Impact| (if failing(i) > NOTICED { failing(i) } else { 0.0 }, slower(i));
    all.sort_by(|a, b| {
        let (a, b) = (rank(a), rank(b));
        b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    let hit = all.iter().take_while(|i| failing(i) > NOTICED || slower(i) > SLOWER).count();
    all.truncate(hit);
    all
}

/// Whom an event hits: one of the actions that it does, or none.
pub fn whom<'a>(event: &Happening, impact: Option<&'a Impact>) -> &'a str {
    let none = if event.impacts.is_empty() { "" } else { "no action" };
    impact.map_or(none, |impact| impact.action.as_str())
}

/// Share of requests that fail beyond the usual, and times that the 99th percentile is longer, from which an event is said
/// to hit an action.
const NOTICED: f64 = 0.01;
const SLOWER: f64 = 1.25;

/// When all is as usual after an event: `at once`, `21:15, after 75 min`.
pub fn recovered(run: &Run, event: &Happening) -> String {
    if event.impacts.is_empty() {
        return String::new();
    }
    let end_s = run.from_s + run.duration_s;
    match event.recovered_s {
        Some(at_s) if at_s < event.to_s + run.slot_s => "at once".to_owned(),
        Some(at_s) => format!("{}, after {}", clock(at_s), human(at_s - event.to_s, Unit::Seconds)),
        None if event.to_s >= end_s => "lasts to the end".to_owned(),
        None => "not before the end".to_owned(),
    }
}

/// One line: `simulated day · 1 in 1,000 objects · 3 replications · seed 1`.
pub fn method(run: &Run) -> String {
    let m = &run.method;
    let mut parts = vec![human(run.duration_s, Unit::Seconds), m.mode.clone()];
    if m.objects_per_sample > 1 {
        parts.push(format!("1 object stands for {}", human(m.objects_per_sample as f64, Unit::Count)));
    }
    if m.replications > 1 {
        parts.push(format!("{} replications", m.replications));
    }
    parts.push(format!("{} requests simulated", human(m.simulated_requests as f64, Unit::Count)));
    if m.simulated_customers > 0 {
        parts.push(format!("{} queue customers", human(m.simulated_customers as f64, Unit::Count)));
    }
    parts.join(" · ")
}

/// One line that says how to get the same again: `plimsoll 0.1.0 · seed 1 · load.at=peak`.
pub fn provenance(p: &Provenance) -> String {
    let mut parts = vec![format!("plimsoll {}", p.version), format!("seed {}", p.seed)];
    parts.extend(p.options.iter().map(|(name, value)| format!("{name}={value}")));
    if p.partial {
        parts.push("partial: stopped early".to_owned());
    }
    parts.join(" · ")
}

/// The first provenance that a report has.
pub fn any_provenance(report: &Report) -> Option<&Provenance> {
    let estimate = report.estimate.as_ref().map(|e: &Estimate| &e.provenance);
    estimate
        .or(report.simulation.as_ref().map(|r| &r.provenance))
        .or(report.prediction.as_ref().map(|r| &r.provenance))
        .or(report.measurement.as_ref().map(|m| &m.provenance))
        .or(report.comparison.as_ref().map(|c| &c.provenance))
}

/// What a kind of failure of a load run means; nothing of kinds that speak for themselves.
pub fn failure(kind: &str) -> &'static str {
    match kind {
        "connect" => "nobody listened, or the connection was refused",
        "reset" => "the connection was closed before an answer began, or in its middle",
        "timeout" => "no whole answer in time (`--timeout`)",
        "protocol" => "the answer was no HTTP/1.1: is this the right port, and does it want TLS?",
        "short_body" => "fewer bytes came than the answer had promised",
        "too_many_files" => "this process may open no more files (`ulimit -n`)",
        "no_ports" => "this machine had no free port left",
        "stopped" => "still under way when the run ended",
        "status_429" => "the target limits this client's rate",
        "status_500" | "status_502" => "the target, or what is behind it, is broken",
        "status_503" => "the target is overloaded, or down for maintenance",
        "status_504" => "what is behind the target took too long",
        "status_401" | "status_403" => "the target wants to know who asks (`--header`)",
        "status_404" => "the target has no such thing: do the path in `http` and the objects fit it?",
        kind if kind.starts_with("check_") => "the answer was not what it must be (`--check`, `expect`)",
        _ => "",
    }
}

/// What an SLO is about: the part of its text before the first `.` or blank.
pub fn slo_subject(slo: &SloVerdict) -> &str {
    let text = slo.text.trim();
    text.split(['.', ' ']).next().unwrap_or(text)
}
