//! `load`: how the scenario is played on one machine.

use indexmap::IndexMap;

use super::{Names, Parts, laws, reference, unknown};
use crate::arrivals::DAY_S;
use crate::decode::{Decoder, Fields, Kind, Shape, counted, field, must, quantity};
use crate::distribution::Distribution;
use crate::node::{Node, Value};
use crate::scenario::{DatasetId, Load, LoadScale, LoadSites, Peak, SessionPlan, SessionStep};
use crate::units::{self, Duration, Fraction, Seconds, Share};

/// Most sites of a load run.
const SITES_MAX: u32 = 10_000;
const SITE_COUNT: Kind = Kind::Whole(1, SITES_MAX);
const SITES: Kind = Kind::Any(&[SITE_COUNT, Kind::Named(&SITE_COUNT)]);
const AT: Kind = Kind::Any(&[Kind::Choice(&["mean", "peak"]), Kind::TimeOfDay]);
/// A scale as messages show it.
const SCALE_EXAMPLE: &str = "1/1000";

const SCALED: Kind = quantity::<Share>();

pub const LOAD: Shape = Shape {
    fields: &[
        must("scale", Kind::Fields(&SCALE), "what is made smaller, and by how much"),
        field("warmup", quantity::<Seconds>(), "time before that warms caches, and does not count (10 s)"),
        field("duration", quantity::<Seconds>(), "time that counts (30 s)"),
        field(
            "at",
            AT,
            "at which rate of the day: its mean, every region's peak, or that of a time in UTC (mean)",
        ),
        field("sessions", Kind::Fields(&SESSIONS), "how requests of one user follow each other (they don't)"),
    ],
    example: "{scale: {users: 1/1000, objects: 1/1000}}",
};
const SCALE: Shape = Shape {
    fields: &[
        field("users", quantity::<Share>(), "users, and with them rates and servers (1)"),
        field("objects", quantity::<Share>(), "objects of every dataset, and with them caches (1)"),
        field("sizes", Kind::Named(&SCALED), "object sizes by dataset (1)"),
        field("sites", SITES, "sites in all, or of each region: then users stay in their regions (1)"),
    ],
    example: "{users: 1/1000, objects: 1/1000}",
};

const SESSIONS: Shape = Shape {
    fields: &[
        must("steps", Kind::List(&Kind::Fields(&SESSION_STEP)), "what a user does, one after the other"),
        field("returning", quantity::<Share>(), "share of sessions whose user came before (0)"),
    ],
    example: "{steps: [{do: search, think: 4 s}, {do: view, again: 80 %}]}",
};
const SESSION_STEP: Shape = Shape {
    fields: &[
        must("do", Kind::Name("action"), "the action"),
        field("share", quantity::<Share>(), "probability that it is done at all (100 %)"),
        field("times", Kind::Whole(1, TIMES_MAX), "times one after the other (1)"),
        field("again", quantity::<Share>(), "probability of once more, then and after each time more (0)"),
        field("leave", quantity::<Share>(), "probability that the user leaves after it, each time (0)"),
        field("think", laws::DURATION, "time before what comes next (0 s)"),
        field("object", Kind::Choice(&["new", "same"]), "one of its own, or what was asked for last (new)"),
    ],
    example: "{do: view, think: {exponential: 4 s}}",
};
/// Steps of a session, and times of one.
const STEPS_MAX: usize = 50;
const TIMES_MAX: u32 = 100;
/// Most that is done again: a hundred times on average.
const AGAIN_MAX: f64 = 0.99;
/// Longest thought on average, seconds.
const THINK_MAX: f64 = DAY_S;

/// `regions` are the names of the population's regions, if they are known.
pub fn load(
    decoder: &mut Decoder,
    node: &Node,
    parts: &Parts<'_>,
    regions: Option<&[String]>,
) -> Option<Load> {
    let names = parts.names;
    let mut fields = decoder.fields(node, "load", &LOAD)?;
    let scale =
        fields.need(decoder, "scale", SCALE.example).and_then(|n| load_scale(decoder, n, names, regions));
    let warmup: Duration =
        fields.quantity_like(decoder, "warmup", "10 s").unwrap_or_else(|| Duration::given(10.0, "10 s"));
    let duration: Duration =
        fields.quantity_like(decoder, "duration", "30 s").unwrap_or_else(|| Duration::given(30.0, "30 s"));
    let at = fields.take("at").and_then(|n| at(decoder, n));
    let sessions = fields.take("sessions").map(|n| decoder.clean(|decoder| sessions(decoder, n, parts)));
    let origin = fields.origin;
    fields.finish(decoder);
    decoder.between(&warmup, "load.warmup", (0.0, DAY_S), "expected at most a day");
    let fix = "expected more than 0 and at most a day, such as `30 s`";
    decoder.between(&duration, "load.duration", (f64::MIN_POSITIVE, DAY_S), fix);
    let sessions = match sessions {
        Some(sessions) => Some(sessions?),
        None => None,
    };
    Some(Load { scale: scale?, duration, warmup, at: at.unwrap_or(Peak::Mean), sessions, origin })
}

