//! oha: a closed loop over so many connections, which may be told not to be faster than a rate.

use std::process::Command;

use serde_json::Value;

use crate::contestant::{Said, Task};
use crate::{Asked, Outcome};

pub fn command(asked: &Asked, task: &Task, corrected: bool) -> Command {
    let mut command = Command::new(&asked.oha);
    command.args(["--no-tui", "--output-format", "json"]);
    command.args(["-z", &format!("{}ms", task.seconds * 1e3), "-c", &task.connections.to_string()]);
    // A request under way at the end is waited for, as the others do.
    command.arg("-w");
    if let Some(rate) = task.rate {
        command.args(["-q", &rate.to_string()]);
    }
    if corrected {
        command.arg("--latency-correction");
    }
    command.arg(format!("{}/item", task.url));
    command
}

pub fn read(text: &str) -> Outcome<Said> {
    let all: Value = serde_json::from_str(text)?;
    let number = |pointer: &str| all.pointer(pointer).and_then(Value::as_f64);
    let counts = |of: &str| {
        let by_name = all.get(of).and_then(Value::as_object);
        by_name.map_or(0, |map| map.values().filter_map(Value::as_u64).sum::<u64>())
    };
    let (answered, failed) = (counts("statusCodeDistribution"), counts("errorDistribution"));
    let latency = |pointer: &str| number(pointer).ok_or_else(|| format!("oha's answer has no {pointer}"));
    let latency_s = [
        latency("/latencyPercentiles/p50")?,
        latency("/latencyPercentiles/p90")?,
        latency("/latencyPercentiles/p99")?,
        latency("/summary/slowest")?,
    ];
    let requests_per_s = latency("/summary/requestsPerSec")?;
    Ok(Said { requests: answered + failed, failed, requests_per_s, latency_s, all })
}
