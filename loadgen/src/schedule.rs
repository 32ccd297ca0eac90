//! The plan of a run: which requests the scenario's trace turns into, and where each goes.
//!
//! Why a plan before the run: every name, url, header and template is checked here, once, so that nothing
//! that can be known in advance fails in the middle of a measurement.

use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::Full;
use plimsoll_scenarios::trace::{self, Requests};
use plimsoll_scenarios::{Http, Scenario, Scope, TierId};

use crate::arrivals::{Arrivals, Times};
use crate::checks::{Check, Rule};
use crate::client::Handling;
use crate::error::LoadError;
use crate::player::Playback;
use crate::recorded::{Recorded, RecordedRequest};
use crate::regions::Regions;
use crate::targets::{Base, Targets};
use crate::template::Template;

pub type HttpRequest = Request<Full<bytes::Bytes>>;

/// Everything that the requests of a run have in common.
#[derive(Debug)]
pub struct Plan {
    pub bases: Vec<Base>,
    pub metrics: Option<Base>,
    pub routes: Vec<Route>,
    pub regions: Regions,
    /// Routes of each action of the scenario, in its order.
    actions: Vec<ActionRoutes>,
    headers: HeaderMap,
    /// `Host` of each base url.
    hosts: Vec<HeaderValue>,
}

/// One kind of request: an action, or one of its branches.
#[derive(Debug)]
pub struct Route {
    /// `play`, or `play.events` for a branch.
    pub name: String,
    /// Tiers that may answer, in the order of the path.
    pub tiers: Vec<String>,
    /// Those whose caches it is looked up in, of the tiers that every site or region has for itself.
    pub lookups: Vec<String>,
    method: Method,
    path: Template,
    body: Option<Template>,
    headers: Vec<(HeaderName, Template)>,
    /// Position in [`Plan::bases`] of each instance of the entry tier.
    instances: Vec<usize>,
    /// How its answers are read.
    pub handling: Handling,
}

