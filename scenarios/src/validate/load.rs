//! `load`: how the scenario is played on one machine.

use indexmap::IndexMap;

use super::{Names, Parts, laws, reference, unknown};
use crate::arrivals::DAY_S;
use crate::decode::{Decoder, Fields, Kind, Shape, counted, field, must, quantity};
use crate::distribution::Distribution;
use crate::node::Node;
use crate::scenario::{DatasetId, Load, LoadScale, Peak, SessionPlan, SessionStep};
use crate::units::{Duration, Fraction, Seconds, Share};

/// Most sites of a load run.
const SITES_MAX: u32 = 10_000;
/// A scale as messages show it.
const SCALE_EXAMPLE: &str = "1/1000";

const SCALED: Kind = quantity::<Share>();

pub const LOAD: Shape = Shape {
    fields: &[
        must("scale", Kind::Fields(&SCALE), "what is made smaller, and by how much"),
        field("warmup", quantity::<Seconds>(), "time before that warms caches, and does not count (10 s)"),
        field("duration", quantity::<Seconds>(), "time that counts (30 s)"),
        field("at", Kind::Choice(&["mean", "peak"]), "at which rate of the day (mean)"),
        field("sessions", Kind::Fields(&SESSIONS), "how requests of one user follow each other (they don't)"),
    ],
    example: "{scale: {users: 1/1000, objects: 1/1000}}",
};
const SCALE: Shape = Shape {
    fields: &[
        field("users", quantity::<Share>(), "users, and with them rates and servers (1)"),
        field("objects", quantity::<Share>(), "objects of every dataset, and with them caches (1)"),
        field("sizes", Kind::Named(&SCALED), "object sizes by dataset (1)"),
        field("sites", Kind::Whole(1, SITES_MAX), "sites (1)"),
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

pub fn load(decoder: &mut Decoder, node: &Node, parts: &Parts<'_>) -> Option<Load> {
    let names = parts.names;
    let mut fields = decoder.fields(node, "load", &LOAD)?;
    let scale = fields.need(decoder, "scale", SCALE.example).and_then(|n| load_scale(decoder, n, names));
    let warmup: Duration =
        fields.quantity_like(decoder, "warmup", "10 s").unwrap_or_else(|| Duration::given(10.0, "10 s"));
    let duration: Duration =
        fields.quantity_like(decoder, "duration", "30 s").unwrap_or_else(|| Duration::given(30.0, "30 s"));
    let at = fields
        .take("at")
        .and_then(|n| decoder.one_of(n, "load.at", &[("mean", Peak::Mean), ("peak", Peak::Peak)]));
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

fn load_scale(decoder: &mut Decoder, node: &Node, names: &Names) -> Option<LoadScale> {
    let mut fields = decoder.fields(node, "load.scale", &SCALE)?;
    let (users, objects) = (factor(decoder, &mut fields, "users"), factor(decoder, &mut fields, "objects"));
    let sizes = fields.take("sizes").map(|n| sizes(decoder, n, names)).unwrap_or_default();
    let sites = fields.number(decoder, "sites", (1, SITES_MAX), "2").unwrap_or(1);
    fields.finish(decoder);
    Some(LoadScale { users, objects, sizes, sites })
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
