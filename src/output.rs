//! Records on disk. A file is either whole or not there: it is written beside its place and renamed.

use std::path::{Path, PathBuf};

use plimsoll_reports::record::{Comparison, Estimate, Measurement, Report, Run, Stage};
use plimsoll_reports::{html, json};
use serde::de::DeserializeOwned;

use crate::failure::Failure;

pub const ESTIMATE: &str = "estimate.json";
pub const SIMULATION: &str = "simulation.json";
pub const PREDICTION: &str = "prediction.json";
pub const MEASUREMENT: &str = "measurement.json";
pub const COMPARISON: &str = "comparison.json";
pub const STAGES: &str = "stages.json";
pub const REPORT: &str = "report.html";

/// A directory of its own for one run: `OUT/NAME-2026-11-21T18-30-00`.
pub fn directory(out: &Path, name: &str) -> Result<PathBuf, Failure> {
    let stamp = chrono::Local::now().format("%Y-%m-%dT%H-%M-%S");
    for attempt in 0..100 {
        let suffix = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        let path = out.join(format!("{name}-{stamp}{suffix}"));
        let made = std::fs::create_dir_all(out).and_then(|()| std::fs::create_dir(&path));
        match made {
            Ok(()) => return Ok(path),
            Err(cause) if cause.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(cause) => return Err(Failure::Write { path: path.display().to_string(), cause }),
        }
    }
    let cause = std::io::Error::other("a hundred runs began within one second");
    Err(Failure::Write { path: out.display().to_string(), cause })
}

pub fn write(directory: &Path, name: &str, text: &str) -> Result<(), Failure> {
    let path = directory.join(name);
    let beside = directory.join(format!(".{name}.part"));
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, &path))
        .map_err(|cause| Failure::Write { path: path.display().to_string(), cause })
}

/// A file at a path that somebody gave.
pub fn put(path: &Path, text: &str) -> Result<(), Failure> {
    let (directory, name) = place(path)?;
    write(directory, name, text)
}

/// Makes sure that a file can be [`put`] there after a long run: its directory is made, and written to.
pub fn prepare(path: &Path) -> Result<(), Failure> {
    let (directory, name) = place(path)?;
    let beside = directory.join(format!(".{name}.part"));
    let tried = std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&beside, ""))
        .and_then(|()| std::fs::remove_file(&beside));
    tried.map_err(|cause| Failure::Write { path: path.display().to_string(), cause })
}

fn place(path: &Path) -> Result<(&Path, &str), Failure> {
    let directory = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let name = path.file_name().and_then(|n| n.to_str()).ok_or_else(|| {
        Failure::Usage(format!(
            "{} names no file\nhint: write a name such as sized.yaml or day.html",
            path.display()
        ))
    })?;
    Ok((directory, name))
}

/// Reads a record.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let fail = |cause: String| Failure::Read {
        path: path.display().to_string(),
        cause,
        hint: "records are written by `plimsoll run`, and by `--format json` of each stage".to_owned(),
    };
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    json::from_str(&text).map_err(|e| fail(e.to_string()))
}

fn read_if_there<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, Failure> {
    if path.exists() { read(path).map(Some) } else { Ok(None) }
}

/// Writes whatever the report holds, record by record, and the page last.
pub fn write_report(directory: &Path, report: &Report) -> Result<(), Failure> {
    fn put<T: serde::Serialize>(directory: &Path, name: &str, record: Option<&T>) -> Result<(), Failure> {
        record.map_or(Ok(()), |r| write(directory, name, &json::to_string(r)?))
    }
    put(directory, ESTIMATE, report.estimate.as_ref())?;
    put(directory, SIMULATION, report.simulation.as_ref())?;
    put(directory, PREDICTION, report.prediction.as_ref())?;
    put(directory, MEASUREMENT, report.measurement.as_ref())?;
    put(directory, COMPARISON, report.comparison.as_ref())?;
    put(directory, STAGES, Some(&report.stages).filter(|stages| !stages.is_empty()))?;
    write(directory, REPORT, &html::html(report))
}

/// Puts a report together from the records in a directory.
pub fn read_report(directory: &Path) -> Result<Report, Failure> {
    let estimate: Option<Estimate> = read_if_there(&directory.join(ESTIMATE))?;
    let simulation: Option<Run> = read_if_there(&directory.join(SIMULATION))?;
    let prediction: Option<Run> = read_if_there(&directory.join(PREDICTION))?;
    let measurement: Option<Measurement> = read_if_there(&directory.join(MEASUREMENT))?;
    let comparison: Option<Comparison> = read_if_there(&directory.join(COMPARISON))?;
    let stages: Vec<Stage> = read_if_there(&directory.join(STAGES))?.unwrap_or_default();
    let name = [
        estimate.as_ref().map(|e| &e.provenance),
        simulation.as_ref().map(|r| &r.provenance),
        prediction.as_ref().map(|r| &r.provenance),
        measurement.as_ref().map(|m| &m.provenance),
    ]
    .into_iter()
    .flatten()
    .next()
    .map(|p| p.scenario.clone());
    let Some(scenario) = name else {
        return Err(Failure::Read {
            path: directory.display().to_string(),
            cause: "no records are there".to_owned(),
            hint: "name a directory that `plimsoll run` has written, such as plimsoll-out/spotify-..."
                .to_owned(),
        });
    };
    let summary = estimate.as_ref().map(|e| e.summary.clone()).unwrap_or_default();
    Ok(Report { scenario, summary, estimate, simulation, prediction, measurement, comparison, stages })
}
