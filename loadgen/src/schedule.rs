//! The plan of a run: which requests the scenario's trace turns into, and where each goes.
//!
//! Why a plan before the run: every name, url, header and template is checked here, once, so that nothing
//! that can be known in advance fails in the middle of a measurement.

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use plimsoll_scenarios::trace::{self, Requests};
use plimsoll_scenarios::{Http, Scenario, Scope, TierId};

use crate::error::LoadError;
use crate::targets::{Base, Targets};
use crate::template::Template;

pub type HttpRequest = Request<Full<bytes::Bytes>>;

/// Everything that the requests of a run have in common.
#[derive(Debug)]
pub struct Plan {
    pub bases: Vec<Base>,
    pub metrics: Option<Base>,
    pub routes: Vec<Route>,
    /// Routes of each action of the scenario, in its order.
    actions: Vec<ActionRoutes>,
    headers: HeaderMap,
}

/// One kind of request: an action, or one of its branches.
#[derive(Debug)]
pub struct Route {
    /// `play`, or `play.events` for a branch.
    pub name: String,
    /// Tiers that may answer, in the order of the path.
    pub tiers: Vec<String>,
    method: Method,
    path: Template,
    body: Option<Template>,
    /// Position in [`Plan::bases`] of each instance of the entry tier.
    instances: Vec<usize>,
}

#[derive(Debug, Default)]
struct ActionRoutes {
    /// `None` if the whole path is on the device.
    primary: Option<usize>,
    branches: Vec<usize>,
}

impl Plan {
    /// Resolves all requests of a (scaled) scenario against the targets, without connecting to them.
    pub fn new(scenario: &Scenario, targets: &Targets) -> Result<Self, LoadError> {
        let mut plan = Self {
            bases: Vec::new(),
            metrics: targets.metrics.as_deref().map(Base::parse).transpose()?,
            routes: Vec::new(),
            actions: Vec::new(),
            headers: headers(&targets.headers)?,
        };
        let mut missing = Vec::new();
        for (name, action) in &scenario.actions {
            let mut routes = ActionRoutes::default();
            let on_device = |&id: &TierId| scenario.tiers[id].scope == Scope::User;
            if let Some(entry) = action.path.iter().copied().find(|id| !on_device(id)) {
                match &action.http {
                    Some(http) => {
                        let route = plan.route(scenario, targets, name, http, entry, &action.path)?;
                        routes.primary = Some(route);
                    }
                    None => missing.push(format!("action `{name}` has no `http`")),
                }
            }
            for branch in &action.then {
                if let Some(http) = &branch.http {
                    let name = format!("{name}.{}", scenario.tier_name(branch.tier));
                    let route = plan.route(scenario, targets, &name, http, branch.tier, &[branch.tier])?;
                    routes.branches.push(route);
                }
            }
            plan.actions.push(routes);
        }
        if missing.is_empty() && plan.routes.is_empty() {
            missing.push("no action leaves the user's device".to_owned());
        }
        if missing.is_empty() { Ok(plan) } else { Err(LoadError::NothingToSend { reasons: missing }) }
    }

    fn route(
        &mut self,
        scenario: &Scenario,
        targets: &Targets,
        name: &str,
        http: &Http,
        entry: TierId,
        path: &[TierId],
    ) -> Result<usize, LoadError> {
        let bad = |cause: String| LoadError::BadTemplate { name: name.to_owned(), cause };
        let tier = scenario.tier_name(entry);
        let urls = match targets.by_tier.get(tier) {
            Some(urls) if !urls.is_empty() => urls.as_slice(),
            _ => targets.fallback.as_slice(),
        };
        if urls.is_empty() {
            return Err(LoadError::NoTarget { action: name.to_owned(), tier: tier.to_owned() });
        }
        let instances = urls.iter().map(|url| self.base(url)).collect::<Result<_, _>>()?;
        let method = Method::from_bytes(http.method.as_bytes()).map_err(|e| bad(e.to_string()))?;
        if !http.path.starts_with('/') {
            return Err(bad(format!("its path is `{}`", http.path)));
        }
        let route = Route {
            name: name.to_owned(),
            tiers: path.iter().map(|&id| scenario.tier_name(id).to_owned()).collect(),
            method,
            path: Template::new(&http.path),
            body: http.body.as_deref().map(Template::new),
            instances,
        };
        self.routes.push(route);
        let index = self.routes.len() - 1;
        self.request(index, 0, 0).map_err(|e| bad(e.to_string()))?;
        Ok(index)
    }

    fn base(&mut self, url: &str) -> Result<usize, LoadError> {
        if let Some(known) = self.bases.iter().position(|base| base.url == url) {
            return Ok(known);
        }
        self.bases.push(Base::parse(url)?);
        Ok(self.bases.len() - 1)
    }

    /// Connects to every target once.
    pub fn reach(&mut self) -> Result<(), LoadError> {
        self.bases.iter_mut().chain(&mut self.metrics).try_for_each(Base::reach)
    }

