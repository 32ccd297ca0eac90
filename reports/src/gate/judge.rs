//! From rounds to answers.
//!
//! A threshold is **breached** where the whole interval of the measured value lies on its wrong side.
//!
//! A series is worse than the baseline where two things come together: the change is larger than the smallest
//! that matters, and its interval leaves no room for "no change". The second is the stricter, the more series
//! are looked at: with the whole gate's error probability shared out over them (Bonferroni), a gate on a
//! system that has not changed raises a false alarm in at most [`Judge::ALPHA`] of its runs, however many
//! series it watches. It has **passed** where the interval leaves no room for a change that matters.

use super::baseline::Baseline;
use super::bootstrap::{ROUNDS_MIN, Spread, centre, mean, memory, resample, shift, wilson};
use super::rounds::{Round, quantile};
use super::series::{Kind, Series};
use super::threshold::Threshold;
use super::verdict::{Answer, Change, Check, Verdict};
use crate::format::{change as percent, human, signed, significant};
use crate::record::{Comparison, Interval, Unit};

/// Observations that must lie beyond a quantile in a round: with fewer it is one request's luck.
pub const BEYOND_MIN: f64 = 10.0;
/// Error probability on each side of the intervals that are shown.
const SHOWN: f64 = 0.05;
/// More rounds than this settle nothing that a person would wait for.
const ROUNDS_MAX: f64 = 500.0;
/// A settled answer needs a margin: this many times the rounds that would just do.
const MARGIN: f64 = 1.5;
/// Rounds with the requests of their partner, of all, from which on the others are left out.
const ALIKE_MIN: f64 = 0.6;
/// Times that differ by less than this differ by the clocks and the scheduler, seconds.
const NEGLIGIBLE_S: f64 = 2e-4;
/// How much more of the machine others may use than when the baseline was recorded.
const OTHERS_MAX: f64 = 0.05;
/// Smallest changes of shares that matter, in points of 1.
const ERRORS_EFFECT: f64 = 0.001;
const SHARE_EFFECT: f64 = 0.01;

/// What to ask of the rounds.
#[derive(Debug, Clone)]
pub struct Judge {
    pub seed: u64,
    pub thresholds: Vec<Threshold>,
    /// Series to hold against the baseline; empty for the usual ones.
    pub watched: Vec<Series>,
    /// Smallest relative change of a time or a rate that matters.
    pub min_effect: f64,
    /// Largest error of a prediction, relative for times and rates, in points of 1 for shares.
    pub tolerance: Option<f64>,
}

impl Judge {
    /// False alarms of a gate on an unchanged system.
    pub const ALPHA: f64 = 0.05;
    /// The usual smallest change that matters: 5 %.
    pub const MIN_EFFECT: f64 = 0.05;

    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            thresholds: Vec::new(),
            watched: Vec::new(),
            min_effect: Self::MIN_EFFECT,
            tolerance: None,
        }
    }
}

/// Answers all questions. `comparisons` are the rounds held against a prediction, one each.
#[must_use]
pub fn judge(
    judge: &Judge,
    rounds: &[Round],
    baseline: Option<&Baseline>,
    comparisons: &[Comparison],
) -> Vec<Verdict> {
    let mut verdicts: Vec<Verdict> =
        judge.thresholds.iter().map(|threshold| held(judge, threshold, rounds)).collect();
    if let Some(baseline) = baseline {
        let usual = if judge.watched.is_empty() { usual(rounds) } else { judge.watched.clone() };
        let alarm = Judge::ALPHA / usual.len().max(1) as f64;
        verdicts.extend(usual.iter().map(|series| compared(judge, series, rounds, baseline, alarm)));
    }
    if let Some(tolerance) = judge.tolerance {
        verdicts.extend(predicted(judge.seed, tolerance, comparisons));
    }
    verdicts
}

/// Whether other processes kept the machine busier than when the baseline was recorded, in words: then times that are
/// longer may be theirs. Rounds cannot show it, for all of them had the same company.
#[must_use]
pub fn busier(rounds: &[Round], baseline: &Baseline) -> Option<String> {
    let series = Series { subject: None, quantity: "others_busy", kind: Kind::Value };
    let before: Vec<f64> = baseline.column(&series)?.iter().copied().flatten().collect();
    let now: Vec<f64> = rounds.iter().filter_map(|round| round.value(&series)).collect();
    let (before, now) = (centre(&before), centre(&now));
    (now - before > OTHERS_MAX).then(|| {
        let shown = |x: f64| human(x, Unit::Share);
        format!(
            "other processes kept {} of the machine busy, {} when the baseline was recorded",
            shown(now),
            shown(before)
        )
    })
}

