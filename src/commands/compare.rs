//! `plimsoll compare`: a prediction beside a measurement.

use plimsoll_reports::compare::compare;
use plimsoll_reports::record::{Measurement, Run};
use plimsoll_reports::{json, text};

use crate::cli::{CompareArgs, Format};
use crate::failure::{Code, Failure};
use crate::output;
use crate::terminal::Terminal;

pub fn run(args: &CompareArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let (prediction, measurement) = match &args.measurement {
        Some(measurement) => (args.prediction.clone(), measurement.clone()),
        None => (args.prediction.join(output::PREDICTION), args.prediction.join(output::MEASUREMENT)),
    };
    let prediction: Run = output::read(&prediction)?;
    let measurement: Measurement = output::read(&measurement)?;
    if prediction.provenance.scenario != measurement.provenance.scenario {
        return Err(Failure::Usage(format!(
            "the prediction is of `{}` and the measurement of `{}`\nhint: compare records of one scenario",
            prediction.provenance.scenario, measurement.provenance.scenario
        )));
    }
    if (prediction.duration_s - measurement.duration_s).abs() > 0.01 * measurement.duration_s {
        return Err(Failure::Usage(format!(
            "the prediction covers {:.0} s and the measurement {:.0} s: they are not of the same run\n\
             hint: a load run is predicted by `plimsoll simulate {} --scaled` (prediction.json of a `run`)",
            prediction.duration_s, measurement.duration_s, prediction.provenance.scenario
        )));
    }
    let record = compare(&prediction, &measurement);
    terminal.print(&match args.format {
        Format::Json => json::to_string(&record)?,
        Format::Text => text::comparison(&record, terminal.style),
    })?;
    Ok(Code::Success)
}