    /// The request of a route for one site and object.
    pub fn request(&self, route: usize, site: u32, object: u64) -> Result<HttpRequest, http::Error> {
        let route = &self.routes[route];
        let base = &self.bases[route.instances[site as usize % route.instances.len()]];
        let mut uri = String::with_capacity(base.prefix.len() + 64);
        uri.push_str(&base.prefix);
        route.path.fill(object, &mut uri);
        let mut body = String::new();
        if let Some(template) = &route.body {
            template.fill(object, &mut body);
        }
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = route.method.clone();
        *request.uri_mut() = Uri::try_from(uri)?;
        *request.headers_mut() = self.headers.clone();
        if route.body.is_some() && !request.headers().contains_key(CONTENT_TYPE) {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let (Some(host), false) = (&base.host, request.headers().contains_key(HOST)) {
            request.headers_mut().insert(HOST, HeaderValue::try_from(host)?);
        }
        Ok(request)
    }

    /// The run's requests, in time order.
    pub fn schedule<'a>(&'a self, scenario: &'a Scenario, seed: u64, duration_s: f64) -> Schedule<'a> {
        Schedule { plan: self, trace: trace::requests(scenario, seed, duration_s), current: None }
    }
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, LoadError> {
    let mut headers = HeaderMap::with_capacity(pairs.len() + 2);
    for (name, value) in pairs {
        let bad = |cause: String| LoadError::BadHeader { name: name.clone(), cause };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|e| bad(e.to_string()))?;
        let value = HeaderValue::from_str(value).map_err(|e| bad(e.to_string()))?;
        headers.append(key, value);
    }
    Ok(headers)
}

/// One thing that falls due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Due {
    /// Seconds since the start.
    pub at_s: f64,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum What {
    /// Answered on the device: counted, never sent.
    Local,
    Send {
        route: usize,
        site: u32,
        object: u64,
    },
}

/// See [`Plan::schedule`].
#[derive(Debug)]
pub struct Schedule<'a> {
    plan: &'a Plan,
    trace: Requests<'a>,
    /// The request whose branches are still to come, and how many have been.
    current: Option<(trace::Request, usize)>,
}

impl Iterator for Schedule<'_> {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        if let Some((request, sent)) = &mut self.current
            && let Some(&route) = self.plan.actions[request.action].branches.get(*sent)
        {
            *sent += 1;
            let what = What::Send { route, site: request.site, object: request.object };
            return Some(Due { at_s: request.at_s, what });
        }
        let request = self.trace.next()?;
        self.current = Some((request, 0));
        let what = match self.plan.actions[request.action].primary {
            Some(route) if !request.local => What::Send { route, site: request.site, object: request.object },
            _ => What::Local,
        };
        Some(Due { at_s: request.at_s, what })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spotify() -> Scenario {
        plimsoll_scenarios::load("spotify").unwrap().scaled_for_load().unwrap()
    }

    fn targets() -> Targets {
        let mut targets = Targets { fallback: Some("http://127.0.0.1:1".into()), ..Targets::default() };
        let edges = ["http://127.0.0.1:2", "http://127.0.0.1:3/edge/"];
        targets.by_tier.insert("edge".into(), edges.map(str::to_owned).to_vec());
        targets
    }

    #[test]
    fn plays_enter_at_their_site_s_edge_and_each_has_an_event_even_if_answered_on_the_device() {
        let scenario = spotify();
        let plan = Plan::new(&scenario, &targets()).unwrap();
        let names: Vec<&str> = plan.routes.iter().map(|route| route.name.as_str()).collect();
        assert_eq!(names, ["play", "play.events", "search"]);

        let duration_s = 5.0;
        let due: Vec<Due> = plan.schedule(&scenario, 1, duration_s).collect();
        assert!(due.windows(2).all(|pair| pair[0].at_s <= pair[1].at_s));
        let sent = |wanted: usize| {
            due.iter().filter(|due| matches!(due.what, What::Send { route, .. } if route == wanted)).count()
        };
        let local = due.iter().filter(|due| due.what == What::Local).count();
        let trace: Vec<trace::Request> = trace::requests(&scenario, 1, duration_s).collect();
        let plays = trace.iter().filter(|request| request.action == 0).count();
        assert_eq!(local, trace.iter().filter(|request| request.local).count());
        assert!(local > plays / 3, "{local} of {plays}");
        assert_eq!((sent(0) + local, sent(1), sent(2)), (plays, plays, trace.len() - plays));

        let uri = |route, site, object| plan.request(route, site, object).unwrap().uri().to_string();
        assert_eq!(uri(0, 0, 0), "http://127.0.0.1:2/v1/songs/1/audio");
        assert_eq!(uri(0, 3, 9), "http://127.0.0.1:3/edge/v1/songs/10/audio");
        assert!(uri(2, 1, 5).starts_with("http://127.0.0.1:1/v1/search?q="), "{}", uri(2, 1, 5));
        let event = plan.request(1, 0, 41).unwrap();
        assert_eq!((event.method(), event.uri().path()), (&Method::POST, "/v1/events"));
        assert_eq!(event.headers()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn a_path_that_makes_no_request_is_refused() {
        let mut scenario = spotify();
        scenario.actions["play"].http.as_mut().unwrap().path = "/a b".into();
        let error = Plan::new(&scenario, &targets()).unwrap_err().to_string();
        assert!(error.contains("`play` makes no request"), "{error}");
    }

    #[test]
    fn headers_are_sent_with_every_request() {
        let mut targets = targets();
        targets.headers = vec![("authorization".into(), "Bearer k".into())];
        let plan = Plan::new(&spotify(), &targets).unwrap();
        assert_eq!(plan.request(2, 0, 0).unwrap().headers()["authorization"], "Bearer k");
    }
}
