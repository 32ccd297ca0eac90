//! `actions`: what users do, how often, and the way that it takes.

use indexmap::IndexMap;

use super::{Names, reference};
use crate::decode::{Decoder, Shape};
use crate::node::{Node, Value};
use crate::scenario::{Action, Branch, Dataset, Http, TierId};
use crate::units::{Fraction, Rate, Size};

pub const EXAMPLE: &str = "{view: {per_user: 5/day, path: [web]}}";

/// Most times that one user does one thing, 1/s.
const PER_USER_MAX: f64 = 1e6;

const ACTION: Shape = Shape {
    fields: &["per_user", "of", "repeat", "request", "response", "path", "then", "http"],
    example: "{per_user: 5/day, path: [web]}",
};
const BRANCH: Shape = Shape { fields: &["to", "size", "http"], example: "{to: events, size: 200 B}" };
const HTTP: Shape = Shape { fields: &["get", "post", "body"], example: "{get: \"/songs/{object}\"}" };

pub fn action(
    decoder: &mut Decoder,
    node: &Node,
    path: &str,
    names: &Names,
    datasets: &IndexMap<String, Option<Dataset>>,
) -> Option<Action> {
    let mut fields = decoder.fields(node, path, &ACTION)?;
    let per_user: Option<Rate> = fields.need_quantity(decoder, "per_user");
    if let Some(rate) = &per_user {
        let bounds = (0.0, PER_USER_MAX);
        decoder.between(rate, &fields.name("per_user"), bounds, "expected at most 1 M/s of one user");
    }
    let of_name = fields.name("of");
    let of_node = fields.take("of");
    let of = of_node.and_then(|n| reference(decoder, n, &of_name, "dataset", names.datasets.as_deref()));
    let repeat = fields.quantity(decoder, "repeat").unwrap_or_else(|| Fraction::given(0.0, "0 %"));
    let request = fields.quantity(decoder, "request").unwrap_or_else(|| Size::given(0.0, "0 B"));
    let object_size =
        of.and_then(|id| datasets.get_index(id)).and_then(|(_, data)| data.as_ref().map(|d| d.size.clone()));
    let response =
        fields.quantity(decoder, "response").or(object_size).unwrap_or_else(|| Size::given(0.0, "0 B"));
    let path_name = fields.name("path");
    let tiers = fields.need(decoder, "path", "[web]").and_then(|n| way(decoder, n, &path_name, names));
    let then_name = fields.name("then");
    let mut then = Vec::new();
    if let Some(list) = fields.take("then") {
        for item in decoder.list(list, &then_name, "[events]").unwrap_or_default() {
            then.extend(branch(decoder, item, &then_name, names));
        }
    }
    let http = fields.take("http").and_then(|n| http(decoder, n, &format!("{path}.http")));
    let origin = fields.origin;
    fields.finish(decoder);
    if of_node.is_some() && of.is_none() {
        return None;
    }
    Some(Action { per_user: per_user?, of, repeat, request, response, path: tiers?, then, http, origin })
}

/// The tiers of a path; `None` unless all are known, and each is named once.
fn way(decoder: &mut Decoder, list: &Node, path: &str, names: &Names) -> Option<Vec<TierId>> {
    let items = decoder.list(list, path, "[web, db]")?;
    if items.is_empty() {
        decoder.problem(list.origin, format!("`{path}` names no tier"), "write `[web, db]`");
        return None;
    }
    let found: Vec<Option<TierId>> =
        items.iter().map(|item| reference(decoder, item, path, "tier", names.tiers.as_deref())).collect();
    let mut whole = true;
    for (i, (tier, item)) in found.iter().zip(items).enumerate() {
        if let (Some(_), Value::Text(name)) = (tier, &item.value)
            && found[..i].contains(tier)
        {
            let cause = format!("`{path}` comes back to `{name}`: a cycle");
            decoder.problem(item.origin, cause, "name every tier of a path once");
            whole = false;
        }
    }
    found.into_iter().collect::<Option<Vec<TierId>>>().filter(|_| whole)
}

fn branch(decoder: &mut Decoder, node: &Node, path: &str, names: &Names) -> Option<Branch> {
    let tiers = names.tiers.as_deref();
    if let Value::Text(_) = &node.value {
        let tier = reference(decoder, node, path, "tier", tiers)?;
        return Some(Branch { tier, size: Size::given(0.0, "0 B"), http: None });
    }
    let mut fields = decoder.fields(node, path, &BRANCH)?;
    let tier = fields.need(decoder, "to", "events").and_then(|n| reference(decoder, n, path, "tier", tiers));
    let size = fields.quantity(decoder, "size").unwrap_or_else(|| Size::given(0.0, "0 B"));
    let http = fields.take("http").and_then(|n| http(decoder, n, &format!("{path}.http")));
    fields.finish(decoder);
    Some(Branch { tier: tier?, size, http })
}

fn http(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Http> {
    const START: &str = "write the part of the address from the first `/`, such as `/songs/{object}`";
    let mut fields = decoder.fields(node, path, &HTTP)?;
    let get_node = fields.take("get");
    let post_node = fields.take("post");
    let body = fields.text(decoder, "body", "write one text, in quotes");
    let (origin, misspelt) = (fields.origin, fields.misspelt("get") || fields.misspelt("post"));
    fields.finish(decoder);
    let (method, node) = match (get_node, post_node) {
        (Some(node), None) => ("GET", node),
        (None, Some(node)) => ("POST", node),
        _ => {
            if !misspelt {
                let cause = format!("`{path}` needs either `get` or `post`");
                decoder.problem(origin, cause, format!("write `{}`", HTTP.example));
            }
            return None;
        }
    };
    let template = decoder.text(node, path, START)?;
    if !template.starts_with('/') {
        let cause = format!("`{path}`: the address `{template}` does not start with `/`");
        decoder.problem(node.origin, cause, START);
        return None;
    }
    Some(Http { method: method.to_owned(), path: template, body })
}
