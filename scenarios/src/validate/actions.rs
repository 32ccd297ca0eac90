//! `actions`: what users do, how often, and the calls that it sets off.

use indexmap::IndexMap;

use super::http::{HTTP, http};
use super::{Names, paths, population, reference};
use crate::calls::{Call, Calls, WaitFor};
use crate::client::Client;
use crate::decode::{Decoder, Fields, Kind, Shape, counted, either, field, must, quantity};
use crate::diagnostic::Origin;
use crate::node::{Node, Value};
use crate::scenario::{Action, Branch, Connection, Dataset, Demand, Heartbeat, Http};
use crate::tier::Tier;
use crate::units::{Bytes, Fraction, Number, PerSecond, Plain, Rate, Seconds, Share, Size};

pub const EXAMPLE: &str = "{view: {per_user: 5/day, path: [web]}}";

/// Most times that one user does one thing, 1/s.
const PER_USER_MAX: f64 = 1e6;

/// Least urgent priority.
const PRIORITY_MAX: u32 = 7;

const RATE: Kind = quantity::<PerSecond>();
const NUMBER: Kind = quantity::<Plain>();
const SENT_TO: Kind = Kind::Any(&[Kind::Name("tier"), Kind::Fields(&BRANCH)]);

pub const ACTION: Shape = Shape {
    fields: &[
        either("per_user", quantity::<PerSecond>(), "times of one active user"),
        either("per_actor", Kind::Named(&RATE), "times of one active actor: `{driver: every 4 s}`"),
        either("per_action", Kind::Named(&NUMBER), "times for every other action: `{view: 1/200}`"),
        either("rate", quantity::<PerSecond>(), "times over all"),
        field("diurnal", Kind::Fields(&population::DIURNAL), "shape of its own day (the region's)"),
        field("of", Kind::Name("dataset"), "the dataset whose objects it asks for"),
        field("write", Kind::Flag, "no cache answers it, every replica does its work (false)"),
        field("repeat", quantity::<Share>(), "share that asks again for what the user had lately (0)"),
        field(
            "priority",
            Kind::Whole(0, PRIORITY_MAX),
            "where a tier serves by priority, 0 goes before 1 (0)",
        ),
        field("request", quantity::<Bytes>(), "bytes of the request (0; of a write, the object's size)"),
        field("response", quantity::<Bytes>(), "bytes of the response (the object's size; of a write, 0)"),
        must("path", Kind::Path, "the tiers that it calls"),
        field("then", Kind::List(&SENT_TO), "messages that nobody waits for"),
        field("connection", Kind::Fields(&CONNECTION), "a connection that it opens and that stays"),
        field("http", Kind::Fields(&HTTP), "the request that a load run sends"),
    ],
    example: "{per_user: 5/day, path: [web]}",
};
const BRANCH: Shape = Shape {
    fields: &[
        either("to", Kind::Name("tier"), "the tier it goes to"),
        either("path", Kind::Path, "the tiers it goes through, instead of `to`"),
        field("size", quantity::<Bytes>(), "bytes of the message (0)"),
        field("http", Kind::Fields(&HTTP), "the request that a load run sends"),
    ],
    example: "{to: events, size: 200 B}",
};
const CONNECTION: Shape = Shape {
    fields: &[
        field("to", Kind::Name("tier"), "the tier that holds it (the first of the path)"),
        must("lasts", quantity::<Seconds>(), "how long it stays open"),
        field("heartbeat", Kind::Fields(&HEARTBEAT), "what keeps it alive"),
    ],
    example: "{to: gateway, lasts: 30 min}",
};
const HEARTBEAT: Shape = Shape {
    fields: &[
        must("every", quantity::<Seconds>(), "time between two"),
        field("size", quantity::<Bytes>(), "bytes of one (0)"),
        field("path", Kind::Path, "the tiers that one calls (the holder)"),
    ],
    example: "{every: 30 s, size: 50 B}",
};
/// What an action may refer to.
pub struct Known<'n> {
    pub names: &'n Names,
    pub datasets: &'n IndexMap<String, Option<Dataset>>,
    pub tiers: &'n IndexMap<String, Option<Tier>>,
}

impl Known<'_> {
    /// What callers of a tier do unless they say otherwise.
    pub fn client_of(&self, tier: usize) -> Client {
        let tier = self.tiers.get_index(tier).and_then(|(_, tier)| tier.as_ref());
        tier.map_or_else(Client::default, |tier| tier.client.clone())
    }

    fn size_of(&self, dataset: Option<usize>) -> Option<Size> {
        self.datasets.get_index(dataset?).and_then(|(_, data)| data.as_ref().map(|d| d.size.clone()))
    }

    /// Bytes of a request and a response where the file says nothing.
    pub fn sizes(&self, of: Option<usize>, write: bool) -> (Size, Size) {
        let none = || Size::given(0.0, "0 B");
        let object = self.size_of(of).unwrap_or_else(none);
        if write { (object, none()) } else { (none(), object) }
    }
}

