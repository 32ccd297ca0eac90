//! Playing the rounds: one warm-up, then short runs with seeds of their own, in turn where there are two targets.
//!
//! Why one stack for all rounds: its caches stay as they are, so a round needs no warm-up of its own but a moment
//! to open connections. Why a round is played again, with another seed: where the generator was late, it measured this
//! machine, and has left its requests in the caches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use plimsoll_loadgen::{LoadOptions, Played, Targets};
use plimsoll_reports::compare::compare;
use plimsoll_reports::gate::Round;
use plimsoll_reports::record::{Comparison, Run};
use plimsoll_scenarios::Scenario;

use super::judged;
use crate::cli::GateArgs;
use crate::commands::load::{aimed, checks, named};
use crate::failure::Failure;
use crate::terminal::{Stage, Terminal};

/// Rounds that may be played again, of all.
const REPEATED_MAX: f64 = 0.5;

/// Rounds in which the generator was late that may count, of all.
const KEPT_MAX: f64 = 0.2;

/// What to play.
pub struct Rounds<'a> {
    pub args: &'a GateArgs,
    pub scenario: &'a Scenario,
    /// Warm-up and length of a round.
    pub spans_s: (f64, f64),
    pub stop: &'a Arc<AtomicBool>,
    pub terminal: &'a Terminal,
}

/// What was played.
#[derive(Default)]
pub struct Both {
    pub now: Vec<Round>,
    /// Rounds of the other target, in turn with the first's.
    pub before: Vec<Round>,
    pub target: String,
    pub notes: Vec<String>,
    /// The generator was late in too many rounds for their times to say anything.
    pub restless: bool,
    /// Rounds held against the prediction.
    pub comparisons: Vec<Comparison>,
}

/// Rounds that were disturbed: played again, or kept because too many were.
#[derive(Default)]
struct Disturbed {
    repeated: usize,
    kept: usize,
}

impl Rounds<'_> {
    /// Whether the options can be played, before anything is started.
    pub fn check(&self) -> Result<(), Failure> {
        self.options(self.args.seed, self.args.settle, self.spans_s.1)?.check()?;
        if self.spans_s.0 > 0.0 {
            self.options(self.args.seed, 0.0, self.spans_s.0)?.check()?;
        }
        self.scenario.scaled_for_load()?;
        Ok(())
    }

    pub fn play(&self, prediction: Option<&Run>) -> Result<Both, Failure> {
        let scaled = self.scenario.scaled_for_load()?;
        let other = self.other()?;
        let aimed = aimed(&self.args.aim, self.scenario, self.args.seed, self.terminal)?;
        let played = self.all(&scaled, &aimed.targets, other.as_ref(), prediction);
        aimed.stop();
        played
    }

    /// The other target, if there is one. Its metrics are not known, so only what users see is compared.
    fn other(&self) -> Result<Option<Targets>, Failure> {
        let Some(url) = &self.args.against else { return Ok(None) };
        let mut aim = self.args.aim.clone();
        aim.metrics = None;
        if !self.args.against_headers.is_empty() {
            aim.headers.clone_from(&self.args.against_headers);
        }
        named(&aim, url).map(Some)
    }

    fn all(
        &self,
        scaled: &Scenario,
        now: &Targets,
        before: Option<&Targets>,
        prediction: Option<&Run>,
    ) -> Result<Both, Failure> {
        if self.spans_s.0 > 0.0 {
            self.terminal.stage("warm-up", |stage| {
                for targets in [Some(now), before].into_iter().flatten() {
                    // Not the seed of a round: that one would meet its own objects in the caches.
                    let options = self.options(self.args.seed.wrapping_sub(1), 0.0, self.spans_s.0)?;
                    plimsoll_loadgen::load(scaled, targets, &options, &|p| {
                        stage.progress(p.elapsed_s / p.total_s, "");
                    })?;
                }
                Ok::<_, Failure>(())
            })?;
        }
        let mut both = Both::default();
        let mut disturbed = Disturbed::default();
        self.terminal.stage("rounds", |stage| {
            for number in 0..self.args.rounds {
                // In turn, and the first of each pair in turn too, so that neither is always the later.
                let mut sides = vec![(true, now)];
                sides.extend(before.map(|before| (false, before)));
                if number % 2 == 1 {
                    sides.reverse();
                }
                for (is_now, targets) in sides {
                    let Some(played) = self.sound(scaled, targets, number, stage, &mut disturbed)? else {
                        return Ok(());
                    };
                    both.add(played, is_now, prediction);
                }
            }
            Ok::<_, Failure>(())
        })?;
        both.even();
        both.restless = disturbed.kept as f64 > KEPT_MAX * self.args.rounds as f64;
        both.notes.extend(disturbed.said());
        Ok(both)
    }

    /// A round, repeated while the generator was in its own way; `None` if stopped.
    fn sound(
        &self,
        scaled: &Scenario,
        targets: &Targets,
        number: u64,
        stage: &Stage,
        disturbed: &mut Disturbed,
    ) -> Result<Option<Played>, Failure> {
        let all = self.args.rounds as f64;
        let mut seed = self.args.seed.wrapping_add(number);
        loop {
            let options = self.options(seed, self.args.settle, self.spans_s.1)?;
            let watch = plimsoll_loadgen::Watch {
                progress: &|p| {
                    let word = format!("round {} of {all}", number + 1);
                    stage.progress((number as f64 + p.elapsed_s / p.total_s) / all, &word);
                },
                interval: &|_| {},
            };
            let played = plimsoll_loadgen::play(scaled, targets, &options, watch)?;
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            if !played.disturbed {
                return Ok(Some(played));
            }
            if disturbed.repeated as f64 >= (REPEATED_MAX * all).ceil() {
                disturbed.kept += 1;
                return Ok(Some(played));
            }
            // With requests of its own: those of the disturbed round are in the caches now.
            seed = self.args.seed.wrapping_add(self.args.rounds + disturbed.repeated as u64);
            disturbed.repeated += 1;
        }
    }

    fn options(&self, seed: u64, warmup_s: f64, duration_s: f64) -> Result<LoadOptions, Failure> {
        Ok(LoadOptions {
            users_max: self.args.users,
            checks: checks(&self.args.aim)?,
            timeout_s: self.args.aim.timeout,
            stop: Arc::clone(self.stop),
            ..LoadOptions::new(seed, warmup_s, duration_s)
        })
    }
}

impl Both {
    fn add(&mut self, played: Played, is_now: bool, prediction: Option<&Run>) {
        if !is_now {
            self.before.push(played.round);
            return;
        }
        if let Some(prediction) = prediction {
            self.comparisons.push(judged(compare(prediction, &played.measurement)));
        }
        self.target = played.measurement.target;
        self.now.push(played.round);
    }

    /// A run that was stopped in the middle of a pair has one round too many.
    fn even(&mut self) {
        if !self.before.is_empty() {
            let pairs = self.now.len().min(self.before.len());
            self.now.truncate(pairs);
            self.before.truncate(pairs);
        }
    }
}

impl Disturbed {
    fn said(&self) -> Vec<String> {
        let rounds =
            |n: usize, one: &str, more: &str| if n == 1 { one.to_owned() } else { format!("{n} {more}") };
        let mut notes = Vec::new();
        if self.repeated > 0 {
            notes.push(format!(
                "{} played again, because the generator was late: the machine had other things to do",
                rounds(self.repeated, "one round was", "rounds were")
            ));
        }
        if self.kept > 0 {
            notes.push(format!(
                "{} although the generator was late: free the machine, or scale the load down",
                rounds(self.kept, "one round counts", "rounds count")
            ));
        }
        notes
    }
}
