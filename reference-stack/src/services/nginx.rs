//! nginx: the caches of edge and shield (`proxy_cache`, `slice`, cache lock), and the gateway's balancing.
//!
//! Each cache is an nginx of its own with two ports: one fetches what it lacks from the tier below, the other gives
//! only what is there. Keys carry a generation, so that a cache can be told to forget everything at once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT_ENCODING;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use nix::sys::signal::Signal;
use plimsoll_scenarios::Balance;

use super::supervise::{Identity, Spec, listens, private_directory};
use super::{Programs, Setting};
use crate::error::StackError;
use crate::peer::{Answer, Peer};
use crate::plan::{CachePlan, TierPlan};
use crate::reply::encoding;
use crate::timer::Timer;
use crate::upstream::{HOP_TIMEOUT, HopError, Upstream, WAY};

/// Tells nginx the key of the object.
const KEY: HeaderName = HeaderName::from_static("x-plimsoll-key");
/// Tells nginx to fetch the object although it has it.
const RENEW: HeaderName = HeaderName::from_static("x-plimsoll-renew");
/// Tells nginx to keep out of it: neither to look nor to store.
const PASS: HeaderName = HeaderName::from_static("x-plimsoll-pass");
/// What nginx's cache did, and whom it asked.
pub use crate::reply::wire::{SERVERS_CACHE as CACHE, SERVERS_SOURCE as FROM};

/// Bytes that are fetched and stored as one piece of a song.
const SLICE: &str = "1m";
/// Bytes in which nginx keeps what it knows of its objects; about 8,000 a megabyte.
const ZONE: &str = "32m";

/// Objects whose changes a cache remembers; beyond that it forgets everything once.
const CHANGED_MAX: usize = 1 << 16;

/// What all of them begin with.
fn head(setting: &Setting<'_>, name: &str) -> String {
    let directory = setting.directory.join(name);
    let at = directory.display();
    let mut text = format!(
        "daemon off;\nworker_processes 1;\npid \"{at}/nginx.pid\";\nerror_log stderr warn;\n\
         events {{ worker_connections 4096; }}\nhttp {{\n  access_log off;\n  server_tokens off;\n  \
         sendfile on;\n  tcp_nopush on;\n  tcp_nodelay on;\n  keepalive_timeout 60s;\n  \
         keepalive_requests 1000000;\n  merge_slashes off;\n  large_client_header_buffers 4 32k;\n"
    );
    for what in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {what}_temp_path \"{at}/{what}\";");
    }
    text
}

/// How requests are passed on.
fn proxied() -> String {
    format!(
        "    proxy_http_version 1.1;\n    proxy_set_header Connection \"\";\n    proxy_set_header {WAY} 1;\n    \
         proxy_connect_timeout 2s;\n    proxy_read_timeout {wait}s;\n    proxy_send_timeout {wait}s;\n    \
         proxy_next_upstream error timeout;\n    proxy_next_upstream_tries 2;\n    proxy_pass_header Date;\n    \
         proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering \
         X-Accel-Charset;\n    proxy_buffers 16 64k;\n    add_header {FROM} $upstream_addr always;\n",
        wait = HOP_TIMEOUT.as_secs(),
    )
}

fn spec(
    setting: &Setting<'_>,
    name: &str,
    of: &str,
    config: &str,
    at: SocketAddr,
) -> Result<Spec, StackError> {
    let identity = Identity::of_server("www-data")?;
    let directory = setting.directory.join(name);
    private_directory(&directory, identity)?;
    let file = directory.join("nginx.conf");
    super::write_private(&file, config, identity).map_err(|cause| StackError::Prepare {
        what: "nginx",
        place: file.clone(),
        cause,
    })?;
    Ok(Spec {
        name: format!("nginx of {of}"),
        program: setting.programs.get(Programs::NGINX),
        args: vec![
            "-c".into(),
            file.into(),
            "-p".into(),
            directory.clone().into(),
            "-e".into(),
            "stderr".into(),
        ],
        env: Vec::new(),
        directory,
        output: setting.output(name),
        identity,
        stop: Signal::SIGTERM,
        probe: listens(at),
    })
}

