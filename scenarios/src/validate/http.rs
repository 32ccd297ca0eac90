//! `http`: the request that an action is on a real system, and what its answer must be.

use crate::decode::{Decoder, Fields, Kind, Shape, either, field, quantity};
use crate::node::{Node, Value};
use crate::scenario::{Expect, Http};
use crate::units::{Bytes, Size};

const TEXTS: Kind = Kind::List(&Kind::Text);

pub const HTTP: Shape = Shape {
    fields: &[
        either("get", Kind::Text, "path of a GET"),
        either("head", Kind::Text, "path of a HEAD"),
        either("post", Kind::Text, "path of a POST"),
        either("put", Kind::Text, "path of a PUT"),
        either("patch", Kind::Text, "path of a PATCH"),
        either("delete", Kind::Text, "path of a DELETE"),
        field("body", Kind::Text, "what is sent along"),
        field("headers", Kind::Named(&Kind::Text), "header fields of this request"),
        field("expect", Kind::Fields(&EXPECT), "what the answer must be (a 2xx status)"),
    ],
    example: "{get: \"/songs/{object}\"}",
};
const EXPECT: Shape = Shape {
    fields: &[
        field("status", Kind::Whole(100, 599), "its status (any 2xx)"),
        field("length", quantity::<Bytes>(), "bytes of its body"),
        field("contains", Kind::Any(&[Kind::Text, TEXTS]), "texts in its body"),
        field("sha256", Kind::Text, "hash of its body, 64 hexadecimal digits"),
    ],
    example: "{status: 206, length: 5 KB}",
};

const METHODS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];
const START: &str = "write the part of the address from the first `/`, such as `/songs/{object}`";
const ONE_TEXT: &str = "write one text, in quotes";
/// Header fields of one request.
const HEADERS_MAX: usize = 64;
/// Texts looked for in one body, and the longest, bytes.
const CONTAINS_MAX: usize = 16;
const TEXT_MAX: usize = 4096;

pub fn http(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Http> {
    let mut fields = decoder.fields(node, path, &HTTP)?;
    let mut given: Vec<(&str, &Node)> = Vec::new();
    for method in METHODS {
        given.extend(fields.take(method).map(|node| (method, node)));
    }
    let body = fields.text(decoder, "body", ONE_TEXT);
    let headers = headers(decoder, &mut fields);
    let what = fields.name("expect");
    let expect = fields.take("expect").map_or(Some(Expect::default()), |n| expect(decoder, n, &what));
    let (origin, misspelt) = (fields.origin, METHODS.iter().any(|method| fields.misspelt(method)));
    fields.finish(decoder);
    let [(method, node)] = given[..] else {
        if !misspelt {
            let cause = if given.is_empty() {
                format!("`{path}` needs a method: {}", METHODS.join(", "))
            } else {
                let names: Vec<String> = given.iter().map(|(method, _)| format!("`{method}`")).collect();
                format!("`{path}` has {}, and one request has one method", names.join(" and "))
            };
            decoder.problem(origin, cause, format!("write `{}`", HTTP.example));
        }
        return None;
    };
    let template = decoder.text(node, path, START)?;
    if !template.starts_with('/') {
        let cause = format!("`{path}`: the address `{template}` does not start with `/`");
        decoder.problem(node.origin, cause, START);
        return None;
    }
    Some(Http { method: method.to_uppercase(), path: template, body, headers: headers?, expect: expect? })
}

fn headers(decoder: &mut Decoder, fields: &mut Fields<'_>) -> Option<Vec<(String, String)>> {
    let path = fields.name("headers");
    let Some(node) = fields.take("headers") else { return Some(Vec::new()) };
    let entries = decoder.entries(node, &path, "{accept: application/json}")?;
    if entries.len() > HEADERS_MAX {
        let cause = format!("`{path}` has {} header fields", entries.len());
        decoder.problem(node.origin, cause, format!("expected at most {HEADERS_MAX}"));
        return None;
    }
    decoder.clean(|decoder| {
        let mut headers = Vec::with_capacity(entries.len());
        for (name, origin, value) in entries {
            // RFC 9110, section 5.6.2: the letters of a token.
            let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            if name.is_empty() || !name.chars().all(token) {
                let cause = format!("`{path}`: `{name}` is no name of a header field");
                decoder.problem(origin, cause, "write letters, digits and `-`, such as `accept`");
            }
            let Some(text) = decoder.text(value, &format!("{path}.{name}"), ONE_TEXT) else { continue };
            if text.chars().any(|c| c.is_control() && c != '\t') {
                let cause = format!("`{path}.{name}` holds a control character");
                decoder.problem(value.origin, cause, "write it on one line");
            }
            headers.push((name.to_owned(), text));
        }
        Some(headers)
    })
}

fn expect(decoder: &mut Decoder, node: &Node, path: &str) -> Option<Expect> {
    let mut fields = decoder.fields(node, path, &EXPECT)?;
    let status = fields.number(decoder, "status", (100, 599), "206");
    let length: Option<Size> = fields.quantity(decoder, "length");
    let what = fields.name("contains");
    let contains = fields.take("contains").map(|n| texts(decoder, n, &what)).unwrap_or_default();
    let hash_name = fields.name("sha256");
    let hash = fields.take("sha256").and_then(|n| {
        let text = decoder.text(n, &hash_name, "write 64 hexadecimal digits")?;
        if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            let cause = format!("`{hash_name}`: `{text}` is no SHA-256");
            decoder.problem(n.origin, cause, "write 64 hexadecimal digits, as `sha256sum` prints them");
        }
        Some(text.to_lowercase())
    });
    fields.finish(decoder);
    // A whole number of bytes: an answer has one length.
    let length = length.map(|size| size.get().round() as u64);
    Some(Expect { status: status.and_then(|s| u16::try_from(s).ok()), length, contains, sha256: hash })
}

fn texts(decoder: &mut Decoder, node: &Node, path: &str) -> Vec<String> {
    let single = std::slice::from_ref(node);
    let nodes = if let Value::List(items) = &node.value { items.as_slice() } else { single };
    if nodes.len() > CONTAINS_MAX {
        let cause = format!("`{path}` has {} texts", nodes.len());
        decoder.problem(node.origin, cause, format!("expected at most {CONTAINS_MAX}"));
        return Vec::new();
    }
    let mut texts = Vec::with_capacity(nodes.len());
    for node in nodes {
        let Some(text) = decoder.text(node, path, ONE_TEXT) else { continue };
        if text.is_empty() || text.len() > TEXT_MAX {
            let cause = format!("`{path}`: a text of {} bytes", text.len());
            decoder.problem(node.origin, cause, format!("expected 1 to {TEXT_MAX} bytes"));
            continue;
        }
        texts.push(text);
    }
    texts
}
