//! The least that can be done: a loop that sleeps and writes, on the same schedule, without HTTP client, users or records.
//!
//! Why: how exactly a machine sends hangs on how it wakes threads. Beside this loop's figures a generator's own can be
//! told from the machine's.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;
use plimsoll_loadgen::Arrivals;
use plimsoll_loadgen::arrivals::Wanted;
use serde_json::{Value, json};

use crate::Outcome;
use crate::contestant::Said;

/// Connections, asked in turn. Nobody waits for an answer: they are read and thrown away.
const CONNECTIONS: usize = 256;

#[derive(Debug, Args)]
pub struct Floor {
    /// Host and port
    #[arg(long)]
    address: String,
    /// As `plimsoll load --arrivals`
    #[arg(long)]
    arrivals: String,
    #[arg(long)]
    seconds: f64,
}

impl Floor {
    /// Plays, and prints how late it was as JSON.
    pub fn play(&self) -> Outcome<()> {
        let Wanted::Ready(arrivals) = Arrivals::parse(&self.arrivals)? else {
            return Err(format!("{} needs more than its text", self.arrivals).into());
        };
        let times = arrivals.times(1, 0.0, self.seconds).ok_or("there are no times")?;
        let mut streams = Vec::new();
        for _ in 0..CONNECTIONS {
            let stream = TcpStream::connect(&self.address)?;
            stream.set_nodelay(true)?;
            let mut answers = stream.try_clone()?;
            std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
                let mut buffer = [0; 4_096];
                // Until the connection ends with the process.
                while matches!(answers.read(&mut buffer), Ok(1..)) {}
            })?;
            streams.push(stream);
        }
        let request = format!("GET /item HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        nix::sys::prctl::set_timerslack(1)?;
        let start = Instant::now() + Duration::from_millis(20);
        let mut lags_us = Vec::new();
        for (n, at_s) in times.enumerate() {
            let due = start + Duration::from_secs_f64(at_s);
            while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
                std::thread::sleep(left);
            }
            lags_us.push(due.elapsed().as_micros() as u64);
            (&streams[n % CONNECTIONS]).write_all(request.as_bytes())?;
        }
        // For the last one to arrive.
        std::thread::sleep(Duration::from_millis(50));
        lags_us.sort_unstable();
        let last = lags_us.len().saturating_sub(1);
        let at = |p: f64| lags_us.get((last as f64 * p) as usize).map(|us| *us as f64 * 1e-6);
        println!("{}", json!({"planned": lags_us.len(), "lag_s": [at(0.5), at(0.99), at(1.0)]}));
        Ok(())
    }
}

pub fn command(url: &str, arrivals: &str, seconds: f64) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    let address = url.strip_prefix("http://").ok_or("a target is an http url")?;
    command.args(["floor", "--address", address, "--arrivals", arrivals]);
    command.args(["--seconds", &seconds.to_string()]);
    Ok(command)
}

pub fn read(text: &str) -> Outcome<Said> {
    let all: Value = serde_json::from_str(text)?;
    let requests = all["planned"].as_u64().ok_or("the floor does not say what it planned")?;
    Ok(Said { requests, all, ..Said::default() })
}
