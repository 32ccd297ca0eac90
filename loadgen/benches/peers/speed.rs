//! CPU per request and requests a second: keep-alive, 1,000 bytes, an nginx of our own on loopback.

use crate::contestant::{Contestant, Task, Turn, missing};
use crate::nginx::Nginx;
use crate::table::{median, ms, print, row};
use crate::{Asked, Outcome};

const CONTESTANTS: [Contestant; 3] = [Contestant::Plimsoll, Contestant::Oha, Contestant::Goose];

pub fn measure(asked: &Asked) -> Outcome<()> {
    if let Some(why) = missing(&asked.nginx, "install it, or name it with --nginx") {
        println!("\nspeed: skipped, there is no target ({why})");
        return Ok(());
    }
    let nginx = Nginx::start(&asked.nginx)?;
    let task =
        |rate| Task { url: nginx.url.clone(), seconds: asked.seconds, connections: asked.connections, rate };
    let heading = format!(
        "{} connections, {} turns of {} s each, medians; ratios turn by turn, median and range",
        asked.connections, asked.turns, asked.seconds
    );
    compare(&format!("As fast as answers come ({heading})"), asked, &task(None))?;
    compare(&format!("{} requests a second ({heading})", asked.rate), asked, &task(Some(asked.rate)))
}

/// All contestants in turn, and each beside plimsoll.
fn compare(title: &str, asked: &Asked, task: &Task) -> Outcome<()> {
    let mut turns: Vec<Vec<Turn>> = CONTESTANTS.map(|_| Vec::new()).to_vec();
    for _ in 0..asked.turns {
        for (of, contestant) in turns.iter_mut().zip(CONTESTANTS) {
            if contestant.missing(asked).is_none() {
                of.push(contestant.turn(asked, task)?);
            }
        }
    }
    let mut rows = vec![row([
        "",
        "requests/s",
        "CPU a request",
        "p50",
        "p99",
        "failed",
        "requests/s, ours by its",
        "CPU, ours by its",
    ])];
    let ours = &turns[0];
    for (contestant, of) in CONTESTANTS.iter().zip(&turns) {
        if let Some(why) = contestant.missing(asked) {
            rows.push(row([contestant.name(), &format!("left out: {why}")]));
            continue;
        }
        let latency = |i: usize| ms(median(of.iter().map(|turn| turn.said.latency_s[i])));
        let failed: u64 = of.iter().map(|turn| turn.said.failed).sum();
        // Turns that were neighbours: a restless minute is in both.
        let beside = |of_turn: fn(&Turn) -> f64| {
            spread(ours.iter().zip(of).map(|(ours, its)| of_turn(ours) / of_turn(its)))
        };
        rows.push(row([
            contestant.name(),
            &format!("{:.0}", median(of.iter().map(requests_per_s))),
            &format!("{:.1} us", median(of.iter().map(Turn::cpu_us_per_request))),
            &latency(0),
            &latency(2),
            &failed.to_string(),
            &beside(requests_per_s),
            &beside(Turn::cpu_us_per_request),
        ]));
    }
    print(title, &rows);
    Ok(())
}

fn requests_per_s(turn: &Turn) -> f64 {
    turn.said.requests_per_s
}

/// The middle of some ratios, and how far they go.
fn spread(ratios: impl Iterator<Item = f64>) -> String {
    let ratios: Vec<f64> = ratios.collect();
    let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{:.2} ({least:.2} to {most:.2})", median(ratios))
}
