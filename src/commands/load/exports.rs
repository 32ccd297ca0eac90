//! What a load run writes beside its result: a time series, a histogram log, live metrics for two collectors.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use plimsoll_loadgen::Interval;
use plimsoll_loadgen::export::{Exposition, HistogramLog, Otlp, TimeSeries};

use crate::cli::LoadArgs;
use crate::failure::Failure;
use crate::terminal::Terminal;

type Write<W> = Option<(String, W)>;

/// Opened before the run, so that a wrong path costs nothing.
pub struct Exports {
    writers: Mutex<Writers>,
    exposition: Option<Exposition>,
    otlp: Option<(String, Otlp)>,
}

struct Writers {
    series: Write<TimeSeries<BufWriter<File>>>,
    histograms: Write<HistogramLog<BufWriter<File>>>,
    /// The first thing that went wrong.
    failed: Option<(String, io::Error)>,
}

impl Exports {
    pub fn open(args: &LoadArgs, scenario: &str, terminal: &Terminal) -> Result<Self, Failure> {
        let series = opened(args.csv.as_deref(), TimeSeries::new)?;
        let histograms = opened(args.hdr_log.as_deref(), |file| HistogramLog::new(file, SystemTime::now()))?;
        let exposition = args.prometheus.map(Exposition::start).transpose().map_err(|cause| {
            let port = args.prometheus.unwrap_or(0);
            Failure::Usage(format!(
                "cannot serve metrics on port {port}: {cause}\nhint: choose another with `--prometheus PORT`; 0 is any free one"
            ))
        })?;
        if let Some(exposition) = &exposition {
            terminal.say(&format!("metrics      http://{}/metrics", exposition.address));
        }
        let otlp = match &args.otlp {
            Some(url) => Some((url.clone(), Otlp::start(url, scenario, args.seed)?)),
            None => None,
        };
        Ok(Self { writers: Mutex::new(Writers { series, histograms, failed: None }), exposition, otlp })
    }

    /// Writes an interval wherever it is wanted.
    pub fn add(&self, interval: &Interval<'_>) {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        let Writers { series, histograms, failed } = &mut *writers;
        if failed.is_none() {
            let series = series.as_mut().map(|(path, to)| (path, to.add(interval)));
            let histograms = histograms.as_mut().map(|(path, to)| (path, to.add(interval)));
            *failed = series
                .into_iter()
                .chain(histograms)
                .find_map(|(path, done)| Some((path.clone(), done.err()?)));
        }
        if let Some(exposition) = &self.exposition {
            exposition.add(interval);
        }
        if let Some((_, otlp)) = &self.otlp {
            otlp.add(interval);
        }
    }

    /// What went wrong while the run lasted, if anything did.
    pub fn close(self, terminal: &Terminal) -> Result<(), Failure> {
        if let Some((url, otlp)) = self.otlp {
            let sent = otlp.close();
            if let Some(cause) = sent.cause {
                let all = sent.exports + sent.failed;
                terminal.say(&format!("warning: {} of {all} exports to {url} failed: {cause}", sent.failed));
            }
        }
        let writers = self.writers.into_inner().unwrap_or_else(PoisonError::into_inner);
        writers.failed.map_or(Ok(()), |(path, cause)| Err(Failure::Write { path, cause }))
    }
}

fn opened<W>(
    path: Option<&Path>,
    begin: impl FnOnce(BufWriter<File>) -> io::Result<W>,
) -> Result<Write<W>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let name = path.display().to_string();
    match File::create(path).and_then(|file| begin(BufWriter::new(file))) {
        Ok(writer) => Ok(Some((name, writer))),
        Err(cause) => Err(Failure::Write { path: name, cause }),
    }
}