impl Route {
    fn base(&self, site: u32) -> usize {
        self.instances[site as usize % self.instances.len()]
    }
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
            regions: Regions::of(scenario),
            actions: Vec::new(),
            headers: headers(&targets.headers)?,
            hosts: Vec::new(),
        };
        let mut missing = Vec::new();
        for (name, action) in &scenario.actions {
            let mut routes = ActionRoutes::default();
            let on_device = |&id: &TierId| scenario.tiers[id].scope == Scope::User;
            if let Some(entry) = action.path.iter().copied().find(|id| !on_device(id)) {
                match &action.http {
                    Some(http) => {
                        let route = plan.route(scenario, targets, name, http, entry, &action.path)?;
                        let lookups = action.path.iter().filter(|&&tier| {
                            matches!(scenario.tiers[tier].scope, Scope::Site | Scope::Region)
                                && scenario.looks_up(action, tier)
                        });
                        plan.routes[route].lookups =
                            lookups.map(|&tier| scenario.tier_name(tier).to_owned()).collect();
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
        let mut own_headers = Vec::with_capacity(http.headers.len());
        for (header, value) in &http.headers {
            let header = HeaderName::from_bytes(header.as_bytes()).map_err(|e| bad(e.to_string()))?;
            own_headers.push((header, Template::new(value)));
        }
        let mut handling = Handling::default();
        for rule in Rule::of(&http.expect) {
            handling.expected.add(rule);
        }
        let route = Route {
            name: name.to_owned(),
            tiers: path.iter().map(|&id| scenario.tier_name(id).to_owned()).collect(),
            lookups: Vec::new(),
            method,
            path: Template::new(&http.path),
            body: http.body.as_deref().map(Template::new),
            headers: own_headers,
            instances,
            handling,
        };
        self.routes.push(route);
        let index = self.routes.len() - 1;
        self.request(Wanted { route: index, site: 0, object: 0, user: 0 }).map_err(|e| bad(e.to_string()))?;
        Ok(index)
    }

    fn base(&mut self, url: &str) -> Result<usize, LoadError> {
        if let Some(known) = self.bases.iter().position(|base| base.url == url) {
            return Ok(known);
        }
        let base = Base::parse(url)?;
        let bad = |e: http::header::InvalidHeaderValue| LoadError::BadUrl {
            url: url.to_owned(),
            cause: e.to_string(),
        };
        self.hosts.push(HeaderValue::try_from(&base.host).map_err(bad)?);
        self.bases.push(base);
        Ok(self.bases.len() - 1)
    }

    /// Adds checks of answers, and how bodies are played.
    pub fn handle(&mut self, checks: &[Check], playback: &[(String, Playback)]) -> Result<(), LoadError> {
        let names: Vec<String> = self.routes.iter().map(|route| route.name.clone()).collect();
        let find = |option: &'static str, action: &str| {
            names.iter().position(|name| name == action).ok_or_else(|| LoadError::NoSuchAction {
                option,
                action: action.to_owned(),
                known: names.join(", "),
            })
        };
        for check in checks {
            let route = find("check", &check.action)?;
            self.routes[route].handling.expected.add(check.rule.clone());
        }
        for (action, playback) in playback {
            let route = find("play", action)?;
            self.routes[route].handling.playback = Some(*playback);
        }
        Ok(())
    }

    /// Connects to every target once.
    pub fn reach(&mut self) -> Result<(), LoadError> {
        self.bases.iter_mut().chain(&mut self.metrics).try_for_each(Base::reach)
    }

    /// Position of the base url to which a request goes.
    pub fn base_of(&self, wanted: Wanted) -> usize {
        self.routes[wanted.route].base(wanted.site)
    }

    /// A request as it goes to its base url.
    pub fn request(&self, Wanted { route, site, object, user }: Wanted) -> Result<HttpRequest, http::Error> {
        let route = &self.routes[route];
        let base = route.base(site);
        let mut uri = String::with_capacity(64);
        uri.push_str(self.bases[base].path());
        route.path.fill(object, user, &mut uri);
        let mut body = String::new();
        if let Some(template) = &route.body {
            template.fill(object, user, &mut body);
        }
        let mut request = Request::new(Full::new(body.into()));
        *request.method_mut() = route.method.clone();
        *request.uri_mut() = Uri::try_from(uri)?;
        *request.headers_mut() = self.headers.clone();
        for (name, template) in &route.headers {
            let mut value = String::new();
            template.fill(object, user, &mut value);
            // The request's own word counts over that for all.
            request.headers_mut().insert(name, HeaderValue::try_from(value)?);
        }
        if route.body.is_some() && !request.headers().contains_key(CONTENT_TYPE) {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if !request.headers().contains_key(HOST) {
            request.headers_mut().insert(HOST, self.hosts[base].clone());
        }
        Ok(request)
    }

    /// What a request of the scenario is here.
    pub fn primary(&self, request: &trace::Request) -> What {
        match self.actions[request.action].primary {
            Some(route) if !request.local => sent(route, request),
            _ => What::Local,
        }
    }

    /// The n-th message that it sets off.
    pub fn branch(&self, request: &trace::Request, n: usize) -> Option<What> {
        self.actions[request.action].branches.get(n).map(|&route| sent(route, request))
    }

    /// The run's requests, in time order; of a closed model in the order in which users take them, without end.
    pub fn schedule<'a>(
        &'a self,
        scenario: &'a Scenario,
        arrivals: &'a Arrivals,
        seed: u64,
        (warmup_s, duration_s): (f64, f64),
    ) -> Schedule<'a> {
        let total_s = warmup_s + duration_s;
        let own =
            |until_s| Own { plan: self, trace: trace::requests(scenario, seed, until_s), current: None };
        match (arrivals, arrivals.times(seed, warmup_s, duration_s)) {
            (_, Some(times)) => {
                Schedule::Timed { own: own(f64::INFINITY), times: Box::new(times), next_s: None }
            }
            (Arrivals::Recorded(recorded), None) => {
                Schedule::Recorded { plan: self, recorded, next: 0, branches: 0, total_s }
            }
            (Arrivals::Sessions { rate_per_s }, None) => {
                let trace = trace::with_sessions(scenario, seed, total_s, *rate_per_s);
                // Without sessions it is the scenario's own; `Plan::sessions` has refused that before.
                let trace = trace.unwrap_or_else(|| trace::requests(scenario, seed, total_s));
                Schedule::Own(Own { plan: self, trace, current: None })
            }
            (Arrivals::Closed { .. }, None) => Schedule::Own(own(f64::INFINITY)),
            _ => Schedule::Own(own(total_s)),
        }
    }
}

