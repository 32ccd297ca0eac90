//! Whether what was planned arrives: as many, at the right distances, and how late requests leave.
//!
//! Gaps are those between the kernel's stamps on what has reached the target; what the generator says of itself could
//! not tell. Beside it stands the least that can be done on this machine: a loop that sleeps and writes.

use plimsoll_reports::record::Measurement;

use crate::contestant::{Task, Turn, run};
use crate::machine::Machine;
use crate::stamped::Stamped;
use crate::table::{print, row, us};
use crate::{Asked, Outcome, floor, ours};

const RATES: [u32; 3] = [100, 1_000, 5_000];
/// Fewer requests than this have a coefficient of variation by luck: that of 4,000 is off by 2 % in one of three runs.
const REQUESTS_MIN: f64 = 4_000.0;

pub fn measure(asked: &Asked) -> Outcome<()> {
    let heading = [
        "arrivals",
        "by",
        "planned",
        "arrived",
        "off by",
        "missed",
        "CV of gaps",
        "lag p50",
        "lag p99",
        "lag max",
        "CPU a request",
        "others, stolen",
    ];
    let mut rows = vec![row(heading)];
    for rate in RATES {
        for model in ["constant", "poisson"] {
            let seconds =
                asked.seconds.max(if model == "poisson" { REQUESTS_MIN / f64::from(rate) } else { 0.0 });
            let arrivals = format!("{model} {rate}/s");
            rows.push(floor(&arrivals, seconds)?);
            rows.push(plimsoll(&arrivals, seconds)?);
        }
    }
    print(
        "Delivered rate against the plan (gaps by the kernel's stamps, lag by who sends; `others` and `stolen` in processors)",
        &rows,
    );
    Ok(())
}

fn plimsoll(arrivals: &str, seconds: f64) -> Outcome<Vec<String>> {
    let (target, machine) = (Stamped::start()?, Machine::now());
    let task = Task { url: target.url.clone(), seconds, connections: 512, rate: None };
    let turn = run(ours::with(arrivals, &task)?, &task, ours::read)?;
    let run: Measurement = serde_json::from_value(turn.said.all.clone())?;
    let lag = |p: f64| run.lag.at(p).unwrap_or(f64::NAN);
    let lags_s = [lag(0.5), lag(0.99), run.lag.max_s];
    told((arrivals, "plimsoll"), (run.planned, run.missed), lags_s, &turn, target, machine)
}

fn floor(arrivals: &str, seconds: f64) -> Outcome<Vec<String>> {
    let (target, machine) = (Stamped::start()?, Machine::now());
    let task = Task { url: target.url.clone(), seconds, connections: 64, rate: None };
    let turn = run(floor::command(&target.url, arrivals, seconds)?, &task, floor::read)?;
    let lags_s = [0, 1, 2].map(|i| turn.said.all["lag_s"][i].as_f64().unwrap_or(f64::NAN));
    told((arrivals, "sleep and write"), (turn.said.requests, 0), lags_s, &turn, target, machine)
}

fn told(
    (arrivals, by): (&str, &str),
    (planned, missed): (u64, u64),
    lags_s: [f64; 3],
    turn: &Turn,
    target: Stamped,
    machine: Option<Machine>,
) -> Outcome<Vec<String>> {
    let others = machine.and_then(|machine| machine.others());
    let others = others.map_or("-".to_owned(), |o| format!("{:.2}, {:.2}", o.busy, o.stolen));
    let arrived = target.end()?;
    let off = (arrived.requests as f64 / planned as f64 - 1.0) * 100.0;
    Ok(row([
        arrivals,
        by,
        &planned.to_string(),
        &arrived.requests.to_string(),
        &format!("{off:+.3} %"),
        &missed.to_string(),
        &format!("{:.3}", arrived.cv),
        &us(lags_s[0]),
        &us(lags_s[1]),
        &us(lags_s[2]),
        &format!("{:.0} us", turn.cpu_us_per_request()),
        &others,
    ]))
}
