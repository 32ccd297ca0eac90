//! Responses: objects with ranges and conditions (RFC 9110 sections 13 and 14), problems (RFC 9457).

pub mod conditions;
pub mod encoding;
mod object;
pub mod ranges;
pub mod wire;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode};
use hyper::body::Body as _;

pub use crate::body::Body;
use crate::visit::Trail;
pub use object::{Object, REPR_DIGEST};
pub use wire::CACHE_STATUS;

pub const SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Content type of a problem.
pub const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// Seconds after which a client that was turned away should come back.
const RETRY_AFTER_S: &str = "1";

/// Bytes that a body will have, where known.
pub fn length(response: &Response<Body>) -> u64 {
    response.body().size_hint().exact().unwrap_or(0)
}

/// Adds what every response carries.
pub fn sign(response: &mut Response<Body>, trail: Trail, served_by: HeaderValue, request_id: HeaderValue) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(trail.into_text())) {
        headers.insert(SERVER_TIMING, value);
    }
    headers.insert(SERVED_BY, served_by);
    headers.insert(REQUEST_ID, request_id);
}

/// A JSON document.
pub fn json(method: &Method, body: Bytes, cache_control: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache_control));
    headless(method, response)
}

/// A status without a body.
pub fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = status;
    response
}

/// What went wrong, as `application/problem+json`.
pub fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let mut response = Response::new(Body::from(problem_text(status, detail)));
    *response.status_mut() = status;
    *response.headers_mut() = problem_headers(status);
    response
}

/// The headers of a problem.
pub fn problem_headers(status: StatusCode) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, PROBLEM);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
        headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_S));
    }
    headers
}

/// The body of a problem.
pub fn problem_text(status: StatusCode, detail: &str) -> Bytes {
    let title = status.canonical_reason().unwrap_or("Error");
    serde_json::json!({"title": title, "status": status.as_u16(), "detail": detail}).to_string().into()
}

/// The tier's queue is full.
pub fn busy(tier: &str) -> Response<Body> {
    problem(StatusCode::SERVICE_UNAVAILABLE, &format!("the queue of {tier} is full; try again later"))
}

/// The method is not one of those that the resource has.
pub fn not_allowed(allow: &str) -> Response<Body> {
    let detail = format!("this resource has {allow} only");
    let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, &detail);
    if let Ok(allow) = HeaderValue::try_from(allow) {
        response.headers_mut().insert(ALLOW, allow);
    }
    response
}

/// The tier can't work at all for now.
pub fn unavailable(tier: &str) -> Response<Body> {
    problem(StatusCode::SERVICE_UNAVAILABLE, &format!("{tier} is down; try again later"))
}

/// For HEAD: the same headers, no body.
pub fn headless(method: &Method, mut response: Response<Body>) -> Response<Body> {
    if method == Method::HEAD {
        let length = length(&response);
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
        *response.body_mut() = Body::default();
    }
    response
}
