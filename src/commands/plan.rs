//! `plimsoll plan`: sizes of one scenario, or of two beside each other.

use std::sync::atomic::AtomicBool;

use plimsoll_reports::plan::{Plan, compare};
use plimsoll_reports::{html, json, text};
use plimsoll_scenarios::prices::PriceList;
use plimsoll_scenarios::slo::Failure as Fault;
use plimsoll_scenarios::units::Fraction;
use plimsoll_scenarios::{LoadError, Resolved, resolve};
use plimsoll_sim::plan::{Assumed, Options, plan};

use crate::cli::{PageFormat, PlanArgs};
use crate::failure::{Code, Failure};
use crate::machine;
use crate::output;
use crate::terminal::Terminal;

pub fn run(args: &PlanArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let prices = PriceList::load(&args.prices)?;
    let assumed = assumed(args)?;
    let options = Options {
        seed: args.repeat.seed,
        prices: &prices,
        assumed,
        worlds: args.worlds as usize,
        verify: !args.no_verify,
        relax: args.relax,
        threads: args.repeat.threads.map_or_else(machine::threads, usize::from),
    };
    let stop = plimsoll_loadgen::stop_on_ctrl_c();
    let (resolved, first) = planned(&args.scenario, args, &options, terminal, &stop)?;
    if let Some(other) = &args.other {
        let (_, second) = planned(other, args, &options, terminal, &stop)?;
        let record = compare(&first, &second);
        terminal.print(&match args.format {
            PageFormat::Json => json::to_string(&record)?,
            PageFormat::Markdown => text::plans_compared_markdown(&record),
            PageFormat::Text => text::plans_compared(&record, terminal.style),
        })?;
        return Ok(code(&[&first, &second]));
    }
    if let Some(path) = &args.write {
        output::put(path, &sized(resolved, &first)?)?;
    }
    if let Some(path) = &args.html {
        output::put(path, &html::plan(&first))?;
    }
    terminal.print(&match args.format {
        PageFormat::Json => json::to_string(&first)?,
        PageFormat::Markdown => text::plan_markdown(&first),
        PageFormat::Text => text::plan(&first, terminal.style),
    })?;
    if let (Some(path), PageFormat::Text) = (&args.write, args.format) {
        terminal.say(&format!("next  plimsoll simulate {}", path.display()));
    }
    Ok(code(&[&first]))
}

/// Plans of which a target does not hold are a breach.
fn code(plans: &[&Plan]) -> Code {
    if plans.iter().any(|plan| plan.provenance.partial) {
        return Code::Interrupted;
    }
    let all = plans.iter().all(|plan| plan.targets.iter().all(|t| t.holds));
    if all { Code::Success } else { Code::Breached }
}

fn assumed(args: &PlanArgs) -> Result<Assumed, Failure> {
    let wrong =
        |(cause, fix): (String, String)| Failure::Usage(format!("--utilisation: {cause}\nhint: {fix}"));
    let utilisation = Fraction::parse(&args.utilisation).map_err(wrong)?.get();
    if utilisation <= 0.0 {
        let cause = format!("`{}` leaves no room for any work", args.utilisation);
        return Err(wrong((cause, "write a share such as `70 %`".to_owned())));
    }
    // The parser has refused every other name.
    let fault = |name: &String| Fault::NAMES.iter().find(|(known, _)| known == name).map(|(_, fault)| *fault);
    Ok(Assumed { utilisation, spare: !args.no_spare, under: args.under.iter().filter_map(fault).collect() })
}

fn planned(
    name: &str,
    args: &PlanArgs,
    options: &Options<'_>,
    terminal: &Terminal,
    stop: &AtomicBool,
) -> Result<(Resolved, Plan), Failure> {
    let resolved = resolve(name, &args.set)?;
    let open = resolved.open().map_err(LoadError::Invalid)?;
    options.prices.check(&open.scenario).map_err(LoadError::from)?;
    let record = terminal.stage("plan", |s| plan(&open, options, &|share| s.progress(share, ""), stop))?;
    Ok((resolved, record))
}

/// The scenario with the sizes of a plan.
fn sized(mut resolved: Resolved, record: &Plan) -> Result<String, Failure> {
    resolved.size(&record.settings).map_err(LoadError::Invalid)?;
    // What is written must be a scenario.
    resolved.scenario().map_err(LoadError::Invalid)?;
    Ok(format!(
        "# Sized by plimsoll plan: {} a month for the sizes marked so.\n{}",
        plimsoll_reports::format::human(
            record.cost.total_per_month,
            plimsoll_reports::record::Unit::DollarsPerMonth
        )
        .trim_end_matches("/month"),
        resolved.yaml()
    ))
}