pub fn action(decoder: &mut Decoder, node: &Node, path: &str, known: &Known<'_>) -> Option<Action> {
    let names = known.names;
    let mut fields = decoder.fields(node, path, &ACTION)?;
    let demand = demand(decoder, &mut fields, names);
    let diurnal = fields.take("diurnal").and_then(|n| population::diurnal(decoder, n)).map(|(day, _)| day);
    let of_name = fields.name("of");
    let of_node = fields.take("of");
    let of = of_node.and_then(|n| reference(decoder, n, &of_name, "dataset", names.datasets.as_deref()));
    let write_name = fields.name("write");
    let write = fields
        .take("write")
        .and_then(|n| decoder.one_of(n, &write_name, &[("true", true), ("false", false)]))
        .unwrap_or(false);
    let repeat = fields.quantity(decoder, "repeat").unwrap_or_else(|| Fraction::given(0.0, "0 %"));
    let priority = fields.number(decoder, "priority", (0, PRIORITY_MAX), "1").unwrap_or(0);
    let (request, response) = known.sizes(of, write);
    let request = fields.quantity(decoder, "request").unwrap_or(request);
    let response = fields.quantity(decoder, "response").unwrap_or(response);
    let context =
        paths::Context { of, write, request: request.clone(), response: response.clone(), known, depth: 0 };
    let path_name = fields.name("path");
    let calls = fields
        .need(decoder, "path", "[web]")
        .and_then(|n| decoder.clean(|d| paths::path(d, n, &path_name, &context)));
    let then_name = fields.name("then");
    let mut then = Vec::new();
    if let Some(list) = fields.take("then") {
        for item in decoder.list(list, &then_name, "[events]").unwrap_or_default() {
            then.extend(branch(decoder, item, &then_name, &context));
        }
    }
    let connection_path = fields.name("connection");
    let first = calls.as_ref().and_then(|calls| calls.tiers().first().copied());
    let connection =
        fields.take("connection").and_then(|n| connection(decoder, n, &connection_path, &context, first));
    let http = fields.take("http").and_then(|n| http(decoder, n, &format!("{path}.http")));
    let origin = fields.origin;
    fields.finish(decoder);
    if of_node.is_some() && of.is_none() {
        return None;
    }
    let calls = calls?;
    let path = calls.tiers();
    let demand = demand?;
    Some(Action {
        demand,
        diurnal,
        of,
        write,
        repeat,
        priority,
        request,
        response,
        calls,
        path,
        then,
        connection,
        http,
        origin,
    })
}

const DEMANDS: [&str; 4] = ["per_user", "per_actor", "per_action", "rate"];

/// How often: exactly one of four fields says it.
fn demand(decoder: &mut Decoder, fields: &mut Fields<'_>, names: &Names) -> Option<Demand> {
    let said: Vec<&str> = DEMANDS.into_iter().filter(|field| fields.take(field).is_some()).collect();
    match said[..] {
        [] => {
            if !DEMANDS.iter().any(|field| fields.misspelt(field)) {
                fields.need(decoder, "per_user", "5/day");
            }
            None
        }
        ["per_user"] => {
            let rate: Rate = fields.need_quantity(decoder, "per_user")?;
            let bounds = (0.0, PER_USER_MAX);
            decoder.between(&rate, &fields.name("per_user"), bounds, "expected at most 1 M/s of one user");
            Some(Demand::PerUser(rate))
        }
        ["per_actor"] => {
            let (id, node) =
                per(decoder, fields, "per_actor", ("actor", "{driver: every 4 s}"), names.actors.as_deref())?;
            let rate = decoder.quantity_like(node, &fields.name("per_actor"), "every 4 s")?;
            Some(Demand::PerActor(id, rate))
        }
        ["per_action"] => {
            let (id, node) =
                per(decoder, fields, "per_action", ("action", "{view: 1/200}"), names.actions.as_deref())?;
            let each = decoder.quantity_like(node, &fields.name("per_action"), "1/200")?;
            Some(Demand::PerAction(id, each))
        }
        ["rate"] => fields.need_quantity_like(decoder, "rate", "10 K/s").map(Demand::Total),
        _ => {
            let cause = format!("`{}` says how often twice: {}", fields.path(), said.join(" and "));
            decoder.problem(fields.origin, cause, "keep one of them");
            None
        }
    }
}

/// `{NAME: VALUE}`: the position of the name, and the value.
fn per<'n>(
    decoder: &mut Decoder,
    fields: &mut Fields<'n>,
    field: &str,
    (kind, example): (&str, &str),
    names: Option<&[String]>,
) -> Option<(usize, &'n Node)> {
    let node = fields.take(field)?;
    let what = fields.name(field);
    let entries = decoder.entries(node, &what, example)?;
    let [(name, origin, value)] = entries[..] else {
        let cause = format!("`{what}` has {}", counted(entries.len(), "entry"));
        decoder.problem(node.origin, cause, format!("write one, such as `{example}`"));
        return None;
    };
    let names = names?;
    let found = names.iter().position(|n| n == name);
    if found.is_none() {
        super::unknown(decoder, origin, (&what, kind), name, names);
    }
    found.map(|id| (id, value))
}