/// The series that a gate watches unless told otherwise: failures, every action's first byte at its median and
/// 99th percentile (where a round has enough requests for one), and what caches answer.
#[must_use]
pub fn usual(rounds: &[Round]) -> Vec<Series> {
    let mut names = vec!["errors".to_owned()];
    let keys = |round: &Round| round.times.keys().chain(round.shares.keys()).cloned().collect::<Vec<_>>();
    for key in rounds.first().map(keys).unwrap_or_default() {
        if key.ends_with(".hit_ratio") {
            names.push(key);
        } else if key.ends_with(".first_byte") {
            names.extend([50, 99].map(|p| format!("{key} p{p}")));
        }
    }
    let enough = |series: &Series| match series.kind {
        Kind::Time { p } => rounds.iter().all(|round| {
            round.times.get(&series.key()).is_some_and(|t| t.count() as f64 * (1.0 - p) >= BEYOND_MIN)
        }),
        Kind::Share | Kind::Value => rounds.iter().any(|round| round.value(series).is_some()),
    };
    names.iter().filter_map(|name| Series::parse(name).ok()).filter(enough).collect()
}

/// A threshold, held against all rounds together.
fn held(judge: &Judge, threshold: &Threshold, rounds: &[Round]) -> Verdict {
    let series = &threshold.series;
    let spread = pooled(judge.seed, series, rounds);
    let measured = spread.map(|spread| interval(series, spread, rounds));
    let check = Check::Threshold { text: threshold.text.clone(), bound: threshold.bound, measured };
    let verdict = |answer, why, rounds_needed| Verdict {
        series: series.to_string(),
        unit: series.unit(),
        check: check.clone(),
        answer,
        why,
        rounds_needed,
    };
    let Some(Interval { value, low, high }) = measured else {
        return verdict(Answer::Inconclusive, missing(series, rounds), None);
    };
    let unit = series.unit();
    let shown = human(value, unit);
    let (best, worst) = if threshold.less_than { (low, high) } else { (high, low) };
    if threshold.holds(worst) {
        let why = format!("{shown}, and {} at worst", human(worst, unit));
        return verdict(Answer::Passed, why, None);
    }
    if !threshold.holds(best) {
        let why = format!("{shown}, and {} at best", human(best, unit));
        return verdict(Answer::Breached, why, None);
    }
    let beyond = if threshold.holds(value) { worst } else { best };
    let needed = rounds_needed(rounds.len(), (beyond - value).abs(), (threshold.bound - value).abs());
    let why = format!(
        "{shown}, but anything from {} to {} is possible; {}",
        human(low, unit),
        human(high, unit),
        settled_by(needed, "the value is too close to the bound")
    );
    verdict(Answer::Inconclusive, why, needed)
}

/// The value of all rounds together, and its spread over rounds.
fn pooled(seed: u64, series: &Series, rounds: &[Round]) -> Option<Spread> {
    let (key, name) = (series.key(), series.to_string());
    let values: Vec<f64> = rounds.iter().filter_map(|round| round.value(series)).collect();
    let spread = match series.kind {
        Kind::Time { p } => {
            let merged = Merged::of(rounds.iter().filter_map(|round| round.times.get(&key)));
            resample([merged.rounds], seed, &name, |[chosen]| merged.quantile(chosen, p).unwrap_or(f64::NAN))
        }
        Kind::Share => {
            let shares: Vec<_> = rounds.iter().filter_map(|round| round.shares.get(&key)).collect();
            resample([shares.len()], seed, &name, |[chosen]| {
                let (hits, total) = chosen
                    .iter()
                    .fold((0.0, 0.0), |(hits, total), &i| (hits + shares[i].hits, total + shares[i].total));
                hits / total
            })
        }
        Kind::Value => resample([values.len()], seed, &name, |[chosen]| mean(&picked(&values, chosen))),
    };
    Some(spread?.remembering(memory(&values)))
}

