//! Whether what was planned arrives: as many, at the right distances, and how late requests leave.
//!
//! Gaps are taken at the target, when a request has arrived there: what the generator says of itself could not tell.

use std::sync::atomic::Ordering;

use plimsoll_reports::json;
use plimsoll_reports::record::Measurement;

use crate::common::{Behaviour, Server};
use crate::contestant::Task;
use crate::table::{print, row, us};
use crate::{Asked, Outcome, ours};

const RATES: [u32; 3] = [100, 1_000, 5_000];
/// Fewer gaps than this have a coefficient of variation by luck.
const SECONDS_MIN: f64 = 20.0;

pub fn measure(asked: &Asked) -> Outcome<()> {
    let mut rows = vec![row([
        "arrivals",
        "planned",
        "arrived",
        "off by",
        "missed",
        "CV of gaps",
        "lag p50",
        "lag p99",
        "lag max",
    ])];
    for rate in RATES {
        for model in ["constant", "poisson"] {
            rows.push(one(asked, &format!("{model} {rate}/s"))?);
        }
    }
    print("Delivered rate against the plan (gaps as the target sees them; lag as the generator does)", &rows);
    Ok(())
}

fn one(asked: &Asked, arrivals: &str) -> Outcome<Vec<String>> {
    let server = Server::start(Behaviour::Answer);
    let seconds = asked.seconds.max(SECONDS_MIN);
    let task = Task { url: server.url.clone(), seconds, connections: 512, rate: None };
    let output = ours::with(arrivals, &task)?.output()?;
    if !output.status.success() {
        return Err(format!("{arrivals}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let run: Measurement = json::from_str(&String::from_utf8(output.stdout)?)?;
    let arrived = server.state.gets.load(Ordering::Relaxed);
    let off = (arrived as f64 / run.planned as f64 - 1.0) * 100.0;
    let lag = |p: f64| us(run.lag.at(p).unwrap_or(f64::NAN));
    let cv = server.state.gaps.lock().map_err(|_| "the target has panicked")?.coefficient_of_variation();
    Ok(row([
        arrivals,
        &run.planned.to_string(),
        &arrived.to_string(),
        &format!("{off:+.3} %"),
        &run.missed.to_string(),
        &format!("{cv:.3}"),
        &lag(0.5),
        &lag(0.99),
        &us(run.lag.max_s),
    ]))
}
