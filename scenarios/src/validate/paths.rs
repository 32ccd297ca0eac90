//! A path as the file writes it, to the tree of calls that it means.
//!
//! `[a, b, c]`: a calls b, b calls c. A step in braces does more: `{call: b, share: 5 %}`, `{sequence: [..]}`,
//! `{parallel: [..], wait_for: 2}`, `{async: ..}`. What follows such a step is called by the same caller, after it.

use super::actions::Known;
use super::{clients, reference};
use crate::calls::{Call, Calls, WaitFor};
use crate::decode::{Decoder, Fields, Kind, Shape, counted, describe, field, must, quantity, suggestion};
use crate::diagnostic::Origin;
use crate::node::{Node, Value};
use crate::scenario::{DatasetId, TierId};
use crate::units::{Bytes, Fraction, Number, Plain, Share, Size};

/// Deepest nesting of paths in paths.
const DEPTH_MAX: u32 = 8;
/// Most steps of one path, and most branches of one step.
pub const STEPS_MAX: usize = 100;
/// Most calls that one step makes.
const CALLS_MAX: f64 = 1e9;

pub const CALL: Shape = Shape {
    fields: &[
        must("call", Kind::Name("tier"), "the tier called"),
        field("of", Kind::Name("dataset"), "the dataset asked for, from here on (the caller's)"),
        field("write", Kind::Flag, "a write, from here on (as the caller)"),
        field("share", quantity::<Share>(), "probability that the call is made (100 %)"),
        field("fan_out", quantity::<Plain>(), "such calls made at once (1)"),
        field("times", quantity::<Plain>(), "such calls made one after the other (1)"),
        field("wait_for", WAIT_FOR, "of `fan_out` calls, how many to wait for (all)"),
        field("request", quantity::<Bytes>(), "bytes there, from here on (as the caller)"),
        field("response", quantity::<Bytes>(), "bytes back, from here on (as the caller; the size of `of`)"),
        field(
            "timeout",
            clients::TIMEOUT,
            "a call that takes longer has failed (that of the tier's `client`)",
        ),
        field("retries", Kind::Fields(&clients::RETRIES), "failed calls are made again (the same)"),
        field(
            "hedge",
            Kind::Fields(&clients::HEDGE),
            "a second call while the first is under way (the same)",
        ),
        field(
            "breaker",
            Kind::Fields(&clients::BREAKER),
            "calls fail at once while too many fail (the same)",
        ),
        field("pool", clients::POOL, "calls that one calling server has open at a time (the same)"),
    ],
    example: "{call: shard, fan_out: 20}",
};
pub const SEQUENCE: Shape = Shape {
    fields: &[must("sequence", Kind::List(&Kind::Path), "paths, one after the other")],
    example: "{sequence: [[session-cache], [metadata-cache, metadata-db]]}",
};
pub const PARALLEL: Shape = Shape {
    fields: &[
        must("parallel", Kind::List(&Kind::Path), "paths, all at once"),
        field("wait_for", WAIT_FOR, "how many to wait for (all)"),
    ],
    example: "{parallel: [features, profile], wait_for: all}",
};
pub const ASYNC: Shape = Shape {
    fields: &[must("async", Kind::Path, "a path that nobody waits for")],
    example: "{async: events}",
};
/// One step of a path.
pub const STEP: Kind = Kind::Any(&[
    Kind::Name("tier"),
    Kind::Fields(&CALL),
    Kind::Fields(&SEQUENCE),
    Kind::Fields(&PARALLEL),
    Kind::Fields(&ASYNC),
]);
const WAIT_FOR: Kind = Kind::Any(&[Kind::Choice(&["all", "first"]), Kind::Whole(1, 1_000_000)]);

/// What the calls of a path take over from their caller.
#[derive(Clone)]
pub struct Context<'n> {
    pub of: Option<DatasetId>,
    pub write: bool,
    pub request: Size,
    pub response: Size,
    pub known: &'n Known<'n>,
    pub depth: u32,
}

/// A path: a tier's name or a list of steps.
pub fn path(decoder: &mut Decoder, node: &Node, what: &str, context: &Context<'_>) -> Option<Calls> {
    if context.depth > DEPTH_MAX {
        let cause = format!("`{what}` is nested more than {DEPTH_MAX} deep");
        decoder.problem(node.origin, cause, "call a tier that does the rest");
        return None;
    }
    let mut seen = Vec::new();
    match &node.value {
        Value::List(items) if items.is_empty() => {
            decoder.problem(node.origin, format!("`{what}` names no tier"), "write `[web, db]`");
            None
        }
        Value::List(items) if items.len() > STEPS_MAX => {
            let cause = format!("`{what}` has {}", counted(items.len(), "step"));
            decoder.problem(node.origin, cause, format!("expected at most {STEPS_MAX}"));
            None
        }
        Value::List(items) => steps(decoder, items, what, context, &mut seen),
        Value::Text(_) | Value::Map(_) if context.depth > 0 => {
            steps(decoder, std::slice::from_ref(node), what, context, &mut seen)
        }
        _ => {
            decoder.list(node, what, "[web, db]");
            None
        }
    }
}