/// The shown interval; of a share no shorter than independent trials allow.
fn interval(series: &Series, spread: Spread, rounds: &[Round]) -> Interval {
    let mut interval = Interval { value: spread.value, low: spread.low(SHOWN), high: spread.high(SHOWN) };
    if series.kind == Kind::Share {
        let (hits, total) = rounds
            .iter()
            .filter_map(|round| round.shares.get(&series.key()))
            .fold((0.0, 0.0), |(hits, total), share| (hits + share.hits, total + share.total));
        let (low, high) = wilson(hits, total, SHOWN);
        interval.low = interval.low.min(low).max(0.0);
        interval.high = interval.high.max(high).min(1.0);
    }
    interval
}

/// Counts of all rounds by bucket, so that a choice of rounds is merged in one pass.
struct Merged {
    buckets: Vec<(f64, Vec<u64>)>,
    rounds: usize,
}

impl Merged {
    fn of<'a>(rounds: impl Iterator<Item = &'a super::rounds::Times>) -> Self {
        let rounds: Vec<_> = rounds.filter(|times| times.count() > 0).collect();
        let mut edges: Vec<f64> = rounds.iter().flat_map(|t| t.buckets().iter().map(|(v, _)| *v)).collect();
        edges.sort_by(f64::total_cmp);
        edges.dedup();
        let mut buckets: Vec<(f64, Vec<u64>)> =
            edges.into_iter().map(|value| (value, vec![0; rounds.len()])).collect();
        for (i, times) in rounds.iter().enumerate() {
            for (value, n) in times.buckets() {
                let at = buckets.partition_point(|(edge, _)| edge < value);
                buckets[at].1[i] += n;
            }
        }
        Self { buckets, rounds: rounds.len() }
    }

    fn quantile(&self, chosen: &[usize], p: f64) -> Option<f64> {
        let mut times_chosen = vec![0_u64; self.rounds];
        for &i in chosen {
            times_chosen[i] += 1;
        }
        let of = |counts: &[u64]| counts.iter().zip(&times_chosen).map(|(n, k)| n * k).sum::<u64>();
        let count = self.buckets.iter().map(|(_, counts)| of(counts)).sum();
        quantile(self.buckets.iter().map(|(value, counts)| (*value, of(counts))), count, p)
    }
}

/// A series, held against the baseline.
fn compared(judge: &Judge, series: &Series, rounds: &[Round], baseline: &Baseline, alarm: f64) -> Verdict {
    let verdict = |change, answer, why, rounds_needed| Verdict {
        series: series.to_string(),
        unit: series.unit(),
        check: Check::Baseline(change),
        answer,
        why,
        rounds_needed,
    };
    let Some(columns) = Columns::of(series, rounds, baseline) else {
        let why = if rounds.iter().filter(|round| round.value(series).is_some()).count() < ROUNDS_MIN {
            missing(series, rounds)
        } else {
            "the baseline does not know it well enough; record it again with --update-baseline".to_owned()
        };
        return verdict(None, Answer::Inconclusive, why, None);
    };
    let Some(spread) = columns.spread(judge.seed, series) else {
        return verdict(None, Answer::Inconclusive, missing(series, rounds), None);
    };
    let effect = min_effect(judge, series, columns.before());
    let (answer, needed) = weigh(series, spread, effect, alarm, rounds.len());
    let change = columns.change(series, spread, effect, alarm);
    let why = reason(series, &change, answer, needed);
    verdict(Some(change), answer, why, needed)
}

/// Values of a series before and now: in pairs by their place in the run, or as two groups.
///
/// Why by place: rounds of one place had the same requests and caches of the same age, so both cancel in the
/// difference. A round that was played again had other requests: it is left out, if there are enough without.
struct Columns {
    before: Vec<f64>,
    now: Vec<f64>,
    paired: bool,
}

