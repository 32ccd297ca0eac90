//! A small shop, and what `scenarios check` says of it when something in it is wrong.

use tempfile::TempDir;

use super::{Said, edited, plimsoll};

/// A scenario without a mistake.
pub const SHOP: &str = "\
name: shop
summary: a shop
population:
  users: 1 M
  regions:
    - {name: east, share: 60 %, utc_offset: +1 h}
    - {name: west, share: 40 %, utc_offset: -6 h}
  diurnal: {peak_to_mean: 2.0, peak_at: 19:00}
datasets:
  page: {count: 1 M, size: 20 KB, popularity: {zipf: 0.9}, in: store}
actions:
  view: {per_user: 5/day, of: page, path: [edge, web, store]}
  order: {per_user: 1/day, path: [web, store]}
tiers:
  edge: {per: site, link: 100 Gbit/s, cache: {capacity: 1 GB, policy: lru}, servers: 2, service_time: 1 ms}
  web: {per: region, servers: 10, service_time: 20 ms}
  store: {per: region, servers: 10, service_time: 20 ms}
slos: [view.first_byte p99 < 250 ms]
claims: [{what: page.storage, is: 20 GB}]
load: {scale: {users: 1/1000, objects: 1/1000}}
";

/// A depot that ships parcels, without a mistake: queues, trees of calls, actors, events.
pub const DEPOT: &str = "\
name: depot
population:
  users: 1 M
  weekly: [1, 1, 1, 1, 1, 2, 2]
  regions: [{name: east, share: 60 %}, {name: west, share: 40 %}]
  actors: {driver: {count: 10 K}}
datasets:
  parcel:
    growth: {by: send, each: 1}
    size: 2 KB
    in: store
actions:
  send:
    per_user: 1/day
    of: parcel
    write: true
    path: [gate, web, jobs, store]
  track:
    per_action: {send: 4}
    of: parcel
    path: [gate, {parallel: [web, [cache, store]], wait_for: 2}]
    then: [{to: jobs, size: 1 KB}]
  report:
    per_actor: {driver: every 4 s}
    path: [gate]
    connection: {lasts: 1 h, heartbeat: {every: 30 s}}
tiers:
  gate: {servers: 10, service_time: 1 ms, connections_max: 100 K, link: 10 Gbit/s}
  web: {servers: 10, service_time: 20 ms}
  jobs: {servers: 10, service_time: 1 ms, queue: {retention: 7 days}}
  cache: {cache: {capacity: 1 GB}}
  store: {servers: 10, service_time: 5 ms, replication: {copies: 3}, shards: {count: 8}}
  maps: {external: {latency: 80 ms}}
events:
  - {at: 3:00, region_down: east}
  - {at: 4:00, slow: {tier: web, factor: 3}}
";

/// What is said of the depot with one text replaced.
pub fn mishap(from: &str, to: &str) -> String {
    told(edited(DEPOT, &[(from, to)]))
}

/// What `scenarios check` says of a file with this text.
pub fn checked(text: impl AsRef<[u8]>) -> Said {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("shop.yaml"), text).unwrap();
    let output =
        plimsoll().current_dir(&directory).args(["scenarios", "check", "shop.yaml"]).output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// What is said of a file that is bad.
pub fn told(text: impl AsRef<[u8]>) -> String {
    let said = checked(text);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
    said.err
}

/// What is said of the shop with one text replaced.
pub fn mistake(from: &str, to: &str) -> String {
    told(edited(SHOP, &[(from, to)]))
}

/// For messages that are better held by their parts than to the letter.
#[track_caller]
pub fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is not said: {said}");
    }
    assert!(!said.contains("``"), "an empty name: {said}");
}
