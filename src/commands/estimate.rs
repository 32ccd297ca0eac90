//! `plimsoll estimate`: closed forms, of a scenario or of a few figures.

use std::path::Path;

use plimsoll_reports::record::{Estimate, Report};
use plimsoll_reports::{json, plot, text};
use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::{Scenario, SourceFile};
use plimsoll_sim::estimate::{self, Options};

use super::solve;
use crate::cli::{EstimateArgs, PageFormat, Quick};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;
use crate::{machine, output};

pub fn run(args: &EstimateArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let prices = PriceList::load(&args.prices)?;
    if let (Some(path), Some(bound)) = (&args.solve, &args.until) {
        return solve::run(args, path, bound, &prices, terminal);
    }
    let scenario = match &args.scenario {
        Some(name) => plimsoll_scenarios::load_with(name, &args.set)?,
        None => quick(&args.quick, &prices)?,
    };
    prices.check(&scenario).map_err(plimsoll_scenarios::LoadError::from)?;
    let options = Options {
        seed: args.seed,
        worlds: args.worlds as usize,
        prices: &prices,
        threads: machine::threads(),
    };
    let record = estimate::estimate(&scenario, &options);
    if let Some(directory) = &args.out {
        write(directory, &record, terminal)?;
    }
    let page = match args.format {
        PageFormat::Json => json::to_string(&record)?,
        PageFormat::Markdown => text::estimate_markdown(&record),
        PageFormat::Text if args.explain => text::estimate_explained(&record, terminal.style),
        PageFormat::Text => text::estimate(&record, terminal.style),
    };
    terminal.print(&page)?;
    Ok(Code::Success)
}

/// The record, the page, and a picture of what each quantity hangs on.
fn write(directory: &Path, record: &Estimate, terminal: &Terminal) -> Result<(), Failure> {
    let fail = |cause| Failure::Write { path: directory.display().to_string(), cause };
    std::fs::create_dir_all(directory).map_err(fail)?;
    for influence in &record.hangs_on {
        let quantity = record.quantities.iter().find(|q| q.id == influence.of);
        if let Some(picture) = quantity.and_then(|quantity| plot::tornado(quantity, influence)) {
            // Ids are names and dots, as the language has them.
            output::write(directory, &format!("tornado-{}.svg", influence.of), &picture.standalone())?;
        }
    }
    let report = Report {
        estimate: Some(record.clone()),
        ..Report::new(&record.provenance.scenario, &record.summary)
    };
    output::write_report(directory, &report)?;
    terminal.say(&format!("report  {}", directory.join(output::REPORT).display()));
    Ok(())
}

/// The estimate of a scenario with the bundled prices.
pub fn record(scenario: &Scenario, seed: u64) -> Estimate {
    let prices = PriceList::bundled();
    let options = Options { seed, worlds: estimate::WORLDS, prices: &prices, threads: machine::threads() };
    estimate::estimate(scenario, &options)
}

/// The scenario that a few figures make.
fn quick(figures: &Quick, prices: &PriceList) -> Result<Scenario, Failure> {
    let scenario = described(figures, "1")?;
    if figures.service_time.is_none() {
        return Ok(scenario);
    }
    // As many servers as the estimate asks for.
    let needed = estimate::value_of(&scenario, prices, "web.servers").unwrap_or(1.0);
    described(figures, &needed.max(1.0).to_string())
}

fn described(figures: &Quick, servers: &str) -> Result<Scenario, Failure> {
    let text = yaml(figures, servers);
    let scenario = Scenario::from_yaml(&SourceFile::new("command line", &text));
    scenario.map_err(|problems| plimsoll_scenarios::LoadError::from(problems).into())
}

fn yaml(figures: &Quick, servers: &str) -> String {
    let field = |name: &str, value: &Option<String>| {
        value.as_ref().map_or(String::new(), |v| format!(", {name}: {}", quoted(v)))
    };
    let users = figures.users.as_deref().unwrap_or("1");
    let mut population = format!("{{users: {}{}", quoted(users), field("active", &figures.active));
    if let Some(peak) = &figures.peak_to_mean {
        population.push_str(&format!(", diurnal: {{peak_to_mean: {}}}", quoted(peak)));
    }
    let stored = figures.objects.is_some() || figures.size.is_some();
    let mut out = format!("name: quick\nsummary: an estimate without a file\npopulation: {population}}}\n");
    if stored {
        let size = figures.size.as_deref().unwrap_or("1 KB");
        let count = figures.objects.as_deref().unwrap_or("1 M");
        let popularity =
            figures.zipf.as_ref().map_or(String::new(), |z| format!(", popularity: {{zipf: {}}}", quoted(z)));
        let growth = if figures.writes.is_some() { ", growth: {by: write}" } else { "" };
        out.push_str(&format!(
            "datasets:\n  object: {{count: {}, size: {}{}{popularity}{growth}{}, in: store}}\n",
            quoted(count),
            quoted(size),
            field("metadata", &figures.metadata),
            field("retention", &figures.retention)
        ));
    }
    let of = if stored { ", of: object" } else { "" };
    let web = figures.service_time.is_some();
    let path = if web { "[web, store]" } else { "[store]" };
    let per_user = figures.per_user.as_deref().unwrap_or("1/day");
    out.push_str(&format!("actions:\n  use: {{per_user: {}{of}, path: {path}}}\n", quoted(per_user)));
    if let Some(writes) = &figures.writes {
        out.push_str(&format!(
            "  write: {{per_action: {{use: {}}}, write: true{of}, path: {path}}}\n",
            quoted(writes)
        ));
    }
    let copies = figures.copies.as_deref().unwrap_or("1");
    out.push_str(&format!("tiers:\n  store: {{copies: {}}}\n", quoted(copies)));
    if let Some(time) = &figures.service_time {
        out.push_str(&format!(
            "  web: {{servers: {servers}, service_time: {{exponential: {}}}}}\n",
            quoted(time)
        ));
    }
    out
}

/// A value of the command line as YAML that can't be anything else.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''").replace(['\n', '\r'], " "))
}