fn branch(decoder: &mut Decoder, node: &Node, path: &str, context: &paths::Context<'_>) -> Option<Branch> {
    let tiers = context.known.names.tiers.as_deref();
    let sent = |tier: usize, size: Size, calls: Option<Calls>, http: Option<Http>| {
        let calls = calls
            .unwrap_or_else(|| Calls::One(Box::new(plain_call(tier, context, size.clone(), node.origin))));
        Branch { tier, size, calls, http }
    };
    if let Value::Text(_) = &node.value {
        let tier = reference(decoder, node, path, "tier", tiers)?;
        return Some(sent(tier, Size::given(0.0, "0 B"), None, None));
    }
    let mut fields = decoder.fields(node, path, &BRANCH)?;
    let size = fields.quantity(decoder, "size").unwrap_or_else(|| Size::given(0.0, "0 B"));
    let way = fields.take("path");
    let message = paths::Context {
        request: size.clone(),
        response: Size::given(0.0, "0 B"),
        write: true,
        ..context.clone()
    };
    let calls = way.and_then(|n| decoder.clean(|d| paths::path(d, n, &format!("{path}.path"), &message)));
    if way.is_some() && fields.take("to").is_some() {
        let cause = format!("`{path}` has both `to` and `path`");
        decoder.problem(fields.origin, cause, "keep one of them");
    }
    let tier = if way.is_some() {
        calls.as_ref().and_then(|c| c.tiers().first().copied())
    } else {
        fields.need(decoder, "to", "events").and_then(|n| reference(decoder, n, path, "tier", tiers))
    };
    let http = fields.take("http").and_then(|n| http(decoder, n, &format!("{path}.http")));
    fields.finish(decoder);
    Some(sent(tier?, size, calls, http))
}

/// A message: one call that brings `size` and takes nothing back.
fn plain_call(tier: usize, context: &paths::Context<'_>, size: Size, origin: Origin) -> Call {
    Call {
        tier,
        of: context.of,
        write: true,
        share: Fraction::given(1.0, "100 %"),
        fan_out: Number::given(1.0, "1"),
        times: Number::given(1.0, "1"),
        wait_for: WaitFor::All,
        request: size,
        response: Size::given(0.0, "0 B"),
        from_user: false,
        client: context.known.client_of(tier),
        next: Calls::Nothing,
        origin,
    }
}

fn connection(
    decoder: &mut Decoder,
    node: &Node,
    path: &str,
    context: &paths::Context<'_>,
    first: Option<usize>,
) -> Option<Connection> {
    let mut fields = decoder.fields(node, path, &CONNECTION)?;
    let to_name = fields.name("to");
    let tier = match fields.take("to") {
        Some(n) => reference(decoder, n, &to_name, "tier", context.known.names.tiers.as_deref()),
        None => first,
    };
    let lasts = fields.need_quantity_like(decoder, "lasts", "30 min");
    let beat = fields.take("heartbeat");
    let heartbeat = beat
        .zip(tier)
        .and_then(|(n, tier)| heartbeat(decoder, n, &format!("{path}.heartbeat"), context, tier));
    fields.finish(decoder);
    if beat.is_some() && heartbeat.is_none() {
        return None;
    }
    Some(Connection { tier: tier?, lasts: lasts?, heartbeat })
}

fn heartbeat(
    decoder: &mut Decoder,
    node: &Node,
    path: &str,
    context: &paths::Context<'_>,
    holder: usize,
) -> Option<Heartbeat> {
    let mut fields = decoder.fields(node, path, &HEARTBEAT)?;
    let every: Option<crate::units::Duration> = fields.need_quantity_like(decoder, "every", "30 s");
    if let Some(every) = &every {
        let bounds = (1e-6, f64::MAX);
        decoder.between(every, &fields.name("every"), bounds, "expected more than 0, such as `30 s`");
    }
    let size = fields.quantity(decoder, "size").unwrap_or_else(|| Size::given(0.0, "0 B"));
    let message = paths::Context {
        of: None,
        write: false,
        request: size.clone(),
        response: Size::given(0.0, "0 B"),
        ..context.clone()
    };
    let calls = match fields.take("path") {
        Some(n) => decoder.clean(|d| paths::path(d, n, &format!("{path}.path"), &message)),
        None => Some(Calls::One(Box::new(Call {
            write: false,
            of: None,
            ..plain_call(holder, context, size.clone(), node.origin)
        }))),
    };
    fields.finish(decoder);
    Some(Heartbeat { every: every?, size, calls: calls? })
}
