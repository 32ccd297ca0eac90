//! `plimsoll estimate --solve FIELD --until BOUND`: the estimate asked backwards.

use plimsoll_reports::format::human;
use plimsoll_reports::json;
use plimsoll_reports::record::Solution;
use plimsoll_scenarios::amount;
use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::quantities::{self, Measure};
use plimsoll_sim::estimate;

use crate::cli::{EstimateArgs, PageFormat};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;

/// Furthest that a value is moved from where the scenario has it, up or down.
const FACTOR_MAX: f64 = 1e9;
/// Halvings of the last step; the answer is known to about 10^-12.
const HALVINGS: u32 = 40;

/// A bound on a quantity.
struct Bound {
    id: String,
    less_than: bool,
    value: f64,
}

impl Bound {
    fn holds(&self, value: f64) -> bool {
        if self.less_than { value <= self.value } else { value >= self.value }
    }
}

pub fn run(
    args: &EstimateArgs,
    path: &str,
    bound: &str,
    prices: &PriceList,
    terminal: &Terminal,
) -> Result<Code, Failure> {
    let Some(name) = &args.scenario else {
        return Err(Failure::Usage("--solve needs a scenario\nhint: `plimsoll estimate spotify --solve population.users --until 'web.servers <= 500'`".into()));
    };
    let scenario = plimsoll_scenarios::load_with(name, &args.set)?;
    let bound = parse(bound, &estimate::ids(&scenario, prices), &scenario)?;
    let Some(text) = amount::value_at(name, &args.set, path)? else {
        // The setting's own message says what is nearest, or that there is nothing to vary.
        plimsoll_scenarios::load_with(name, &[&args.set[..], &[format!("{path}=0")]].concat())?;
        return Err(Failure::Usage(format!(
            "`{path}` has no value to vary\nhint: give it one with `--set {path}=VALUE`"
        )));
    };
    if amount::times(&text, 2.0).is_none() {
        return Err(Failure::Usage(format!(
            "`{path}` is `{text}`, no number to vary\nhint: name a field such as `population.users`"
        )));
    }
    let at = |factor: f64| -> Option<f64> {
        let value = setting(name, args, path, &text, factor)?;
        let scenario = plimsoll_scenarios::load_with(name, &[&args.set[..], &[value]].concat()).ok()?;
        estimate::value_of(&scenario, prices, &bound.id)
    };
    let now = at(1.0).ok_or_else(|| Failure::Usage(format!("`{}` has no value here", bound.id)))?;
    let holds = |factor: f64| at(factor).map(|value| bound.holds(value));
    let Some((kept, broken)) = bracket(&holds) else {
        let always = if bound.holds(now) { "holds" } else { "does not hold" };
        return Err(Failure::Usage(format!(
            "`{} {} ...` {always} whatever `{path}` is: it is {} at {text}\nhint: ask for another quantity, or vary another field",
            bound.id,
            if bound.less_than { "<=" } else { ">=" },
            shown(&bound.id, now, &scenario)
        )));
    };
    let factor = narrow(kept, broken, &holds);
    let value = setting(name, args, path, &text, factor).unwrap_or_default();
    let value = value.split_once('=').map_or("", |(_, v)| v).to_owned();
    answer(
        args,
        terminal,
        &Answer {
            path,
            text: &text,
            value: &value,
            factor,
            bound: &bound,
            now,
            then: at(factor).unwrap_or(now),
            upper: kept < broken,
        },
        &scenario,
    )
}

struct Answer<'a> {
    path: &'a str,
    text: &'a str,
    value: &'a str,
    factor: f64,
    bound: &'a Bound,
    now: f64,
    then: f64,
    upper: bool,
}

fn answer(
    args: &EstimateArgs,
    terminal: &Terminal,
    answer: &Answer<'_>,
    scenario: &plimsoll_scenarios::Scenario,
) -> Result<Code, Failure> {
    if args.format == PageFormat::Json {
        let record = Solution {
            solve: answer.path.to_owned(),
            now: answer.text.to_owned(),
            value: answer.value.to_owned(),
            factor: answer.factor,
            largest: answer.upper,
            quantity: answer.bound.id.clone(),
            bound: answer.bound.value,
            quantity_now: answer.now,
            quantity_then: answer.then,
        };
        terminal.print(&json::to_string(&record)?)?;
        return Ok(Code::Success);
    }
    let which = if answer.upper { "at most" } else { "at least" };
    let sign = if answer.bound.less_than { "<=" } else { ">=" };
    let quantity = |value| shown(&answer.bound.id, value, scenario);
    terminal.print(&format!(
        "{} may be {which} {}  ({:.4} x the present {})\n  {} {sign} {}: {} there, {} now\n  next  plimsoll estimate {} --set '{}={}'\n",
        answer.path,
        short(answer.value),
        answer.factor,
        answer.text,
        answer.bound.id,
        quantity(answer.bound.value),
        quantity(answer.then),
        quantity(answer.now),
        args.scenario.as_deref().unwrap_or_default(),
        answer.path,
        answer.value,
    ))?;
    Ok(Code::Success)
}