const fn sent(route: usize, request: &trace::Request) -> What {
    What::Send(Wanted { route, site: request.site, object: request.object, user: request.user })
}

/// Nobody has written down who asked.
const fn recorded_as(route: usize, request: &RecordedRequest) -> Wanted {
    Wanted { route, site: request.site, object: request.object, user: 0 }
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
    Send(Wanted),
}

/// What makes a request: which route, from where, for what and for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub route: usize,
    pub site: u32,
    pub object: u64,
    pub user: u64,
}

/// See [`Plan::schedule`].
#[derive(Debug)]
pub enum Schedule<'a> {
    /// The scenario's requests at its times.
    Own(Own<'a>),
    /// The scenario's requests at other times.
    Timed {
        own: Own<'a>,
        times: Box<Times>,
        /// A time that no request has taken yet.
        next_s: Option<f64>,
    },
    Recorded {
        plan: &'a Plan,
        recorded: &'a Recorded,
        next: usize,
        /// Branches of the request before `next` that have been sent.
        branches: usize,
        total_s: f64,
    },
}

/// The scenario's own trace, branches included.
#[derive(Debug)]
pub struct Own<'a> {
    plan: &'a Plan,
    trace: Requests<'a>,
    /// The request whose branches are still to come, and how many have been.
    current: Option<(trace::Request, usize)>,
}

impl Iterator for Schedule<'_> {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        match self {
            Self::Own(own) => own.next(),
            Self::Timed { own, times, next_s } => {
                let at_s = match *next_s {
                    Some(at_s) => at_s,
                    None => times.next()?,
                };
                let what = own.next()?.what;
                // What the device answers takes no time of its own.
                *next_s = (what == What::Local).then_some(at_s);
                Some(Due { at_s, what })
            }
            Self::Recorded { plan, recorded, next, branches, total_s } => {
                if let Some(before) = next.checked_sub(1).map(|at| &recorded.requests[at])
                    && let Some(&route) = plan.actions[before.action].branches.get(*branches)
                {
                    *branches += 1;
                    let what = What::Send(recorded_as(route, before));
                    return Some(Due { at_s: before.at_s, what });
                }
                let request = recorded.requests.get(*next).filter(|request| request.at_s < *total_s)?;
                (*next, *branches) = (*next + 1, 0);
                let what = match plan.actions[request.action].primary {
                    Some(route) => What::Send(recorded_as(route, request)),
                    None => What::Local,
                };
                Some(Due { at_s: request.at_s, what })
            }
        }
    }
}