fn steps(
    decoder: &mut Decoder,
    items: &[Node],
    what: &str,
    context: &Context<'_>,
    seen: &mut Vec<TierId>,
) -> Option<Calls> {
    let Some((first, rest)) = items.split_first() else { return Some(Calls::Nothing) };
    let call = match &first.value {
        Value::Text(_) => {
            let tiers = context.known.names.tiers.as_deref();
            reference(decoder, first, what, "tier", tiers).map(|tier| plain(tier, context, first))
        }
        Value::Map(pairs) if has(pairs, "sequence") || has(pairs, "parallel") || has(pairs, "async") => {
            let group = group(decoder, first, what, context);
            if rest.is_empty() {
                return group;
            }
            let rest = steps(decoder, rest, what, context, seen);
            return Some(Calls::Sequence(vec![group?, rest?]));
        }
        Value::List(_) | Value::Null => {
            let cause = format!("`{what}`: {} stands where a tier is expected", describe(first));
            let fix = "name a tier, or say how: `{sequence: [..]}`, `{parallel: [..]}`";
            decoder.problem(first.origin, cause, fix);
            None
        }
        Value::Map(pairs) => match mistyped(pairs) {
            Some((origin, name, meant)) => {
                let cause = format!("unknown field `{name}` in `{what}`");
                decoder.problem(origin, cause, format!("did you mean `{meant}`?"));
                None
            }
            None => call(decoder, first, what, context),
        },
    };
    let Some(call) = call else {
        // What follows is looked at all the same, for its own problems.
        let _ = steps(decoder, rest, what, context, seen);
        return None;
    };
    if seen.contains(&call.tier) {
        let name = context.known.names.tiers.as_ref().and_then(|names| names.get(call.tier)).cloned();
        let cause = format!("`{what}` comes back to `{}`: a cycle", name.unwrap_or_default());
        decoder.problem(first.origin, cause, "name every tier of a path once");
        let _ = steps(decoder, rest, what, context, seen);
        return None;
    }
    seen.push(call.tier);
    let inner = Context {
        of: call.of,
        write: call.write,
        request: call.request.clone(),
        response: call.response.clone(),
        ..context.clone()
    };
    let mut next = steps(decoder, rest, what, &inner, seen)?;
    let tier = context.known.tiers.get_index(call.tier).and_then(|(_, tier)| tier.as_ref());
    if tier.is_some_and(|t| t.queue.is_some()) && next != Calls::Nothing {
        next = Calls::Async(Box::new(next));
    }
    Some(Calls::One(Box::new(Call { next, ..call })))
}

fn has(pairs: &[(Node, Node)], key: &str) -> bool {
    pairs.iter().any(|(k, _)| matches!(&k.value, Value::Text(text) if text == key))
}

/// In a step that is none, the field that would make it one, mistyped.
fn mistyped(pairs: &[(Node, Node)]) -> Option<(Origin, &str, &'static str)> {
    let kinds = [CALL.fields[0].name, "sequence", "parallel", "async"];
    if pairs.is_empty() || kinds.iter().any(|kind| has(pairs, kind)) {
        return None;
    }
    pairs.iter().find_map(|(key, _)| match &key.value {
        Value::Text(name) if !CALL.names().contains(&name.as_str()) => {
            suggestion(name, &kinds).map(|meant| (key.origin, name.as_str(), meant))
        }
        _ => None,
    })
}

fn plain(tier: TierId, context: &Context<'_>, node: &Node) -> Call {
    Call {
        tier,
        of: context.of,
        write: context.write,
        share: Fraction::given(1.0, "100 %"),
        fan_out: Number::given(1.0, "1"),
        times: Number::given(1.0, "1"),
        wait_for: WaitFor::All,
        request: context.request.clone(),
        response: context.response.clone(),
        from_user: false,
        client: context.known.client_of(tier),
        next: Calls::Nothing,
        origin: node.origin,
    }
}