/// A word or a time of day.
fn at(decoder: &mut Decoder, node: &Node) -> Option<Peak> {
    let known = "write mean, peak, or a time of day in UTC, such as `19:00`";
    let text = decoder.text(node, "load.at", known)?;
    match text.as_str() {
        "mean" => Some(Peak::Mean),
        "peak" => Some(Peak::Peak),
        time if time.starts_with(|c: char| c.is_ascii_digit()) => {
            decoder.noted(node.origin, "load.at", units::parse_time_of_day(time)).map(Peak::At)
        }
        _ => {
            decoder.problem(node.origin, format!("load.at: unknown value `{text}`"), known);
            None
        }
    }
}

fn sessions(decoder: &mut Decoder, node: &Node, parts: &Parts<'_>) -> Option<SessionPlan> {
    let mut fields = decoder.fields(node, "load.sessions", &SESSIONS)?;
    let returning: Option<Fraction> = fields.quantity(decoder, "returning");
    let list = fields.need(decoder, "steps", "[{do: view, think: 4 s}]");
    fields.finish(decoder);
    let list = list?;
    let items = decoder.list(list, "load.sessions.steps", "[{do: view, think: 4 s}]")?;
    if items.is_empty() || items.len() > STEPS_MAX {
        let cause = format!("`load.sessions.steps` has {}", counted(items.len(), "step"));
        decoder.problem(list.origin, cause, format!("expected 1 to {STEPS_MAX}"));
        return None;
    }
    let mut steps: Vec<SessionStep> = Vec::with_capacity(items.len());
    for (i, item) in items.iter().enumerate() {
        let path = format!("load.sessions.steps[{i}]");
        if let Some(step) = session_step(decoder, item, &path, parts) {
            asked_before(decoder, item, &path, (&step, &steps), parts);
            steps.push(step);
        }
    }
    if steps.iter().all(|step| step.share == 0.0) && steps.len() == items.len() {
        decoder.problem(
            list.origin,
            "`load.sessions.steps`: nothing is ever done",
            "give one step a share above 0",
        );
    }
    Some(SessionPlan { returning: returning.map_or(0.0, |q| q.get()), steps })
}

fn session_step(decoder: &mut Decoder, node: &Node, path: &str, parts: &Parts<'_>) -> Option<SessionStep> {
    let mut fields = decoder.fields(node, path, &SESSION_STEP)?;
    let what = fields.name("do");
    let action = fields
        .need(decoder, "do", "view")
        .and_then(|n| reference(decoder, n, &what, "action", parts.names.actions.as_deref()));
    let mut share = |decoder: &mut Decoder, field: &str, most: f64, default: f64| {
        let share: Option<Fraction> = fields.quantity(decoder, field);
        let Some(share) = share else { return default };
        let fix = format!("expected at most {} %", most * 100.0);
        decoder.between(&share, &fields.name(field), (0.0, most), &fix);
        share.get()
    };
    let (done, leave) = (share(decoder, "share", 1.0, 1.0), share(decoder, "leave", 1.0, 0.0));
    let again = share(decoder, "again", AGAIN_MAX, 0.0);
    let times = fields.number(decoder, "times", (1, TIMES_MAX), "2").unwrap_or(1);
    let what = fields.name("think");
    let think_node = fields.take("think");
    let think = think_node.map(|n| laws::duration(decoder, n, &what));
    let what = fields.name("object");
    let same =
        fields.take("object").and_then(|n| decoder.one_of(n, &what, &[("new", false), ("same", true)]));
    fields.finish(decoder);
    let think = think.unwrap_or_else(|| Some(Distribution::constant(0.0)))?;
    if let Some(node) = think_node.filter(|_| think.mean() > THINK_MAX) {
        let cause = format!("{path}.think is {:.0} h on average", think.mean() / 3_600.0);
        decoder.problem(node.origin, cause, "expected at most a day");
    }
    Some(SessionStep {
        action: action?,
        share: done,
        times,
        again,
        leave,
        think,
        same: same.unwrap_or(false),
    })
}