impl Iterator for Own<'_> {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        if let Some((request, sent)) = &mut self.current
            && let Some(what) = self.plan.branch(request, *sent)
        {
            *sent += 1;
            return Some(Due { at_s: request.at_s, what });
        }
        let request = self.trace.next()?;
        self.current = Some((request, 0));
        Some(Due { at_s: request.at_s, what: self.plan.primary(&request) })
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
        let due: Vec<Due> = plan.schedule(&scenario, &Arrivals::Scenario, 1, (0.0, duration_s)).collect();
        assert!(due.windows(2).all(|pair| pair[0].at_s <= pair[1].at_s));
        let sent = |wanted: usize| {
            due.iter().filter(|due| matches!(due.what, What::Send(sent) if sent.route == wanted)).count()
        };
        let local = due.iter().filter(|due| due.what == What::Local).count();
        let trace: Vec<trace::Request> = trace::requests(&scenario, 1, duration_s).collect();
        let plays = trace.iter().filter(|request| request.action == 0).count();
        assert_eq!(local, trace.iter().filter(|request| request.local).count());
        assert!(local > plays / 3, "{local} of {plays}");
        assert_eq!((sent(0) + local, sent(1), sent(2)), (plays, plays, trace.len() - plays));

        let uri = |route, site, object| {
            let wanted = Wanted { route, site, object, user: 0 };
            let address = plan.bases[plan.base_of(wanted)].address();
            format!("http://{address}{}", plan.request(wanted).unwrap().uri())
        };
        assert_eq!(uri(0, 0, 0), "http://127.0.0.1:2/v1/songs/1/audio");
        assert_eq!(uri(0, 3, 9), "http://127.0.0.1:3/edge/v1/songs/10/audio");
        assert!(uri(2, 1, 5).starts_with("http://127.0.0.1:1/v1/search?q="), "{}", uri(2, 1, 5));
        let event = plan.request(Wanted { route: 1, site: 0, object: 41, user: 0 }).unwrap();
        assert_eq!((event.method(), event.uri().path()), (&Method::POST, "/v1/events"));
        assert_eq!(event.headers()[CONTENT_TYPE], "application/json");
    }

    #[test]
    fn a_request_is_what_the_scenario_says_and_so_is_its_answer() {
        let text = "name: t\nsummary: t\npopulation: {users: 10}\nactions:\n  rename:\n    per_user: 1/s\n    path: [web]\n    \
                    http:\n      patch: /things/{object}\n      body: '{\"n\":{object}}'\n      \
                    headers: {content-type: application/merge-patch+json, if-match: '\"{object}\"'}\n      \
                    expect: {status: 204, length: 5 B, contains: [a, b]}\ntiers:\n  web: {}\n";
        let scenario = Scenario::from_yaml(&plimsoll_scenarios::SourceFile::new("t.yaml", text))
            .unwrap_or_else(|e| panic!("{e}"));
        let for_all =
            vec![("if-match".to_owned(), "*".to_owned()), ("accept".to_owned(), "text/plain".to_owned())];
        let plan = Plan::new(&scenario, &Targets { headers: for_all, ..targets() }).unwrap();
        let request = plan.request(Wanted { route: 0, site: 0, object: 6, user: 0 }).unwrap();
        assert_eq!((request.method().as_str(), request.uri().path()), ("PATCH", "/things/7"));
        let header = |name: &str| {
            request.headers().get_all(name).iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(header("if-match"), ["\"7\""]);
        assert_eq!(header("content-type"), ["application/merge-patch+json"]);
        assert_eq!(header("accept"), ["text/plain"]);
        let mut expected = crate::checks::Expected::default();
        let rules =
            [Rule::Status(204), Rule::Length(5), Rule::Contains("a".into()), Rule::Contains("b".into())];
        for rule in rules {
            expected.add(rule);
        }
        assert_eq!(plan.routes[0].handling.expected, expected);
    }

    #[test]
    fn other_times_carry_the_scenario_s_requests_in_its_order() {
        let scenario = spotify();
        let plan = Plan::new(&scenario, &targets()).unwrap();
        let of = |arrivals: Arrivals| plan.schedule(&scenario, &arrivals, 1, (0.0, 2.0)).collect::<Vec<_>>();
        let constant = of(Arrivals::Constant { rate_per_s: 100.0 });
        let sends: Vec<&Due> = constant.iter().filter(|due| due.what != What::Local).collect();
        assert_eq!(sends.len(), 200);
        assert!(sends.iter().enumerate().all(|(i, due)| (due.at_s - i as f64 / 100.0).abs() < 1e-9));
        let own = of(Arrivals::Scenario);
        assert!(constant.iter().zip(&own).all(|(timed, own)| timed.what == own.what));
        assert!(constant.windows(2).all(|pair| pair[0].at_s <= pair[1].at_s));
    }

    #[test]
    fn a_recording_is_sent_as_recorded_with_the_branches_of_its_actions() {
        let scenario = spotify();
        let plan = Plan::new(&scenario, &targets()).unwrap();
        let recorded =
            Recorded::read("t", "5,play,17,1\n6.5,search,3\n9,play,1\n".as_bytes(), &scenario).unwrap();
        let arrivals = Arrivals::Recorded(recorded.into());
        let due: Vec<Due> = plan.schedule(&scenario, &arrivals, 1, (0.0, 2.0)).collect();
        let send = |at_s, route, site, object| Due {
            at_s,
            what: What::Send(Wanted { route, site, object, user: 0 }),
        };
        assert_eq!(due, [send(0.0, 0, 1, 16), send(0.0, 1, 1, 16), send(1.5, 2, 0, 2)]);
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
        assert_eq!(
            plan.request(Wanted { route: 2, site: 0, object: 0, user: 0 }).unwrap().headers()["authorization"],
            "Bearer k"
        );
    }
}
