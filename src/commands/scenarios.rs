//! `plimsoll scenarios`: list, show, check, new, schema.

use std::io::{ErrorKind, Write};
use std::path::Path;

use plimsoll_reports::json;
use plimsoll_scenarios::{
    LoadError, Origin, Problem, Scenario, bundled, json_schema, load, resolve, starter,
};

use crate::cli::{CheckArgs, Format, NewArgs, ScenariosArgs, ScenariosCommand, ShowArgs};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;

pub fn run(args: &ScenariosArgs, terminal: &Terminal) -> Result<Code, Failure> {
    match &args.what {
        ScenariosCommand::List { format } => list(*format, terminal),
        ScenariosCommand::Show(args) => show(args, terminal),
        ScenariosCommand::Check(args) => check(args, terminal),
        ScenariosCommand::New(args) => new(args, terminal),
        ScenariosCommand::Schema => {
            terminal.print(&json_schema())?;
            Ok(Code::Success)
        }
    }
}

#[derive(serde::Serialize)]
struct Entry {
    name: String,
    summary: String,
}

fn list(format: Format, terminal: &Terminal) -> Result<Code, Failure> {
    let mut entries = Vec::new();
    for scenario in bundled() {
        entries.push(Entry { name: scenario.name.to_owned(), summary: load(scenario.name)?.summary });
    }
    terminal.print(&match format {
        Format::Json => json::to_string(&entries)?,
        Format::Text => {
            entries.iter().fold(String::new(), |text, e| text + &format!("{:<24} {}\n", e.name, e.summary))
        }
    })?;
    Ok(Code::Success)
}

/// The text of a scenario, or what it comes to. What is not valid is shown too, and its problems after it.
fn show(args: &ShowArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let resolved = resolve(&args.what.scenario, &args.what.set)?;
    if !args.resolved && args.what.set.is_empty() {
        terminal.print(resolved.text())?;
        return Ok(Code::Success);
    }
    terminal.print(&resolved.yaml())?;
    resolved.scenario().map_err(LoadError::Invalid)?;
    Ok(Code::Success)
}

/// What `check` says of one file.
#[derive(serde::Serialize)]
struct Checked {
    file: String,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scenario: Option<Counts>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Told>,
}

#[derive(serde::Serialize)]
struct Counts {
    name: String,
    actions: usize,
    datasets: usize,
    tiers: usize,
    claims: usize,
}

impl Counts {
    fn of(scenario: &Scenario) -> Self {
        Self {
            name: scenario.name.clone(),
            actions: scenario.actions.len(),
            datasets: scenario.datasets.len(),
            tiers: scenario.tiers.len(),
            claims: scenario.claims.len(),
        }
    }
}

/// A problem, with its place counted from 1; 0 where it has none.
#[derive(serde::Serialize)]
struct Told {
    file: String,
    line: u32,
    column: u32,
    length: u32,
    cause: String,
    fix: String,
}

/// Checks every file, not only up to the first bad one.
fn check(args: &CheckArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let mut all = Vec::new();
    for file in &args.files {
        // What is left to the planner is no mistake.
        let found = resolve(file, &args.set)
            .and_then(|resolved| Ok(resolved.open().map_err(LoadError::Invalid)?.scenario));
        if args.format == Format::Json {
            all.push(checked(file, found));
            continue;
        }
        match found {
            Ok(scenario) => terminal.print(&line(file, &Counts::of(&scenario)))?,
            Err(error) => {
                terminal.error(&error.into());
                all.push(Checked { file: file.clone(), valid: false, scenario: None, problems: Vec::new() });
            }
        }
    }
    if args.format == Format::Json {
        terminal.print(&json::to_string(&all)?)?;
    }
    Ok(if all.iter().all(|checked| checked.valid) { Code::Success } else { Code::Usage })
}

fn line(file: &str, counts: &Counts) -> String {
    let number = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    format!(
        "{file}: valid · {} · {}, {}, {}, {}\n",
        counts.name,
        number(counts.actions, "action"),
        number(counts.datasets, "dataset"),
        number(counts.tiers, "tier"),
        number(counts.claims, "claim"),
    )
}

fn checked(file: &str, found: Result<Scenario, LoadError>) -> Checked {
    let bad = |problems| Checked { file: file.to_owned(), valid: false, scenario: None, problems };
    match found {
        Ok(scenario) => Checked { valid: true, scenario: Some(Counts::of(&scenario)), ..bad(Vec::new()) },
        Err(LoadError::Invalid(problems)) => {
            let source = |problem: &Problem| problems.source(problem).name.to_string();
            bad(problems.list.iter().map(|problem| told(problem, source(problem))).collect())
        }
        Err(error) => {
            let said = error.to_string();
            let (cause, fix) = said.split_once("\nhint: ").unwrap_or((&said, ""));
            let problem = Problem { origin: Origin::default(), cause: cause.to_owned(), fix: fix.to_owned() };
            bad(vec![told(&problem, file.to_owned())])
        }
    }
}

fn told(problem: &Problem, file: String) -> Told {
    let Origin { line, column, length, .. } = problem.origin;
    Told { file, line, column, length, cause: problem.cause.clone(), fix: problem.fix.clone() }
}

/// Writes a starter, never over anything.
fn new(args: &NewArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let text = starter(&args.name).map_err(|(cause, fix)| Failure::Usage(format!("{cause}\nhint: {fix}")))?;
    let path = args.output.clone().unwrap_or_else(|| format!("{}.yaml", args.name).into());
    if path == Path::new("-") {
        terminal.print(&text)?;
        return Ok(Code::Success);
    }
    let shown = path.display().to_string();
    let mut file = std::fs::File::create_new(&path).map_err(|cause| match cause.kind() {
        ErrorKind::AlreadyExists => Failure::Usage(format!(
            "{shown} is there already\nhint: choose another place with `--output FILE`"
        )),
        _ => Failure::Usage(format!(
            "cannot write {shown}: {cause}\nhint: choose another place with `--output FILE`"
        )),
    })?;
    if let Err(cause) = file.write_all(text.as_bytes()) {
        // Half a file is worse than none; that it can't be removed either is the smaller trouble.
        let _ = std::fs::remove_file(&path);
        return Err(Failure::Write { path: shown, cause });
    }
    terminal.say(&format!("wrote {shown}\nnext: change its figures, then `plimsoll estimate {shown}`"));
    Ok(Code::Success)
}