fn call(decoder: &mut Decoder, node: &Node, what: &str, context: &Context<'_>) -> Option<Call> {
    let names = context.known.names;
    let mut fields = decoder.fields(node, what, &CALL)?;
    let tier = fields
        .need(decoder, "call", "web")
        .and_then(|n| reference(decoder, n, &format!("{what}.call"), "tier", names.tiers.as_deref()));
    let of_node = fields.take("of");
    let of = of_node
        .and_then(|n| reference(decoder, n, &format!("{what}.of"), "dataset", names.datasets.as_deref()));
    let write_name = fields.name("write");
    let write = fields
        .take("write")
        .and_then(|n| decoder.one_of(n, &write_name, &[("true", true), ("false", false)]));
    let share = fields.quantity(decoder, "share").unwrap_or_else(|| Fraction::given(1.0, "100 %"));
    let fan_out = number(decoder, &mut fields, "fan_out");
    let times = number(decoder, &mut fields, "times");
    let wait_for = wait_for(decoder, &mut fields);
    // Another dataset, or a write where the caller reads, has its own sizes unless they are said.
    let own = of_node.is_some() || write.is_some_and(|w| w != context.write);
    let (dataset, write) = (if of_node.is_some() { of } else { context.of }, write.unwrap_or(context.write));
    let (request, response) = if own {
        context.known.sizes(dataset, write)
    } else {
        (context.request.clone(), context.response.clone())
    };
    let request = fields.quantity(decoder, "request").unwrap_or(request);
    let response = fields.quantity(decoder, "response").unwrap_or(response);
    let client = clients::said(decoder, &mut fields);
    let origin = fields.origin;
    fields.finish(decoder);
    if of_node.is_some() && of.is_none() {
        return None;
    }
    let tier = tier?;
    let client = client.or(&context.known.client_of(tier));
    Some(Call {
        tier,
        of: dataset,
        write,
        share,
        fan_out,
        times,
        wait_for,
        request,
        response,
        from_user: false,
        client,
        next: Calls::Nothing,
        origin,
    })
}

fn number(decoder: &mut Decoder, fields: &mut Fields<'_>, field: &str) -> Number {
    let number: Number =
        fields.quantity_like(decoder, field, "20").unwrap_or_else(|| Number::given(1.0, "1"));
    decoder.between(&number, &fields.name(field), (0.0, CALLS_MAX), "expected at most 1 B calls");
    number
}

fn wait_for(decoder: &mut Decoder, fields: &mut Fields<'_>) -> WaitFor {
    const FIX: &str = "write `all`, `first` or a number of answers";
    let Some(node) = fields.take("wait_for") else { return WaitFor::All };
    let what = fields.name("wait_for");
    match decoder.text(node, &what, FIX).as_deref() {
        Some("all") | None => WaitFor::All,
        Some("first") => WaitFor::First(1),
        Some(text) => {
            let k = text.parse::<u32>().ok().filter(|k| *k > 0);
            if k.is_none() {
                decoder.problem(node.origin, format!("{what} is `{text}`"), FIX);
            }
            k.map_or(WaitFor::All, WaitFor::First)
        }
    }
}

/// A step in braces that is not one call.
fn group(decoder: &mut Decoder, node: &Node, what: &str, context: &Context<'_>) -> Option<Calls> {
    let Value::Map(pairs) = &node.value else { return None };
    let inner = Context { depth: context.depth + 1, ..context.clone() };
    if has(pairs, "async") {
        let mut fields = decoder.fields(node, what, &ASYNC)?;
        let name = format!("{what}.async");
        let calls = fields.take("async").and_then(|n| path(decoder, n, &name, &inner));
        fields.finish(decoder);
        return calls.map(|calls| Calls::Async(Box::new(calls)));
    }
    let parallel = has(pairs, "parallel");
    let (shape, field) = if parallel { (&PARALLEL, "parallel") } else { (&SEQUENCE, "sequence") };
    let mut fields = decoder.fields(node, what, shape)?;
    let name = format!("{what}.{field}");
    let list = fields.take(field);
    let wait_for = if parallel { wait_for(decoder, &mut fields) } else { WaitFor::All };
    let origin = fields.origin;
    fields.finish(decoder);
    let items = list.and_then(|n| decoder.list(n, &name, "[cache, db]"))?;
    if items.is_empty() || items.len() > STEPS_MAX {
        let cause = format!("`{name}` has {}", counted(items.len(), "branch"));
        decoder.problem(origin, cause, format!("expected 1 to {STEPS_MAX}"));
        return None;
    }
    let branches: Vec<Option<Calls>> = items.iter().map(|item| path(decoder, item, &name, &inner)).collect();
    let branches: Vec<Calls> = branches.into_iter().collect::<Option<_>>()?;
    if let WaitFor::First(k) = wait_for
        && k as usize > branches.len()
    {
        let cause = format!("`{name}` waits for {k} of {}", counted(branches.len(), "branch"));
        decoder.problem(
            origin,
            cause,
            format!("wait for at most {}, for `all` or for `first`", branches.len()),
        );
    }
    Some(if parallel { Calls::Parallel { branches, wait_for } } else { Calls::Sequence(branches) })
}
