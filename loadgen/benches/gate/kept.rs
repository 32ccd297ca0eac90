//! Answers of gates, one line of JSON each, so that half an hour of them survives an interruption.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;

/// What one gate said.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    pub trial: u64,
    pub kind: String,
    pub answer: String,
    /// The series that was changed has breached.
    pub found: bool,
    /// Its change as measured, relative for times, in points of 1 for errors.
    pub change: Option<f64>,
    pub seconds: f64,
}

/// All gates so far.
pub struct Kept {
    pub gates: Vec<Gate>,
    file: Option<File>,
}

impl Kept {
    /// Reads what is in a file, which must be of gates of the same kind, or begins it.
    pub fn open(path: Option<&Path>, what: &str) -> Outcome<Self> {
        let Some(path) = path else { return Ok(Self { gates: Vec::new(), file: None }) };
        let text = if path.exists() { std::fs::read_to_string(path)? } else { String::new() };
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let mut lines = text.lines();
        match lines.next() {
            Some(first) if serde_json::from_str::<Value>(first)?["what"] == what => {}
            Some(first) => {
                return Err(
                    format!("{} is of other gates ({first}): name another file", path.display()).into()
                );
            }
            None => writeln!(file, "{}", json!({"what": what}))?,
        }
        let gates = lines.map(|line| read(&serde_json::from_str(line)?)).collect::<Outcome<_>>()?;
        Ok(Self { gates, file: Some(file) })
    }

    pub fn knows(&self, trial: u64, kind: &str) -> bool {
        self.gates.iter().any(|gate| gate.trial == trial && gate.kind == kind)
    }

    pub fn add(&mut self, gate: Gate) -> Outcome<()> {
        if let Some(file) = &mut self.file {
            writeln!(file, "{}", written(&gate))?;
        }
        self.gates.push(gate);
        Ok(())
    }
}

fn written(gate: &Gate) -> Value {
    json!({
        "trial": gate.trial,
        "kind": gate.kind,
        "answer": gate.answer,
        "found": gate.found,
        "change": gate.change,
        "seconds": gate.seconds,
    })
}

fn read(value: &Value) -> Outcome<Gate> {
    let text =
        |name: &str| value[name].as_str().map(str::to_owned).ok_or_else(|| format!("no {name}: {value}"));
    Ok(Gate {
        trial: value["trial"].as_u64().ok_or_else(|| format!("no trial: {value}"))?,
        kind: text("kind")?,
        answer: text("answer")?,
        found: value["found"].as_bool().unwrap_or(false),
        change: value["change"].as_f64(),
        seconds: value["seconds"].as_f64().unwrap_or(0.0),
    })
}
