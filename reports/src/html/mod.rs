//! A report as one HTML file.
//!
//! Why one file without scripts or network: it is mailed, attached to a ticket and opened from disk in
//! five years. The answer comes first, then pictures, then the tables behind them, then how it was made;
//! the records themselves are embedded as JSON, so the page is also the data.

mod answer;
mod element;
mod estimate;
mod pictures;
mod plan;
mod style;
mod tables;

use crate::json;
use crate::record::Report;
use crate::story;
use element::{definitions, escape, list, section};

pub use plan::plan;

/// The whole page. Every part of the report may be missing.
#[must_use]
pub fn html(report: &Report) -> String {
    let sections = [
        ("pictures", "Pictures", pictures::all(report)),
        ("comparison", "Predicted and measured", tables::comparison(report)),
        ("simulation", "The full day, simulated", tables::simulation(report)),
        ("measurement", "The load run, measured", tables::measurement(report)),
        ("prediction", "The load run, predicted", tables::prediction(report)),
        ("estimate", "Estimate, with its working", estimate::section(report)),
        ("made", "How it was made", made(report)),
    ];
    let present: Vec<_> = sections.iter().filter(|(_, _, body)| !body.is_empty()).collect();
    let nav: Vec<String> =
        present.iter().map(|(id, name, _)| format!("<a href=\"#{id}\">{}</a>", escape(name))).collect();
    let body: String = present.iter().map(|(id, name, body)| section(id, name, body)).collect();
    let nav = if nav.len() > 1 { format!("<nav>{}</nav>\n", nav.join("\n")) } else { String::new() };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{name} · plimsoll</title>\n\
         <style>{style}{plots}</style>\n</head>\n<body>\n<header>\n<h1>{name}</h1>\n<p>{summary}</p>\n</header>\n\
         <main>\n{answer}{nav}{body}</main>\n{records}</body>\n</html>\n",
        name = escape(&report.scenario),
        summary = escape(&report.summary),
        style = style::CSS,
        plots = crate::plot::CSS,
        answer = answer::answer(report),
        records = records(report),
    )
}

/// Seed, options, stages and notes.
fn made(report: &Report) -> String {
    let mut out = String::new();
    if let Some(provenance) = story::any_provenance(report) {
        let mut pairs = vec![
            ("version".to_owned(), escape(&format!("plimsoll {}", provenance.version))),
            ("scenario".to_owned(), escape(&provenance.scenario)),
            ("seed".to_owned(), provenance.seed.to_string()),
        ];
        pairs.extend(provenance.options.iter().map(|(k, v)| (k.clone(), escape(v))));
        out.push_str(&definitions(&pairs));
    }
    let runs = [("simulated", &report.simulation), ("predicted", &report.prediction)];
    let methods: Vec<String> = runs
        .into_iter()
        .filter_map(|(name, run)| run.as_ref().map(|r| format!("{name}: {}", story::method(r))))
        .collect();
    out.push_str(&list(&methods));
    out.push_str(&tables::stages(report));
    if let Some(run) = story::main_run(report).filter(|r| !r.notes.is_empty()) {
        out.push_str("<h3>What to know</h3>\n");
        out.push_str(&list(&run.notes));
    }
    out
}

/// The report as JSON inside the page.
fn records(report: &Report) -> String {
    match json::to_script(report) {
        Ok(text) => format!("<script type=\"application/json\" id=\"plimsoll-report\">{text}</script>\n"),
        // The page is complete without; the same records stand in files beside it.
        Err(_) => String::new(),
    }
}