/// A value of many digits, cut to six.
fn short(text: &str) -> String {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    match text[..end].parse::<f64>() {
        Ok(value) => format!("{}{}", plimsoll_reports::format::significant(value, 6), &text[end..]),
        Err(_) => text.to_owned(),
    }
}

/// The field at a multiple of its value, as a setting; rounded where only a whole number will do.
fn setting(name: &str, args: &EstimateArgs, path: &str, text: &str, factor: f64) -> Option<String> {
    let value = amount::times(text, factor)?;
    let setting = format!("{path}={value}");
    let accepted = |s: &String| {
        plimsoll_scenarios::load_with(name, &[&args.set[..], std::slice::from_ref(s)].concat()).is_ok()
    };
    if accepted(&setting) {
        return Some(setting);
    }
    let whole = value.parse::<f64>().ok()?.round();
    Some(format!("{path}={whole}")).filter(accepted)
}

fn parse(text: &str, ids: &[String], scenario: &plimsoll_scenarios::Scenario) -> Result<Bound, Failure> {
    let example = "\nhint: write `web.servers <= 500` or `edge.hit_ratio >= 85 %`";
    let (left, right, less_than) = text
        .split_once('<')
        .map(|(l, r)| (l, r, true))
        .or_else(|| text.split_once('>').map(|(l, r)| (l, r, false)))
        .ok_or_else(|| Failure::Usage(format!("`{text}` has no `<=` or `>=`{example}")))?;
    let (id, right) = (left.trim(), right.trim_start_matches('=').trim());
    if !ids.iter().any(|known| known == id) {
        let names: Vec<&str> = ids.iter().map(String::as_str).collect();
        let hint = plimsoll_scenarios::suggest(id, &names).map_or_else(
            || "\nhint: `plimsoll estimate SCENARIO --format json` lists them".to_owned(),
            |n| format!("\nhint: did you mean `{n}`?"),
        );
        return Err(Failure::Usage(format!("no quantity is named `{id}`{hint}")));
    }
    let measure = measure_of(id, scenario).unwrap_or(Measure::Number);
    let value =
        measure.read(right).map_err(|(cause, fix)| Failure::Usage(format!("{cause}\nhint: {fix}")))?;
    Ok(Bound { id: id.to_owned(), less_than, value })
}

fn measure_of(id: &str, scenario: &plimsoll_scenarios::Scenario) -> Option<Measure> {
    let (subject, quantity) = id.rsplit_once('.')?;
    let table = if subject == quantities::WHOLE {
        quantities::TOTAL
    } else if scenario.actions.contains_key(subject) {
        quantities::ACTION
    } else if scenario.datasets.contains_key(subject) {
        quantities::DATASET
    } else {
        quantities::TIER
    };
    quantities::measure(table, quantity)
}

fn shown(id: &str, value: f64, scenario: &plimsoll_scenarios::Scenario) -> String {
    use plimsoll_reports::record::Unit;
    let unit = match measure_of(id, scenario) {
        Some(Measure::Rate) => Unit::PerSecond,
        Some(Measure::PerDay) => Unit::PerDay,
        Some(Measure::Bandwidth) => Unit::BitsPerSecond,
        Some(Measure::Size) => Unit::Bytes,
        Some(Measure::Share) => Unit::Share,
        Some(Measure::Duration) => Unit::Seconds,
        Some(Measure::Money) => Unit::DollarsPerMonth,
        Some(Measure::Count) => Unit::Count,
        _ => Unit::Number,
    };
    human(value, unit)
}

/// Two factors next to each other of which the bound holds at the first and not at the second: upwards from
/// where it holds, or else downwards.
fn bracket(holds: &dyn Fn(f64) -> Option<bool>) -> Option<(f64, f64)> {
    let start = holds(1.0)?;
    for step in [2.0, 0.5] {
        let mut before = 1.0;
        let mut factor: f64 = step;
        while (1.0 / FACTOR_MAX..=FACTOR_MAX).contains(&factor) {
            match holds(factor) {
                Some(now) if now != start => {
                    return Some(if start { (before, factor) } else { (factor, before) });
                }
                Some(_) => before = factor,
                // Beyond what the field may be.
                None => break,
            }
            factor *= step;
        }
    }
    None
}

fn narrow(mut kept: f64, mut broken: f64, holds: &dyn Fn(f64) -> Option<bool>) -> f64 {
    for _ in 0..HALVINGS {
        let middle = (kept * broken).sqrt();
        if holds(middle) == Some(true) {
            kept = middle;
        } else {
            broken = middle;
        }
        if (kept / broken - 1.0).abs() < 1e-9 {
            break;
        }
    }
    kept
}
