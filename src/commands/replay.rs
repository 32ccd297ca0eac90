//! `plimsoll replay`: a recorded trace through caches.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use plimsoll_reports::format::human;
use plimsoll_reports::record::{Replay, Unit};
use plimsoll_reports::{json, plot, text};
use plimsoll_scenarios::Policy;
use plimsoll_scenarios::units::{Bytes, Count, Dimension, Quantity, Seconds, Size};
use plimsoll_sim::replay::{Capacity, Options, Rules, Trace, TraceFormat, replay};

use crate::cli::{By, Format, ReplayArgs};
use crate::failure::{Code, Failure};
use crate::terminal::Terminal;
use crate::{machine, output};

const RECORD: &str = "replay.json";
const CURVE: &str = "miss-ratio-curve.svg";
/// Least and most of a time to live, seconds.
const TTL_S: (f64, f64) = (0.01, 10.0 * 365.0 * 86_400.0);
/// Stands for the standard input.
const STDIN: &str = "-";

pub fn run(args: &ReplayArgs, terminal: &Terminal) -> Result<Code, Failure> {
    let options = options(args)?;
    let stop = plimsoll_loadgen::stop_on_ctrl_c();
    let source = Source::open(&args.trace)?;
    let wrong = |cause: plimsoll_sim::replay::TraceError| Failure::Usage(format!("{}: {cause}", source.name));
    let format = args.trace_format.as_deref().and_then(format_named);
    let format = format.or_else(|| TraceFormat::of_name(&source.name));
    let trace = Trace::open(source.reader, format).map_err(wrong)?;
    let played = terminal.stage("replay", |stage| {
        let mut progress = |requests: u64| {
            let read = source.read.load(Ordering::Relaxed) as f64;
            let share = source.length.map_or(0.0, |length| read / length as f64);
            stage.progress(share, &format!("{} requests", human(requests as f64, Unit::Count)));
        };
        replay(trace, &source.name, &options, &mut progress, &stop)
    });
    let mut record = played.map_err(wrong)?;
    let said = &mut record.provenance.options;
    said.insert("policy".to_owned(), args.policy.join(","));
    said.insert("capacity".to_owned(), args.capacity.join(","));
    let second = (args.admit_on > 1).then(|| args.admit_on.to_string());
    for (name, value) in [("ttl", &args.ttl), ("admit-on", &second), ("admit-max-size", &args.admit_max_size)]
    {
        said.extend(value.clone().map(|value| (name.to_owned(), value)));
    }
    terminal.print(&match args.format {
        Format::Json => json::to_string(&record)?,
        Format::Text => text::replay(&record, terminal.style),
    })?;
    if let Some(directory) = &args.out {
        write(directory, &record, terminal)?;
    } else if args.mrc {
        terminal.say("hint: `--out DIR` draws the curve");
    }
    Ok(if record.provenance.partial { Code::Interrupted } else { Code::Success })
}

fn options(args: &ReplayArgs) -> Result<Options, Failure> {
    if args.capacity.is_empty() && !args.mrc && !args.fit {
        let cause = "nothing to replay for: no `--capacity`, no `--mrc` and no `--fit`";
        let hint = "say how large the cache is, such as `--capacity 1000,10000` or `--capacity '10 GB'`";
        return Err(Failure::Usage(format!("{cause}\nhint: {hint}")));
    }
    let policies = args.policy.iter().filter_map(|name| policy_named(name)).collect();
    let capacities = args.capacity.iter().map(|text| capacity(text, args.by)).collect::<Result<_, _>>();
    let capacities =
        capacities.map_err(|(cause, hint)| Failure::Usage(format!("--capacity: {cause}\nhint: {hint}")))?;
    let (rules, threads) = (rules(args)?, machine::threads());
    Ok(Options { policies, capacities, rules, curve: args.mrc, fit: args.fit, threads })
}

/// What caches do besides choosing what goes.
fn rules(args: &ReplayArgs) -> Result<Rules, Failure> {
    fn one<D: Dimension>(
        option: &str,
        text: Option<&String>,
        (low, high): (f64, f64),
        such: &str,
    ) -> Result<Option<f64>, Failure> {
        let Some(text) = text else { return Ok(None) };
        let told =
            |(cause, hint): (String, String)| Failure::Usage(format!("{option}: {cause}\nhint: {hint}"));
        let parsed = Quantity::<D>::parse(text).map_err(told)?;
        let known = parsed.range.is_none() && (low..=high).contains(&parsed.get());
        let wrong = || told((format!("`{text}` is out of range"), format!("write {such}")));
        if known { Ok(Some(parsed.get())) } else { Err(wrong()) }
    }
    let ttl_such = "10 ms to 10 years, such as `1 h`";
    let ttl_s = one::<Seconds>("--ttl", args.ttl.as_ref(), TTL_S, ttl_such)?;
    let size = args.admit_max_size.as_ref();
    let size_max = one::<Bytes>("--admit-max-size", size, (1.0, f64::MAX), "1 B or more, such as `20 MB`")?;
    Ok(Rules {
        ttl_s: ttl_s.unwrap_or(f64::INFINITY),
        on_second: args.admit_on == 2,
        size_max: size_max.map_or(u64::MAX, |size| size as u64),
        ..Rules::NONE
    })
}

/// The parser of the command line lets no other names through.
fn policy_named(name: &str) -> Option<Policy> {
    Policy::NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, policy)| *policy)
}