impl Columns {
    /// `None` with fewer than [`ROUNDS_MIN`] values on a side.
    fn of(series: &Series, rounds: &[Round], baseline: &Baseline) -> Option<Self> {
        let column = baseline.column(series)?;
        let places = column.iter().zip(&baseline.seeds).zip(rounds);
        let pairs: Vec<(bool, f64, f64)> = places
            .filter_map(|((before, seed), round)| {
                Some((*seed == round.seed, (*before)?, round.value(series)?))
            })
            .collect();
        let alike = pairs.iter().filter(|(alike, ..)| *alike).count();
        let only_alike = alike >= ROUNDS_MIN && alike as f64 >= ALIKE_MIN * pairs.len() as f64;
        let before: Vec<f64> = column.iter().copied().flatten().collect();
        let now: Vec<f64> = rounds.iter().filter_map(|round| round.value(series)).collect();
        // Rounds without a partner are thrown away only if they are few.
        let paired = pairs.len() >= ROUNDS_MIN && 5 * pairs.len() >= 4 * before.len().max(now.len());
        let kept = pairs.into_iter().filter(|(alike, ..)| *alike || !only_alike);
        let (before, now) =
            if paired { kept.map(|(_, before, now)| (before, now)).unzip() } else { (before, now) };
        (before.len() >= ROUNDS_MIN && now.len() >= ROUNDS_MIN).then_some(Self { before, now, paired })
    }

    /// The change on the scale on which it is judged: logarithms of ratios, or differences.
    fn spread(&self, seed: u64, series: &Series) -> Option<Spread> {
        let scale = |value: &f64| if series.by_ratio() { value.max(1e-9).ln() } else { *value };
        let before: Vec<f64> = self.before.iter().map(scale).collect();
        let now: Vec<f64> = self.now.iter().map(scale).collect();
        // A failure is a fact, so shares count every round; a slow round may be the machine's.
        let robust = series.by_ratio();
        let name = series.to_string();
        if self.paired {
            let differences: Vec<f64> = before.iter().zip(&now).map(|(before, now)| now - before).collect();
            let statistic = if robust { centre } else { mean };
            let spread = resample([differences.len()], seed, &name, |[chosen]| {
                statistic(&picked(&differences, chosen))
            })?;
            return Some(spread.remembering(memory(&differences)));
        }
        let spread = resample([before.len(), now.len()], seed, &name, |[first, second]| {
            let (first, second) = (picked(&before, first), picked(&now, second));
            if robust { shift(&first, &second) } else { mean(&second) - mean(&first) }
        })?;
        Some(spread.remembering(memory(&before).max(memory(&now))))
    }

    fn before(&self) -> f64 {
        centre(&self.before)
    }

    /// The change as people read it: ratios less 1, in the direction in which it was measured.
    fn change(&self, series: &Series, spread: Spread, effect: f64, alarm: f64) -> Change {
        let shown = |x: f64| if series.by_ratio() { x.exp_m1() } else { x };
        let sure = if series.higher_is_worse() { spread.low(alarm) } else { spread.high(alarm) };
        let middle = |values: &[f64]| if series.by_ratio() { centre(values) } else { mean(values) };
        Change {
            before: middle(&self.before),
            now: middle(&self.now),
            change: Interval {
                value: shown(spread.value),
                low: shown(spread.low(SHOWN)),
                high: shown(spread.high(SHOWN)),
            },
            sure: shown(sure),
            min_effect: shown(effect),
            paired: self.paired,
        }
    }
}

/// The smallest change that matters, on the scale on which it is judged.
fn min_effect(judge: &Judge, series: &Series, before: f64) -> f64 {
    match series.unit() {
        Unit::Seconds => (judge.min_effect.max(NEGLIGIBLE_S / before.max(1e-9))).ln_1p(),
        Unit::Share if ["errors", "availability", "stalled"].contains(&series.quantity) => ERRORS_EFFECT,
        Unit::Share => SHARE_EFFECT,
        _ => judge.min_effect.ln_1p(),
    }
}

/// The answer, and the rounds that would settle a doubt.
fn weigh(series: &Series, spread: Spread, effect: f64, alarm: f64, rounds: usize) -> (Answer, Option<u64>) {
    // As if higher were worse.
    let (worse, sure, most) = if series.higher_is_worse() {
        (spread.value, spread.low(alarm), spread.high(SHOWN))
    } else {
        (-spread.value, -spread.high(alarm), -spread.low(SHOWN))
    };
    if worse >= effect && sure > 0.0 {
        return (Answer::Breached, None);
    }
    if most < effect {
        return (Answer::Passed, None);
    }
    let needed = if worse >= effect {
        rounds_needed(rounds, worse - sure, worse)
    } else {
        rounds_needed(rounds, most - worse, effect - worse)
    };
    (Answer::Inconclusive, needed)
}

