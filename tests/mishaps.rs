//! What a user is told of a mistake in calls, actors, stores and events: cause, place and next step. Each message
//! was read aloud.

mod common;

use common::shop::{DEPOT, checked, mishap};

#[test]
fn the_depot_without_a_mistake_is_valid() {
    assert_eq!(checked(DEPOT).code, Some(0), "{:?}", checked(DEPOT));
}

#[test]
fn demand_said_twice_is_told_both() {
    insta::assert_snapshot!(mishap("per_user: 1/day", "per_user: 1/day\n    rate: 5/s"), @"
    error: `actions.send` says how often twice: per_user and rate
      --> shop.yaml:14:5
       |
    14 |     per_user: 1/day
       |     ^ keep one of them
    ");
}

#[test]
fn an_unknown_actor_gets_a_suggestion() {
    insta::assert_snapshot!(mishap("{driver: every 4 s}", "{drivr: every 4 s}"), @"
    error: actions.report.per_actor: no actor is named `drivr`
      --> shop.yaml:24:17
       |
    24 |     per_actor: {drivr: every 4 s}
       |                 ^^^^^ did you mean `driver`?
    ");
}

#[test]
fn actions_that_follow_each_other_are_a_circle() {
    insta::assert_snapshot!(mishap("per_user: 1/day", "per_action: {track: 1}"), @"
    error: actions.send happens as often as itself: a circle of `per_action`
      --> shop.yaml:14:5
       |
    14 |     per_action: {track: 1}
       |     ^ say `per_user` or `rate` for one of them
    ");
}

#[test]
fn a_wait_for_more_branches_than_there_are_is_refused() {
    insta::assert_snapshot!(mishap("wait_for: 2", "wait_for: 3"), @"
    error: `actions.track.path.parallel` waits for 3 of 2 branches
      --> shop.yaml:21:18
       |
    21 |     path: [gate, {parallel: [web, [cache, store]], wait_for: 3}]
       |                  ^ wait for at most 2, for `all` or for `first`
    ");
}

#[test]
fn a_quorum_is_no_larger_than_the_copies() {
    insta::assert_snapshot!(mishap("{copies: 3}", "{copies: 3, write_quorum: 4}"), @"
    error: `tiers.store.replication.write_quorum` is 4, of 3 copies
      --> shop.yaml:32:57
       |
    32 |   store: {servers: 10, service_time: 5 ms, replication: {copies: 3, write_quorum: 4}, shards: {count: 8}}
       |                                                         ^ ask for at most as many as there are
    ");
}

#[test]
fn an_erasure_code_has_no_copies() {
    insta::assert_snapshot!(mishap("{copies: 3}", "{copies: 3, erasure: {data: 10, parity: 4}}"), @"
    error: `tiers.store.replication` has both an erasure code and copies
      --> shop.yaml:32:57
       |
    32 |   store: {servers: 10, service_time: 5 ms, replication: {copies: 3, erasure: {data: 10, parity: 4}}, shards: {count: 8}}
       |                                                         ^ keep one of them
    ");
}

#[test]
fn a_queue_is_no_cache() {
    insta::assert_snapshot!(mishap("{cache: {capacity: 1 GB}}", "{cache: {capacity: 1 GB}, queue: {}}"), @"
    error: `tiers.cache` is a queue and a cache
      --> shop.yaml:31:10
       |
    31 |   cache: {cache: {capacity: 1 GB}, queue: {}}
       |          ^ make two tiers of it
    ");
}

#[test]
fn growth_by_an_unknown_action_gets_a_suggestion() {
    insta::assert_snapshot!(mishap("by: send", "by: sent"), @"
    error: datasets.parcel.growth.by: no action is named `sent`
     --> shop.yaml:9:18
      |
    9 |     growth: {by: sent, each: 1}
      |                  ^^^^ did you mean `send`?
    ");
}

#[test]
fn two_parts_with_one_name_are_told() {
    insta::assert_snapshot!(mishap("  maps: {external", "  parcel: {external"), @"
    error: a tier and a dataset are both named `parcel`
     --> shop.yaml:8:3
      |
    8 |   parcel:
      |   ^^^^^^ give each a name of its own: figures are told apart by it
    ");
}

#[test]
fn an_event_has_one_kind() {
    insta::assert_snapshot!(mishap("region_down: east", "region_down: east, flush: cache"), @"
    error: an event of 2 kinds: `region_down` and `flush`
      --> shop.yaml:35:5
       |
    35 |   - {at: 3:00, region_down: east, flush: cache}
       |     ^ make an event of each
    ");
}

#[test]
fn an_event_without_a_kind_gets_the_known_ones() {
    insta::assert_snapshot!(mishap("region_down: east", "for: 1 h"), @"
    error: an event that says not what happens
      --> shop.yaml:35:5
       |
    35 |   - {at: 3:00, for: 1 h}
       |     ^ add one of hot_release, flash_crowd, region_down, servers_down, flush, slow, cut, deploy
    ");
}

#[test]
fn the_only_region_stays() {
    insta::assert_snapshot!(mishap("[{name: east, share: 60 %}, {name: west, share: 40 %}]", "[{name: east, share: 100 %}]"), @"
    error: the only region is lost: nobody is left to serve
      --> shop.yaml:35:29
       |
    35 |   - {at: 3:00, region_down: east}
       |                             ^^^^ add a second region
    ");
}

#[test]
fn virtual_nodes_are_for_a_ring() {
    insta::assert_snapshot!(mishap("{count: 8}", "{count: 8, virtual_nodes: 64}"), @"
    error: `tiers.store.shards.virtual_nodes` is only for a consistent ring
      --> shop.yaml:32:104
       |
    32 | service_time: 5 ms, replication: {copies: 3}, shards: {count: 8, virtual_nodes: 64}}
       |                                                                                 ^^ add `by: consistent`, or drop it
    ");
}

#[test]
fn a_connection_lasts() {
    insta::assert_snapshot!(mishap("{lasts: 1 h, heartbeat: {every: 30 s}}", "{heartbeat: {every: 30 s}}"), @"
    error: `actions.report.connection.lasts` is missing
      --> shop.yaml:26:17
       |
    26 |     connection: {heartbeat: {every: 30 s}}
       |                 ^ add `lasts: 30 min`
    ");
}

#[test]
fn paths_in_paths_have_a_bound() {
    insta::assert_snapshot!(mishap("[web, [cache, store]]", "[web, {async: {async: {async: {async: {async: {async: {async: {async: {async: [store]}}}}}}}}}]"), @"
    error: `actions.track.path.parallel.async.async.async.async.async.async.async.async` is nested more than 8 deep
      --> shop.yaml:21:99
       |
    21 | parallel: [web, {async: {async: {async: {async: {async: {async: {async: {async: {async: [store]}}}}}}}}}], wait_for: 2}]
       |                                                                                 ^ call a tier that does the rest
    ");
}

#[test]
fn a_week_has_seven_days() {
    insta::assert_snapshot!(mishap("[1, 1, 1, 1, 1, 2, 2]", "[1, 1, 1, 1, 1, 2]"), @"
    error: `population.weekly` has 6 values
     --> shop.yaml:4:11
      |
    4 |   weekly: [1, 1, 1, 1, 1, 2]
      |           ^ give 7, Monday first, such as `[1, 1, 1, 1, 1.2, 1.4, 1.3]`
    ");
}

#[test]
fn every_0_s_is_no_rate() {
    insta::assert_snapshot!(mishap("every 4 s", "every 0 s"), @"
    error: actions.report.per_actor: `every 0 s` leaves no time between two
      --> shop.yaml:24:25
       |
    24 |     per_actor: {driver: every 0 s}
       |                         ^^^^^^^^^ write more than 0, such as `every 4 s`
    ");
}

#[test]
fn a_heartbeat_takes_time() {
    insta::assert_snapshot!(mishap("every: 30 s", "every: 0 s"), @"
    error: actions.report.connection.heartbeat.every is 0 s
      --> shop.yaml:26:49
       |
    26 |     connection: {lasts: 1 h, heartbeat: {every: 0 s}}
       |                                                 ^^^ expected more than 0, such as `30 s`
    ");
}

#[test]
fn somebody_else_s_service_has_no_servers_of_ours() {
    insta::assert_snapshot!(mishap("{latency: 80 ms}", "{latency: 80 ms}, servers: 3, service_time: 1 ms"), @"
    error: `tiers.maps` is somebody else's service and has servers
      --> shop.yaml:33:9
       |
    33 |   maps: {external: {latency: 80 ms}, servers: 3, service_time: 1 ms}
       |         ^ drop `servers` or `external`
    ");
}

#[test]
fn a_list_is_no_step() {
    insta::assert_snapshot!(mishap("[web, [cache, store]]", "[web, [cache, [store]]]"), @"
    error: `actions.track.path.parallel`: a list stands where a tier is expected
      --> shop.yaml:21:43
       |
    21 |     path: [gate, {parallel: [web, [cache, [store]]], wait_for: 2}]
       |                                           ^ name a tier, or say how: `{sequence: [..]}`, `{parallel: [..]}`
    ");
}

#[test]
fn a_step_without_a_tier_is_told_so() {
    insta::assert_snapshot!(mishap("[gate, web, jobs, store]", "[gate, {share: 5 %}, store]"), @"
    error: `actions.send.path.call` is missing
      --> shop.yaml:17:18
       |
    17 |     path: [gate, {share: 5 %}, store]
       |                  ^ add `call: web`
    ");
}

#[test]
fn a_mistyped_step_gets_a_suggestion() {
    insta::assert_snapshot!(mishap("{parallel: [web", "{paralel: [web"), @"
    error: unknown field `paralel` in `actions.track.path`
      --> shop.yaml:21:19
       |
    21 |     path: [gate, {paralel: [web, [cache, store]], wait_for: 2}]
       |                   ^^^^^^^ did you mean `parallel`?
    ");
}

#[test]
fn an_event_needs_what_it_is_about() {
    insta::assert_snapshot!(mishap("slow: {tier: web,", "slow: {tier: cache,"), @"
    error: events: `cache` has no servers
      --> shop.yaml:36:22
       |
    36 |   - {at: 4:00, slow: {tier: cache, factor: 3}}
       |                      ^ add `servers` to the tier
    ");
}

#[test]
fn an_actor_has_one_number() {
    insta::assert_snapshot!(mishap("{count: 10 K}", "{count: 10 K, share: 1 %}"), @"
    error: `population.actors.driver` has both `count` and `share`
     --> shop.yaml:6:20
      |
    6 |   actors: {driver: {count: 10 K, share: 1 %}}
      |                    ^ keep one of them
    ");
}

#[test]
fn a_path_that_waits_may_not_go_back() {
    insta::assert_snapshot!(mishap("[gate, web, jobs, store]", "[store, web, gate]"), @"
    error: the paths of the actions form a cycle: gate -> cache -> store -> web -> gate
      --> shop.yaml:14:5
       |
    14 |     per_user: 1/day
       |     ^ let all paths pass these tiers in one order
    ");
}

#[test]
fn no_calls_are_no_calls() {
    insta::assert_snapshot!(mishap("[web, [cache, store]]", "[{call: web, fan_out: 0}, [cache, store]]"), @"
    error: actions.track.path.parallel.fan_out: `0` is out of range
      --> shop.yaml:21:51
       |
    21 |     path: [gate, {parallel: [{call: web, fan_out: 0}, [cache, store]], wait_for: 2}]
       |                                                   ^ a number here is more than 0, such as `20`
    ");
}

#[test]
fn a_spread_gets_a_suggestion() {
    insta::assert_snapshot!(mishap("service_time: 20 ms", "service_time: 20 to 40 ms unifrom"), @"
    error: tiers.web.service_time: unknown spread `unifrom`
      --> shop.yaml:29:36
       |
    29 |   web: {servers: 10, service_time: 20 to 40 ms unifrom}
       |                                    ^^^^^^^^^^^^^^^^^^^ did you mean `uniform`?
    ");
}

#[test]
fn a_message_goes_one_way() {
    insta::assert_snapshot!(mishap("{to: jobs, size: 1 KB}", "{to: jobs, path: [jobs]}"), @"
    error: `actions.track.then` has both `to` and `path`
      --> shop.yaml:22:12
       |
    22 |     then: [{to: jobs, path: [jobs]}]
       |            ^ keep one of them
    ");
}

#[test]
fn a_wait_for_some_is_told_the_words() {
    insta::assert_snapshot!(mishap("wait_for: 2", "wait_for: some"), @"
    error: actions.track.path.wait_for is `some`
      --> shop.yaml:21:62
       |
    21 |     path: [gate, {parallel: [web, [cache, store]], wait_for: some}]
       |                                                              ^^^^ write `all`, `first` or a number of answers
    ");
}

#[test]
fn shards_are_counted() {
    insta::assert_snapshot!(mishap("{count: 8}", "many"), @"
    error: tiers.store.shards: `many` is not a whole number
      --> shop.yaml:32:78
       |
    32 |   store: {servers: 10, service_time: 5 ms, replication: {copies: 3}, shards: many}
       |                                                                              ^^^^ write a whole number from 1 to 10 M, such as `64`
    ");
}

#[test]
fn a_ratio_is_no_share() {
    insta::assert_snapshot!(mishap("{count: 10 K}", "{share: 130 %}"), @"
    error: population.actors.driver.share: `130 %` is out of range
     --> shop.yaml:6:28
      |
    6 |   actors: {driver: {share: 130 %}}
      |                            ^^^^^ a share here is at most 1 (100 %), such as `30 %`
    ");
}

#[test]
fn connections_need_a_number() {
    insta::assert_snapshot!(mishap("connections_max: 100 K", "connections_max: 100 GB"), @"
    error: tiers.gate.connections_max: unit doesn't fit: `100 GB` is a size, expected a count
      --> shop.yaml:28:60
       |
    28 |   gate: {servers: 10, service_time: 1 ms, connections_max: 100 GB, link: 10 Gbit/s}
       |                                                            ^^^^^^ write a count such as `100 M`
    ");
}
