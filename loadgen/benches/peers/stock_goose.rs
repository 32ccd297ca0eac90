//! Goose as its documentation says: its own client, its own metrics, no body read unless asked for.
//!
//! The body is read here, because the other contestants read it.

use std::process::Command;
use std::time::Duration;

use clap::Args;
use goose::config::GooseConfiguration;
use goose::metrics::{GooseCoordinatedOmissionMitigation, GooseMetrics};
use goose::prelude::*;
use serde_json::{Value, json};

use crate::Outcome;
use crate::contestant::{Said, Task};

#[derive(Debug, Args)]
pub struct StockGoose {
    #[arg(long)]
    url: String,
    #[arg(long)]
    users: usize,
    #[arg(long)]
    seconds: f64,
    /// Requests a second, at most
    #[arg(long)]
    throttle: Option<usize>,
    #[arg(long)]
    mitigate: bool,
}

async fn get_item(user: &mut GooseUser) -> TransactionResult {
    let response = user.get("/item").await?.response;
    if let Ok(response) = response {
        // A body that cannot be read is a failure of a contestant; here none fails.
        let _ = response.bytes().await;
    }
    Ok(())
}

impl StockGoose {
    /// Plays, and prints what goose's metrics say as JSON.
    pub fn play(&self) -> Outcome<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let metrics = runtime.block_on(self.attack())?;
        let request = metrics.requests.values().next().ok_or("goose has made no request")?;
        let times = request.coordinated_omission_data.as_ref().unwrap_or(&request.raw_data);
        let at = |p: f32| times.percentile_us(p) as f64 * 1e-6;
        let said = json!({
            "requests": request.success_count + request.fail_count,
            "failed": request.fail_count,
            "seconds": self.seconds,
            "latency_s": [at(0.5), at(0.9), at(0.99), times.maximum_time_us as f64 * 1e-6],
        });
        println!("{said}");
        // Its users may be waiting for answers.
        runtime.shutdown_timeout(Duration::from_secs(1));
        Ok(())
    }

    async fn attack(&self) -> Outcome<GooseMetrics> {
        let mut configuration =
            GooseConfiguration::parse_args_default(&["--no-telnet", "--quiet", "--no-print-metrics"])?;
        configuration.host = Some(self.url.clone());
        configuration.users = Some(self.users);
        configuration.increase_rate = Some("100000".to_owned());
        configuration.run_time = Some(format!("{}s", self.seconds.ceil()));
        configuration.throttle_requests = self.throttle;
        configuration.no_reset_metrics = true;
        configuration.co_mitigation = Some(if self.mitigate {
            GooseCoordinatedOmissionMitigation::Average
        } else {
            GooseCoordinatedOmissionMitigation::Disabled
        });
        let attack = GooseAttack::initialize_with_config(configuration)?
            .register_scenario(scenario!("peers").register_transaction(transaction!(get_item)));
        Ok(Box::pin(attack.execute()).await?)
    }
}

pub fn command(task: &Task, mitigate: bool) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["goose", "--url", &task.url, "--users", &task.connections.to_string()]);
    command.args(["--seconds", &task.seconds.to_string()]);
    if let Some(rate) = task.rate {
        command.args(["--throttle", &rate.to_string()]);
    }
    if mitigate {
        command.arg("--mitigate");
    }
    Ok(command)
}

pub fn read(text: &str) -> Outcome<Said> {
    // Its last line; goose may have said something before.
    let all: Value = serde_json::from_str(text.lines().last().unwrap_or_default())?;
    let whole = |name: &str| all[name].as_u64().ok_or_else(|| format!("goose's answer has no {name}"));
    let (requests, failed) = (whole("requests")?, whole("failed")?);
    let seconds = all["seconds"].as_f64().ok_or("goose's answer has no seconds")?;
    let mut latency_s = [0.0; 4];
    for (into, from) in latency_s.iter_mut().zip(all["latency_s"].as_array().into_iter().flatten()) {
        *into = from.as_f64().unwrap_or(f64::NAN);
    }
    Ok(Said { requests, failed, requests_per_s: requests as f64 / seconds, latency_s, all })
}
