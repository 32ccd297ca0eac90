//! Growth of memory over many requests: resident size after the first minute, and at the end.

use std::fs;
use std::io::Read;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use plimsoll_reports::json;
use plimsoll_reports::record::Measurement;

use crate::contestant::{Task, missing};
use crate::nginx::Nginx;
use crate::table::{print, row};
use crate::{Asked, Outcome, ours};

/// From here on memory should not grow; of shorter runs the first half.
const FIRST: Duration = Duration::from_mins(1);

pub fn measure(asked: &Asked) -> Outcome<()> {
    if let Some(why) = missing(&asked.nginx, "install it, or name it with --nginx") {
        println!("\nmemory: skipped, there is no target ({why})");
        return Ok(());
    }
    let nginx = Nginx::start(&asked.nginx)?;
    let seconds = asked.memory_requests as f64 / asked.memory_rate;
    let task = Task {
        url: nginx.url.clone(),
        seconds,
        connections: asked.connections,
        rate: Some(asked.memory_rate),
    };
    let mut child = ours::command(&task)?.stdout(Stdio::piped()).spawn()?;
    let watched = watch(&mut child, FIRST.min(Duration::from_secs_f64(0.5 * seconds)));
    if watched.is_err() {
        // It may still run.
        let _ = child.kill();
        let _ = child.wait();
    }
    let (first_kb, samples) = watched?;
    let mut text = String::new();
    child.stdout.take().ok_or("a child has no output")?.read_to_string(&mut text)?;
    child.wait()?;
    let run: Measurement = json::from_str(&text)?;
    let (last, most) =
        (samples.last().copied().unwrap_or(first_kb), samples.iter().copied().max().unwrap_or(first_kb));
    let mb = |kb: u64| format!("{:.1} MB", kb as f64 / 1e3);
    let grown = |kb: u64| format!("{:+.2} MB", (kb as f64 - first_kb as f64) / 1e3);
    let rows = vec![
        row(["requests", "seconds", "missed", "after the first part", "at the end", "growth", "most"]),
        row([
            &run.sent.to_string(),
            &format!("{seconds:.0}"),
            &run.missed.to_string(),
            &mb(first_kb),
            &mb(last),
            &grown(last),
            &grown(most),
        ]),
    ];
    let first = FIRST.as_secs_f64().min(0.5 * seconds);
    print(&format!("Memory over {} requests; the first part is {first:.0} s", run.planned), &rows);
    Ok(())
}

/// Resident kilobytes after the first part, and every half a second from then on.
fn watch(child: &mut Child, first: Duration) -> Outcome<(u64, Vec<u64>)> {
    let began = Instant::now();
    let (mut first_kb, mut samples) = (None, Vec::new());
    while child.try_wait()?.is_none() {
        std::thread::sleep(Duration::from_millis(500));
        // It may have ended meanwhile.
        let Some(kb) = resident_kb(child.id()) else { continue };
        if began.elapsed() >= first {
            first_kb.get_or_insert(kb);
            samples.push(kb);
        }
    }
    Ok((first_kb.ok_or("the system does not tell the size of a process")?, samples))
}

/// Linux tells; 0 of a process that has ended.
fn resident_kb(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