/// Says how the nginx of one cache is run, which fetches from the first of `below` that can be reached.
///
/// # Errors
/// If its files can't be written.
pub fn cache(
    setting: &Setting<'_>,
    tier: &'static str,
    number: usize,
    plan: CachePlan,
    below: &[SocketAddr],
) -> Result<(NginxCache, Spec), StackError> {
    let (name, of) = (format!("nginx-{tier}-{number}"), format!("{tier}/{number}"));
    let (at, only, nowhere) = (setting.ports.take(&of)?, setting.ports.take(&of)?, setting.ports.take(&of)?);
    let mut text = head(setting, &name);
    let directory = setting.directory.join(&name);
    let _ = writeln!(
        text,
        "  proxy_cache_path \"{}/cache\" levels=1:2 keys_zone=objects:{ZONE} max_size={} inactive=3650d use_temp_path=off;",
        directory.display(),
        plan.bytes.max(1),
    );
    text += "  map $upstream_status $failed { default 0; \"~5[0-9][0-9]$\" 1; }\n  \
             map $upstream_status $unkept { default 0; \"~5[0-9][0-9]$\" 1; \"~206$\" 1; }\n  upstream below {\n";
    for (index, address) in below.iter().enumerate() {
        let _ = writeln!(text, "    server {address} max_fails=0{};", if index > 0 { " backup" } else { "" });
    }
    let _ = write!(
        text,
        "    keepalive 64;\n  }}\n  upstream nowhere {{ server {nowhere}; keepalive 8; }}\n  \
         server {{ listen {nowhere}; location / {{ add_header Cache-Control no-store always; return 504; }} }}\n"
    );
    for (listen, upstream, lock) in [(at, "below", "on"), (only, "nowhere", "off")] {
        let _ = writeln!(text, "  server {{\n    listen {listen} backlog=1024;");
        text += &proxied();
        for name in [&KEY, &RENEW, &PASS] {
            let _ = writeln!(text, "    proxy_set_header {name} \"\";");
        }
        let _ = write!(
            text,
            "    proxy_cache objects;\n    proxy_cache_key $http_x_plimsoll_key;\n    proxy_cache_lock {lock};\n    \
             proxy_cache_lock_timeout 15s;\n    proxy_cache_lock_age 15s;\n    proxy_cache_revalidate on;\n    \
             proxy_cache_use_stale error timeout http_500 http_502 http_503 http_504;\n    \
             proxy_cache_bypass $http_x_plimsoll_renew $http_x_plimsoll_pass;\n    \
             proxy_no_cache $http_x_plimsoll_pass $unkept;\n    add_header {CACHE} $upstream_cache_status always;\n    \
             location / {{ proxy_pass http://{upstream}; }}\n    \
             location ~ \"^/v1/songs/[0-9]+/audio$\" {{\n      slice {SLICE};\n      \
             proxy_no_cache $http_x_plimsoll_pass $failed;\n      \
             proxy_cache_key \"$http_x_plimsoll_key $slice_range\";\n"
        );
        // A location with headers of its own has none of those around it.
        for line in proxied().lines().filter(|line| line.contains("proxy_set_header")) {
            let _ = writeln!(text, "  {line}");
        }
        for name in [&KEY, &RENEW, &PASS] {
            let _ = writeln!(text, "      proxy_set_header {name} \"\";");
        }
        let _ = write!(
            text,
            "      proxy_set_header Range $slice_range;\n      proxy_pass http://{upstream};\n    }}\n  }}\n"
        );
    }
    text += "}\n";
    Ok((
        NginxCache {
            at: Peer::at(at),
            only: Peer::at(only),
            tier,
            generation: AtomicU64::new(0),
            changed: Mutex::default(),
        },
        spec(setting, &name, &of, &text, at)?,
    ))
}

