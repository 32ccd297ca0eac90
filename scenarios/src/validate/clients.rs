//! What callers do about a tier that is slow or fails: fields of a call, and of a tier's `client`.

use crate::client::{Breaker, Client, Hedge, Jitter, Retries};
use crate::decode::{Decoder, Fields, Kind, Shape, field, must, quantity};
use crate::node::Node;
use crate::units::{Duration, Number, Plain, Seconds, Share};

/// Most attempts of one call.
const ATTEMPTS_MAX: u32 = 20;
/// Most calls that one server has under way.
const POOL_MAX: u32 = 1_000_000;
/// Shortest time that stands for one: below it a loop over it would not end.
const LEAST_S: f64 = 1e-6;

pub const TIMEOUT: Kind = quantity::<Seconds>();
pub const POOL: Kind = Kind::Whole(1, POOL_MAX);

pub const CLIENT: Shape = Shape {
    fields: &[
        field("timeout", TIMEOUT, "a call that takes longer has failed; its work goes on (no bound)"),
        field("retries", Kind::Fields(&RETRIES), "failed calls are made again"),
        field("hedge", Kind::Fields(&HEDGE), "a second call while the first is under way"),
        field("breaker", Kind::Fields(&BREAKER), "calls fail at once while too many fail"),
        field("pool", POOL, "calls that one calling server has open at a time (no bound)"),
    ],
    example: "{timeout: 200 ms, retries: {attempts: 3}}",
};
pub const RETRIES: Shape = Shape {
    fields: &[
        must("attempts", Kind::Whole(1, ATTEMPTS_MAX), "calls in all, the first among them"),
        field("backoff", quantity::<Seconds>(), "wait before the second (0)"),
        field("factor", quantity::<Plain>(), "every further wait is so many times as long (2)"),
        field("max", quantity::<Seconds>(), "longest wait (no bound)"),
        field(
            "jitter",
            Kind::Choice(&["full", "none"]),
            "full: waits are uniform between 0 and themselves (full)",
        ),
        field("budget", quantity::<Share>(), "retries as a share of calls, at most (no bound)"),
    ],
    example: "{attempts: 3, backoff: 50 ms, max: 1 s, budget: 10 %}",
};
pub const HEDGE: Shape = Shape {
    fields: &[must("after", quantity::<Seconds>(), "time without an answer after which it is made")],
    example: "{after: 50 ms}",
};
pub const BREAKER: Shape = Shape {
    fields: &[
        must("failures", quantity::<Share>(), "share of failed calls at which it opens"),
        field("window", quantity::<Seconds>(), "span over which they are counted (10 s)"),
        field("open", quantity::<Seconds>(), "time before it lets one call through to see (5 s)"),
    ],
    example: "{failures: 50 %, window: 10 s, open: 5 s}",
};

/// The `client` of a tier.
pub fn client(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Client> {
    let mut fields = decoder.fields(node, path, &CLIENT)?;
    let client = said(decoder, &mut fields);
    fields.finish(decoder);
    Some(client)
}

/// The same fields, wherever they stand.
pub fn said(decoder: &mut Decoder, fields: &mut Fields<'_>) -> Client {
    let timeout = fields.quantity_like(decoder, "timeout", "200 ms");
    lasting(decoder, fields, "timeout", timeout.as_ref(), "200 ms");
    let at = |field: &str| fields.name(field);
    let (retries_at, hedge_at, breaker_at) = (at("retries"), at("hedge"), at("breaker"));
    let retries = fields.take("retries").and_then(|n| retries(decoder, n, &retries_at));
    let hedge_node = fields.take("hedge");
    let hedge = hedge_node.and_then(|n| hedge(decoder, n, &hedge_at));
    let breaker = fields.take("breaker").and_then(|n| breaker(decoder, n, &breaker_at));
    let pool = fields.number(decoder, "pool", (1, POOL_MAX), "100");
    if let (Some(timeout), Some(hedge), Some(node)) = (&timeout, &hedge, hedge_node)
        && hedge.after.get() >= timeout.get()
    {
        let cause = format!("`{hedge_at}.after` is {}, not before the timeout", hedge.after.text);
        decoder.problem(node.origin, cause, format!("hedge before {} are over", timeout.text));
    }
    Client { timeout, retries, hedge, breaker, pool }
}

fn retries(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Retries> {
    let mut fields = decoder.fields(node, path, &RETRIES)?;
    let attempts = fields.number(decoder, "attempts", (1, ATTEMPTS_MAX), "3");
    if attempts.is_none() {
        fields.need(decoder, "attempts", "3");
    }
    let backoff = fields.quantity_like(decoder, "backoff", "50 ms");
    let factor: Option<Number> = fields.quantity(decoder, "factor");
    if let Some(factor) = &factor {
        decoder.between(factor, &fields.name("factor"), (1.0, 100.0), "expected 1 to 100");
    }
    let max = fields.quantity_like(decoder, "max", "1 s");
    let jitter_name = fields.name("jitter");
    let jitter = fields
        .take("jitter")
        .and_then(|n| decoder.one_of(n, &jitter_name, &[("full", Jitter::Full), ("none", Jitter::None)]));
    let budget = fields.quantity_like(decoder, "budget", "10 %");
    fields.finish(decoder);
    Some(Retries {
        attempts: attempts?,
        backoff: backoff.unwrap_or_else(|| Duration::given(0.0, "0 s")),
        factor: factor.unwrap_or_else(|| Number::given(2.0, "2")),
        max,
        jitter: jitter.unwrap_or(Jitter::Full),
        budget,
    })
}

fn hedge(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Hedge> {
    let mut fields = decoder.fields(node, path, &HEDGE)?;
    let after = fields.need_quantity_like(decoder, "after", "50 ms");
    fields.finish(decoder);
    Some(Hedge { after: after? })
}

fn breaker(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Breaker> {
    let mut fields = decoder.fields(node, path, &BREAKER)?;
    let failures = fields.need_quantity_like(decoder, "failures", "50 %");
    let window = fields.quantity_like(decoder, "window", "10 s");
    lasting(decoder, &fields, "window", window.as_ref(), "10 s");
    let open = fields.quantity_like(decoder, "open", "5 s");
    lasting(decoder, &fields, "open", open.as_ref(), "5 s");
    fields.finish(decoder);
    Some(Breaker {
        failures: failures?,
        window: window.unwrap_or_else(|| Duration::given(10.0, "10 s")),
        open: open.unwrap_or_else(|| Duration::given(5.0, "5 s")),
    })
}

/// A time that must be more than nothing.
pub fn lasting(
    decoder: &mut Decoder,
    fields: &Fields<'_>,
    field: &str,
    time: Option<&Duration>,
    example: &str,
) {
    if let Some(time) = time {
        let fix = format!("expected more than 0, such as `{example}`");
        decoder.between(time, &fields.name(field), (LEAST_S, f64::MAX), &fix);
    }
}