fn format_named(name: &str) -> Option<TraceFormat> {
    TraceFormat::NAMES.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
}

/// Objects or bytes: as `--by` says, else as the unit does.
fn capacity(text: &str, by: Option<By>) -> Result<Capacity, (String, String)> {
    let text = text.trim();
    let ends_in_b =
        text.strip_suffix('B').is_some_and(|n| n.ends_with(|c: char| c.is_ascii_digit() || c == ' '));
    match by {
        Some(By::Objects) => whole::<_>(&Count::parse(text)?).map(Capacity::Objects),
        Some(By::Bytes) => {
            let bare = text.parse::<f64>().is_ok();
            let text = if bare { format!("{text} B") } else { text.to_owned() };
            whole(&Size::parse(&text)?).map(Capacity::Bytes)
        }
        None if ends_in_b => {
            let cause = format!("`{text}` could be bytes or billions of objects");
            Err((cause, "add `--by bytes` or `--by objects`".to_owned()))
        }
        None => match Count::parse(text) {
            Ok(count) => whole(&count).map(Capacity::Objects),
            Err(no_count) => match Size::parse(text) {
                Ok(size) => whole(&size).map(Capacity::Bytes),
                Err(no_size) if text.ends_with('B') => Err(no_size),
                Err(_) => {
                    Err((no_count.0, "write objects such as `10 K`, or bytes such as `10 GB`".to_owned()))
                }
            },
        },
    }
}

fn whole<D: Dimension>(quantity: &Quantity<D>) -> Result<NonZeroU64, (String, String)> {
    let value = NonZeroU64::new(quantity.get() as u64).filter(|_| quantity.range.is_none());
    value.ok_or_else(|| {
        let cause = format!("`{}` is no capacity", quantity.text);
        (cause, "write one number of at least 1, such as `1000` or `10 GB`".to_owned())
    })
}

/// Where a trace comes from.
struct Source {
    name: String,
    reader: Box<dyn Read + Send>,
    /// Bytes in all, where that is known, and read so far.
    length: Option<u64>,
    read: Arc<AtomicU64>,
}

impl Source {
    fn open(path: &Path) -> Result<Self, Failure> {
        let read = Arc::new(AtomicU64::new(0));
        let counted = |inner| Box::new(Counted { inner, read: Arc::clone(&read) });
        if path == Path::new(STDIN) {
            if io::stdin().is_terminal() {
                let cause = "no trace on the standard input";
                return Err(Failure::Usage(format!("{cause}\nhint: `plimsoll replay - ... < TRACE`")));
            }
            let name = "standard input".to_owned();
            let reader = counted(Box::new(io::stdin()) as Box<dyn Read + Send>);
            return Ok(Self { name, reader, length: None, read });
        }
        let fail = |cause: io::Error| Failure::Read {
            path: path.display().to_string(),
            cause: cause.to_string(),
            hint: "name a trace file, or `-` for the standard input".to_owned(),
        };
        let file = File::open(path).map_err(fail)?;
        let about = file.metadata().map_err(fail)?;
        if about.is_dir() {
            return Err(fail(io::Error::from(io::ErrorKind::IsADirectory)));
        }
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
        let length = (about.is_file() && about.len() > 0).then_some(about.len());
        let reader = counted(Box::new(file) as Box<dyn Read + Send>);
        Ok(Self { name, reader, length, read })
    }
}

/// Counts what is read.
struct Counted {
    inner: Box<dyn Read + Send>,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(target)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

fn write(directory: &Path, record: &Replay, terminal: &Terminal) -> Result<(), Failure> {
    std::fs::create_dir_all(directory)
        .map_err(|cause| Failure::Write { path: directory.display().to_string(), cause })?;
    output::write(directory, RECORD, &json::to_string(record)?)?;
    terminal.say(&format!("record       {}", directory.join(RECORD).display()));
    if let Some(plot) = plot::miss_ratio(record) {
        output::write(directory, CURVE, &plot.standalone())?;
        terminal.say(&format!("curve        {}", directory.join(CURVE).display()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacities_are_objects_or_bytes() {
        let some = |n| NonZeroU64::new(n).unwrap();
        for (text, by, expected) in [
            ("1000", None, Capacity::Objects(some(1_000))),
            ("10 K", None, Capacity::Objects(some(10_000))),
            ("1e3", None, Capacity::Objects(some(1_000))),
            ("10 GB", None, Capacity::Bytes(some(10_000_000_000))),
            ("1KiB", None, Capacity::Bytes(some(1024))),
            ("5000", Some(By::Bytes), Capacity::Bytes(some(5_000))),
            ("2 B", Some(By::Bytes), Capacity::Bytes(some(2))),
            ("2 B", Some(By::Objects), Capacity::Objects(some(2_000_000_000))),
        ] {
            assert_eq!(capacity(text, by).unwrap(), expected, "{text}");
        }
        for (text, by, cause) in [
            ("0", None, "`0` is out of range"),
            ("0.5", None, "`0.5` is no capacity"),
            ("-3", None, "`-3` is out of range"),
            ("2 B", None, "could be bytes or billions"),
            ("much", None, "`much` is not a count"),
            ("10 GiBB", None, "unknown unit `GiBB`"),
            ("1 to 5", None, "is no capacity"),
            ("10 GB", Some(By::Objects), "unit doesn't fit: `10 GB` is a size"),
        ] {
            let (found, _) = capacity(text, by).unwrap_err();
            assert!(found.contains(cause), "{text}: {found}");
        }
    }
}