/// Says how the nginx of the gateway is run, which balances over the web servers and knows the events tier.
///
/// # Errors
/// If its files can't be written.
pub fn gateway(
    setting: &Setting<'_>,
    tier: &TierPlan,
    web: &TierPlan,
    webs: &[SocketAddr],
    events: SocketAddr,
    events_paths: &[&str],
) -> Result<(SocketAddr, Spec), StackError> {
    let at = setting.ports.take(tier.name)?;
    let mut text = head(setting, "nginx-gateway");
    text += "  upstream web {\n";
    text += match web.balance {
        Balance::RoundRobin | Balance::Weighted => "",
        Balance::Random => "    random;\n",
        Balance::LeastConnections => "    least_conn;\n",
        Balance::PowerOfTwo => "    random two least_conn;\n",
        // The address has the object; `not_emulated` keeps such scenarios out today.
        Balance::ConsistentHash => "    hash $request_uri consistent;\n",
    };
    for web in webs {
        let _ = writeln!(text, "    server {web} max_fails=1 fail_timeout=1s;");
    }
    let _ = write!(
        text,
        "    keepalive 256;\n  }}\n  upstream events {{ server {events} max_fails=0; keepalive 64; }}\n  \
         server {{\n    listen {at} backlog=1024;\n"
    );
    text += &proxied();
    for path in events_paths {
        let _ = writeln!(text, "    location = {path} {{ proxy_pass http://events; }}");
    }
    text += "    location / { proxy_pass http://web; }\n  }\n}\n";
    Ok((at, spec(setting, "nginx-gateway", "gateway", &text, at)?))
}

/// A cache that nginx keeps.
#[derive(Debug)]
pub struct NginxCache {
    at: Peer,
    only: Peer,
    tier: &'static str,
    generation: AtomicU64,
    /// How often objects have been driven out, by path.
    changed: Mutex<HashMap<String, u64>>,
}

/// The cache with a client for it.
#[derive(Debug)]
pub struct NginxStore {
    cache: NginxCache,
    upstream: Upstream,
}

/// What nginx is to do about an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// Give it, from wherever.
    Any,
    /// Fetch it anew.
    Renew,
    /// Fetch it and keep no copy.
    Pass,
}

impl NginxCache {
    pub fn store(self, timer: Timer) -> NginxStore {
        // No way is emulated to a process that is part of the tier.
        NginxStore { upstream: Upstream::new(self.tier, Duration::ZERO, timer), cache: self }
    }
}

impl NginxStore {
    /// Forgets everything.
    pub fn forget_all(&self) {
        self.cache.generation.fetch_add(1, Ordering::Relaxed);
        self.changed().clear();
    }

    /// Forgets one object.
    pub fn forget(&self, path: &str) {
        let mut changed = self.changed();
        if changed.len() >= CHANGED_MAX {
            // Better too much than too little.
            self.cache.generation.fetch_add(1, Ordering::Relaxed);
            changed.clear();
        }
        *changed.entry(path.to_owned()).or_insert(0) += 1;
    }

    fn changed(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.cache.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is there, fresh or not.
    ///
    /// # Errors
    /// If nginx can't be reached.
    pub async fn look(&self, path: &str, asked: &HeaderMap) -> Result<Response<Answer>, HopError> {
        let mut headers = HeaderMap::with_capacity(2);
        self.address(path, asked, &mut headers);
        self.upstream.call(&self.cache.only, Method::GET, path, headers, Bytes::new()).await
    }

    /// The object, which nginx fetches unless it has it.
    ///
    /// # Errors
    /// If nginx can't be reached.
    pub async fn fetch(
        &self,
        path: &str,
        headers: &HeaderMap,
        wish: Wish,
    ) -> Result<Response<Answer>, HopError> {
        let mut passed = headers.clone();
        self.address(path, headers, &mut passed);
        let one = HeaderValue::from_static("1");
        match wish {
            Wish::Any => {}
            Wish::Renew => drop(passed.insert(RENEW, one)),
            Wish::Pass => drop(passed.insert(PASS, one)),
        }
        self.upstream.call(&self.cache.at, Method::GET, path, passed, Bytes::new()).await
    }

    /// Key and variant. Encodings that come to the same are the same.
    fn address(&self, path: &str, asked: &HeaderMap, headers: &mut HeaderMap) {
        let generation = self.cache.generation.load(Ordering::Relaxed);
        let changes = self.changed().get(path).copied().unwrap_or(0);
        if let Ok(key) = HeaderValue::try_from(format!("{generation}.{changes} {path}")) {
            headers.insert(KEY, key);
        }
        headers.remove(ACCEPT_ENCODING);
        if encoding::accepts_gzip(asked) {
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }
}