/// A step that asks for the same object needs one before it that asks for one of its dataset.
fn asked_before(
    decoder: &mut Decoder,
    node: &Node,
    path: &str,
    (step, before): (&SessionStep, &[SessionStep]),
    parts: &Parts<'_>,
) {
    let Some((name, Some(action))) = parts.actions.get_index(step.action) else { return };
    if !step.same {
        return;
    }
    let Some(dataset) = action.of else {
        let cause = format!("{path}: `{name}` asks for no object, so it can't ask for the same");
        decoder.problem(node.origin, cause, "drop `object`, or say `of: DATASET` at the action");
        return;
    };
    let asks = |step: &SessionStep| match parts.actions.get_index(step.action) {
        Some((_, Some(action))) => action.of == Some(dataset),
        // What has a problem of its own may well ask for one.
        _ => true,
    };
    if !before.iter().any(asks) {
        let cause = format!("{path}: no step before asks for what `{name}` asks for");
        decoder.problem(
            node.origin,
            cause,
            "drop `object: same`, or put a step of the same dataset before it",
        );
    }
}

fn load_scale(
    decoder: &mut Decoder,
    node: &Node,
    names: &Names,
    regions: Option<&[String]>,
) -> Option<LoadScale> {
    let mut fields = decoder.fields(node, "load.scale", &SCALE)?;
    let (users, objects) = (factor(decoder, &mut fields, "users"), factor(decoder, &mut fields, "objects"));
    let sizes = fields.take("sizes").map(|n| sizes(decoder, n, names)).unwrap_or_default();
    let sites = fields.take("sites").and_then(|node| sites(decoder, node, regions));
    fields.finish(decoder);
    Some(LoadScale { users, objects, sizes, sites: sites.unwrap_or(LoadSites::All(1)) })
}

/// A number for all, or one for every region of the population.
fn sites(decoder: &mut Decoder, node: &Node, regions: Option<&[String]>) -> Option<LoadSites> {
    let path = "load.scale.sites";
    let bounds = (1, SITES_MAX);
    if !matches!(node.value, Value::Map(_)) {
        return decoder.whole(node, path, bounds, "2").map(|count| LoadSites::All(count.get() as u32));
    }
    let regions = regions?;
    let mut by_region: Vec<Option<u32>> = vec![None; regions.len()];
    for (name, origin, value) in decoder.entries(node, path, "{europe: 2, asia: 1}")? {
        if let Some(id) = regions.iter().position(|region| region == name) {
            let count = decoder.whole(value, &format!("{path}.{name}"), bounds, "2")?;
            by_region[id] = Some(count.get() as u32);
        } else {
            unknown(decoder, origin, (path, "region"), name, regions);
            return None;
        }
    }
    if let Some(id) = by_region.iter().position(Option::is_none) {
        let cause = format!("`{path}` says nothing of `{}`", regions[id]);
        let fix = "name every region, or write one number: all users are one region then";
        decoder.problem(node.origin, cause, fix);
        return None;
    }
    let by_region: Vec<u32> = by_region.into_iter().flatten().collect();
    let all: u32 = by_region.iter().sum();
    if all > SITES_MAX {
        let cause = format!("`{path}` has {} in all", counted(all as usize, "site"));
        decoder.problem(node.origin, cause, format!("expected at most {SITES_MAX}"));
        return None;
    }
    Some(LoadSites::ByRegion(by_region))
}

fn factor(decoder: &mut Decoder, fields: &mut Fields<'_>, field: &str) -> f64 {
    let factor: Option<Fraction> = fields.quantity_like(decoder, field, SCALE_EXAMPLE);
    factor.map_or(1.0, |q| above_zero(decoder, &q, &fields.name(field)))
}

fn above_zero(decoder: &mut Decoder, factor: &Fraction, what: &str) -> f64 {
    let fix = format!("expected more than 0, such as `{SCALE_EXAMPLE}`");
    decoder.between(factor, what, (f64::MIN_POSITIVE, 1.0), &fix);
    factor.get()
}

fn sizes(decoder: &mut Decoder, node: &Node, names: &Names) -> IndexMap<DatasetId, f64> {
    let mut sizes = IndexMap::new();
    let path = "load.scale.sizes";
    for (name, origin, value) in decoder.entries(node, path, "{photo: 1/100}").unwrap_or_default() {
        let Some(known) = &names.datasets else { continue };
        if let Some(id) = known.iter().position(|n| n == name) {
            let factor = decoder.quantity_like::<Share>(value, path, SCALE_EXAMPLE);
            sizes.extend(factor.map(|q| (id, above_zero(decoder, &q, &format!("{path}.{name}")))));
        } else {
            unknown(decoder, origin, (path, "dataset"), name, known);
        }
    }
    sizes
}