fn reason(series: &Series, change: &Change, answer: Answer, needed: Option<u64>) -> String {
    let unit = series.unit();
    let shown = |x: f64| if series.by_ratio() { percent(x) } else { signed(x, Unit::Share) };
    let from_to = format!("{} to {}", human(change.before, unit), human(change.now, unit));
    let Interval { value, low, high } = change.change;
    let worse = if series.higher_is_worse() { value } else { -value };
    match answer {
        Answer::Breached => format!("{from_to}, {} (at least {})", shown(value), shown(change.sure)),
        Answer::Passed if worse <= -change.min_effect => {
            format!("{from_to}, {}: better; --update-baseline keeps it", shown(value))
        }
        Answer::Passed => format!("{from_to}, {} ({} to {})", shown(value), shown(low), shown(high)),
        Answer::Inconclusive => format!(
            "{from_to}, but anything from {} to {} is possible, and {} matters; {}",
            shown(low),
            shown(high),
            shown(change.min_effect).trim_start_matches('+'),
            settled_by(needed, "the change is too close to what matters")
        ),
    }
}

/// The rounds, held against the prediction of each.
fn predicted(seed: u64, tolerance: f64, comparisons: &[Comparison]) -> Vec<Verdict> {
    let Some(first) = comparisons.first() else { return Vec::new() };
    let mut verdicts = Vec::new();
    for row in &first.rows {
        let same: Vec<_> =
            comparisons.iter().filter_map(|c| c.rows.iter().find(|r| r.id == row.id)).collect();
        let errors: Vec<f64> = same.iter().map(|row| row.error).collect();
        let measured: Vec<f64> = same.iter().map(|row| row.measured).collect();
        let Some(spread) =
            resample([errors.len()], seed, &row.id, |[chosen]| centre(&picked(&errors, chosen)))
        else {
            continue;
        };
        let error = Interval { value: spread.value, low: spread.low(SHOWN), high: spread.high(SHOWN) };
        let shown = |x: f64| crate::format::error(x, row.unit);
        let (answer, needed) = if error.low > -tolerance && error.high < tolerance {
            (Answer::Passed, None)
        } else if error.low > tolerance || error.high < -tolerance {
            (Answer::Breached, None)
        } else {
            let length = (error.high - error.value).max(error.value - error.low);
            (Answer::Inconclusive, rounds_needed(errors.len(), length, (error.value.abs() - tolerance).abs()))
        };
        let mut why =
            format!("off by {} ({} to {})", shown(error.value), shown(error.low), shown(error.high));
        if answer == Answer::Inconclusive {
            why += &format!("; {}", settled_by(needed, "the error is too close to the tolerance"));
        }
        let (predicted, measured) = (row.predicted, centre(&measured));
        verdicts.push(Verdict {
            series: row.id.clone(),
            unit: row.unit,
            check: Check::Prediction { predicted, measured, error, tolerance },
            answer,
            why,
            rounds_needed: needed,
        });
    }
    verdicts
}

/// Rounds in all after which an interval of this length has shrunk to `wanted`: lengths go with the square
/// root of the rounds. `None` where that is more than anybody would play.
fn rounds_needed(rounds: usize, length: f64, wanted: f64) -> Option<u64> {
    let factor = length / wanted;
    let needed = (rounds as f64 * factor * factor * MARGIN).ceil().max(rounds as f64 + 1.0);
    (needed.is_finite() && needed <= ROUNDS_MAX).then_some(needed as u64)
}

fn settled_by(needed: Option<u64>, otherwise: &str) -> String {
    match needed {
        Some(rounds) => format!("about {} rounds would settle it", significant(rounds as f64, 3)),
        None => {
            format!("no number of rounds will settle it soon: {otherwise}, or the machine is too restless")
        }
    }
}

fn missing(series: &Series, rounds: &[Round]) -> String {
    let seen = rounds.iter().filter(|round| round.value(series).is_some()).count();
    if seen == 0 {
        let mut names: Vec<&String> = rounds
            .first()
            .map(|round| round.times.keys().chain(round.shares.keys()).chain(round.values.keys()).collect())
            .unwrap_or_default();
        names.sort();
        let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
        return format!("no round measured `{}`; measured were {}", series.key(), names.join(", "));
    }
    format!("measured in {seen} rounds, {ROUNDS_MIN} are the least that show a spread")
}

fn picked(values: &[f64], chosen: &[usize]) -> Vec<f64> {
    chosen.iter().map(|&i| values[i]).collect()
}
