//! What a user is told of a mistake in a file: cause, place and next step. Each message was read aloud.

mod common;

use common::shop::{SHOP, assert_says, checked, mistake, told};
use common::{edited, plimsoll};
use tempfile::TempDir;

#[test]
fn the_scenario_without_a_mistake_is_valid() {
    assert_eq!(checked(SHOP).code, Some(0), "{:?}", checked(SHOP));
}

#[test]
fn malformed_yaml_has_a_place() {
    insta::assert_snapshot!(mistake("{zipf: 0.9}", "{zipf: 0.9"), @"
    error: not valid YAML: a map in `{}` lacks a `,` or its `}`
      --> shop.yaml:11:1
       |
    11 | actions:
       | ^ mend the syntax here or just before
    ");
}

#[test]
fn a_field_twice_is_a_mistake() {
    assert_says(&mistake("summary: a shop", "name: b"), &["shop.yaml:2:1", "name"]);
}

#[test]
fn a_size_is_no_link_speed() {
    insta::assert_snapshot!(mistake("link: 100 Gbit/s", "link: 100 GB"), @"
    error: tiers.edge.link: unit doesn't fit: `100 GB` is a size, expected a bandwidth
      --> shop.yaml:15:27
       |
    15 |   edge: {per: site, link: 100 GB, cache: {capacity: 1 GB, policy: lru}, servers: 2, service_time: 1 ms}
       |                           ^^^^^^ write `100 Gbit/s` (or `12.5 GB/s`)
    ");
}

#[test]
fn a_unit_is_asked_for() {
    insta::assert_snapshot!(mistake("capacity: 1 GB", "capacity: 1"), @"
    error: tiers.edge.cache.capacity: `1` has no unit
      --> shop.yaml:15:57
       |
    15 |   edge: {per: site, link: 100 Gbit/s, cache: {capacity: 1, policy: lru}, servers: 2, service_time: 1 ms}
       |                                                         ^ a size needs one, such as `5 MB`
    ");
}

#[test]
fn an_unknown_unit_is_named() {
    insta::assert_snapshot!(mistake("capacity: 1 GB", "capacity: 1 gigs"), @"
    error: tiers.edge.cache.capacity: unknown unit `gigs` in `1 gigs`
      --> shop.yaml:15:57
       |
    15 |   edge: {per: site, link: 100 Gbit/s, cache: {capacity: 1 gigs, policy: lru}, servers: 2, service_time: 1 ms}
       |                                                         ^^^^^^ write a size such as `5 MB`; units: B, KB, MB, GB, TB, PB, EB, KiB, MiB, GiB, TiB, PiB, EiB
    ");
}

#[test]
fn a_size_of_zero_is_refused() {
    insta::assert_snapshot!(mistake("capacity: 1 GB", "capacity: 0 GB"), @"
    error: tiers.edge.cache.capacity: `0 GB` is out of range
      --> shop.yaml:15:57
       |
    15 |   edge: {per: site, link: 100 Gbit/s, cache: {capacity: 0 GB, policy: lru}, servers: 2, service_time: 1 ms}
       |                                                         ^^^^ a size here is more than 0, such as `5 MB`
    ");
}

#[test]
fn a_negative_size_is_refused() {
    insta::assert_snapshot!(mistake("capacity: 1 GB", "capacity: -1 GB"), @"
    error: tiers.edge.cache.capacity: `-1 GB` is out of range
      --> shop.yaml:15:57
       |
    15 |   edge: {per: site, link: 100 Gbit/s, cache: {capacity: -1 GB, policy: lru}, servers: 2, service_time: 1 ms}
       |                                                         ^^^^^ a size here is more than 0, such as `5 MB`
    ");
}

#[test]
fn an_unknown_field_gets_a_suggestion() {
    insta::assert_snapshot!(mistake("summary: a", "sumary: a"), @"
    error: unknown field `sumary`
     --> shop.yaml:2:1
      |
    2 | sumary: a shop
      | ^^^^^^ did you mean `summary`?
    ");
}

#[test]
fn an_unknown_field_gets_the_known_ones() {
    insta::assert_snapshot!(mistake("summary: a", "colour: a"), @"
    error: unknown field `colour`
     --> shop.yaml:2:1
      |
    2 | colour: a shop
      | ^^^^^^ known here: name, summary, population, datasets, actions, tiers, slos, claims, events, load, extends
    ");
}

#[test]
fn a_missing_field_gets_an_example() {
    insta::assert_snapshot!(mistake("users: 1 M", "active: 50 %"), @"
    error: `population.users` is missing
     --> shop.yaml:4:3
      |
    4 |   active: 50 %
      |   ^ add `users: 100 M`
    ");
}

#[test]
fn an_unknown_tier_in_a_path_gets_a_suggestion() {
    insta::assert_snapshot!(mistake("[edge, web, store]", "[edge, wbe, store]"), @"
    error: actions.view.path: no tier is named `wbe`
      --> shop.yaml:12:50
       |
    12 |   view: {per_user: 5/day, of: page, path: [edge, wbe, store]}
       |                                                  ^^^ did you mean `web`?
    ");
}

#[test]
fn an_unknown_tier_in_a_path_gets_the_known_ones() {
    insta::assert_snapshot!(mistake("[edge, web, store]", "[edge, mainframe, store]"), @"
    error: actions.view.path: no tier is named `mainframe`
      --> shop.yaml:12:50
       |
    12 |   view: {per_user: 5/day, of: page, path: [edge, mainframe, store]}
       |                                                  ^^^^^^^^^ known: edge, web, store
    ");
}

#[test]
fn a_tier_twice_in_a_path_is_a_cycle() {
    assert_says(
        &mistake("[edge, web, store]", "[edge, web, store, web]"),
        &["`actions.view.path` comes back to `web`", "shop.yaml:12:62"],
    );
}

#[test]
fn a_cycle_over_two_actions_is_shown() {
    insta::assert_snapshot!(mistake("path: [web, store]", "path: [store, web]"), @"
    error: the paths of the actions form a cycle: web -> store -> web
      --> shop.yaml:12:9
       |
    12 |   view: {per_user: 5/day, of: page, path: [edge, web, store]}
       |         ^ let all paths pass these tiers in one order
    ");
}

#[test]
fn a_path_that_goes_outward_is_told_the_order() {
    insta::assert_snapshot!(mistake("[edge, web, store]", "[web, edge, store]"), @"
    error: actions.view.path goes from `web` out to `edge`
      --> shop.yaml:12:9
       |
    12 |   view: {per_user: 5/day, of: page, path: [web, edge, store]}
       |         ^ order a path from user to site to region to global
    ");
}

#[test]
fn an_unknown_dataset_gets_a_suggestion() {
    assert_says(&mistake("of: page", "of: pages"), &["no dataset is named `pages`", "did you mean `page`?"]);
}

#[test]
fn shares_that_do_not_add_up_are_added_up() {
    insta::assert_snapshot!(mistake("share: 40 %", "share: 30 %"), @"
    error: the shares of the regions add up to 90.0000 %
     --> shop.yaml:6:5
      |
    6 |     - {name: east, share: 60 %, utc_offset: +1 h}
      |     ^ make them add up to 100 %
    ");
}

#[test]
fn a_bad_time_of_day_gets_an_example() {
    insta::assert_snapshot!(mistake("19:00", "25:00"), @"
    error: peak_at: `25:00` is no time of day
     --> shop.yaml:8:41
      |
    8 |   diurnal: {peak_to_mean: 2.0, peak_at: 25:00}
      |                                         ^^^^^ write hours and minutes, such as `19:00`
    ");
}

#[test]
fn a_bad_offset_gets_an_example() {
    insta::assert_snapshot!(mistake("+1 h", "+25 h"), @"
    error: population.regions[0].utc_offset: `+25 h` is no offset from UTC
     --> shop.yaml:6:45
      |
    6 |     - {name: east, share: 60 %, utc_offset: +25 h}
      |                                             ^^^^^ write hours between -12 and +14, such as `+1 h`
    ");
}

#[test]
fn a_range_has_its_low_end_first() {
    insta::assert_snapshot!(mistake("5/day", "6 to 3/day"), @"
    error: actions.view.per_user: `6 to 3/day` is no range: the low end must be above 0 and below the high end
      --> shop.yaml:12:20
       |
    12 |   view: {per_user: 6 to 3/day, of: page, path: [edge, web, store]}
       |                    ^^^^^^^^^^ write the lower end first, such as `20 to 40`
    ");
}

#[test]
fn a_target_without_a_percentile_is_refused() {
    insta::assert_snapshot!(mistake("p99 < 250 ms", "< 250 ms"), @"
    error: slos: `view.first_byte` needs a percentile, such as `p99`
      --> shop.yaml:18:8
       |
    18 | slos: [view.first_byte < 250 ms]
       |        ^^^^^^^^^^^^^^^^^^^^^^^^ write `ACTION.first_byte p99 < 250 ms`, `TIER.hit_ratio > 85 %`, `TIER.utilisation < 80 %` or `availability > 99.9 %`
    ");
}

#[test]
fn a_target_on_an_unknown_series_is_refused() {
    insta::assert_snapshot!(mistake("view.first_byte p99 < 250 ms", "view.latency p99 < 250 ms"), @"
    error: slos: unknown series `latency`
      --> shop.yaml:18:8
       |
    18 | slos: [view.latency p99 < 250 ms]
       |        ^^^^^^^^^^^^^^^^^^^^^^^^^ write `ACTION.first_byte p99 < 250 ms`, `TIER.hit_ratio > 85 %`, `TIER.utilisation < 80 %` or `availability > 99.9 %`
    ");
}

#[test]
fn a_target_on_an_unknown_action_gets_a_suggestion() {
    insta::assert_snapshot!(mistake("view.first_byte", "veiw.first_byte"), @"
    error: slos: no action is named `veiw`
      --> shop.yaml:18:8
       |
    18 | slos: [veiw.first_byte p99 < 250 ms]
       |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean `view`?
    ");
}

#[test]
fn a_hit_ratio_needs_a_cache() {
    insta::assert_snapshot!(mistake("view.first_byte p99 < 250 ms", "web.hit_ratio > 80 %"), @"
    error: slos: `web` has no cache
      --> shop.yaml:18:8
       |
    18 | slos: [web.hit_ratio > 80 %]
       |        ^^^^^^^^^^^^^^^^^^^^ add `cache` to the tier, or drop the target
    ");
}

#[test]
fn a_claim_on_an_unknown_quantity_is_refused() {
    insta::assert_snapshot!(mistake("page.storage", "page.weight"), @"
    error: claims: no quantity is named `page.weight`
      --> shop.yaml:19:17
       |
    19 | claims: [{what: page.weight, is: 20 GB}]
       |                 ^^^^^^^^^^^ write `DATASET.storage` or `ACTION.rate`
    ");
}

#[test]
fn a_claim_in_the_wrong_unit_is_refused() {
    insta::assert_snapshot!(mistake("is: 20 GB", "is: 20 K/s"), @"
    error: claims.is: unit doesn't fit: `20 K/s` is a rate, expected a size
      --> shop.yaml:19:35
       |
    19 | claims: [{what: page.storage, is: 20 K/s}]
       |                                   ^^^^^^ write a size such as `5 MB`
    ");
}

#[test]
fn no_servers_are_no_tier() {
    assert_says(&mistake("servers: 10", "servers: 0"), &["tiers.web.servers", "shop.yaml:16:31"]);
}

#[test]
fn half_a_server_is_refused() {
    assert_says(&mistake("servers: 10", "servers: 2.5"), &["tiers.web.servers is 2.5", "whole number"]);
}

#[test]
fn an_unknown_policy_gets_the_known_ones() {
    insta::assert_snapshot!(mistake("policy: lru", "policy: mru"), @"
    error: tiers.edge.cache.policy: unknown value `mru`
      --> shop.yaml:15:71
       |
    15 |   edge: {per: site, link: 100 Gbit/s, cache: {capacity: 1 GB, policy: mru}, servers: 2, service_time: 1 ms}
       |                                                                       ^^^ did you mean `lru`?
    ");
}

#[test]
fn an_unknown_popularity_gets_the_known_ones() {
    assert_says(&mistake("popularity: {zipf: 0.9}", "popularity: pareto"), &["`pareto`", "zipf", "uniform"]);
}

#[test]
fn a_scale_above_one_is_refused() {
    insta::assert_snapshot!(mistake("objects: 1/1000", "objects: 2"), @"
    error: load.scale.objects: `2` is out of range
      --> shop.yaml:20:40
       |
    20 | load: {scale: {users: 1/1000, objects: 2}}
       |                                        ^ a share here is at most 1 (100 %), such as `1/1000`
    ");
}

#[test]
fn a_scale_for_everything_gets_an_example() {
    assert_says(&mistake("{users: 1/1000, objects: 1/1000}", "1/1000"), &["load.scale", "{users: 1/1000"]);
}

#[test]
fn an_empty_file_is_told_what_to_hold() {
    assert_says(&told(""), &["empty", "scenario"]);
}

#[test]
fn a_file_that_is_a_list_is_told_what_to_hold() {
    assert_says(&told("- a\n- b\n"), &["list", "scenario"]);
}

#[test]
fn a_file_that_is_no_text_is_told_so() {
    assert_says(&told(b"name: caf\xe9\n"), &["shop.yaml", "UTF-8"]);
}

#[test]
fn two_documents_are_one_too_many() {
    assert_says(&told(format!("{SHOP}---\n{SHOP}")), &["document", "shop.yaml:22:1"]);
}

#[test]
fn deep_nesting_is_refused() {
    insta::assert_snapshot!(told(format!("a: {}{}\n", "[".repeat(40), "]".repeat(40))), @"
    error: nested deeper than 24 levels
     --> shop.yaml:1:27
      |
    1 | a: [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]
      |                           ^ flatten it
    ");
}

#[test]
fn a_directory_is_no_file() {
    let directory = TempDir::new().unwrap();
    std::fs::create_dir(directory.path().join("shop.yaml")).unwrap();
    let output = plimsoll().current_dir(&directory).args(["estimate", "shop.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_says(&String::from_utf8(output.stderr).unwrap(), &["shop.yaml", "directory"]);
}

#[test]
fn all_mistakes_are_told_at_once_in_order_of_place() {
    let text = edited(
        SHOP,
        &[
            ("19:00", "19"),
            ("path: [web, store]", "path: [web, stor]"),
            ("100 Gbit/s", "100 GB"),
            ("policy: lru", "policy: lruu"),
        ],
    );
    insta::assert_snapshot!(told(text), @"
    error: peak_at: `19` is no time of day
     --> shop.yaml:8:41
      |
    8 |   diurnal: {peak_to_mean: 2.0, peak_at: 19}
      |                                         ^^ write hours and minutes, such as `19:00`

    error: actions.order.path: no tier is named `stor`
      --> shop.yaml:13:40
       |
    13 |   order: {per_user: 1/day, path: [web, stor]}
       |                                        ^^^^ did you mean `store`?

    error: tiers.edge.link: unit doesn't fit: `100 GB` is a size, expected a bandwidth
      --> shop.yaml:15:27
       |
    15 |   edge: {per: site, link: 100 GB, cache: {capacity: 1 GB, policy: lruu}, servers: 2, service_time: 1 ms}
       |                           ^^^^^^ write `100 Gbit/s` (or `12.5 GB/s`)

    error: tiers.edge.cache.policy: unknown value `lruu`
      --> shop.yaml:15:67
       |
    15 |   edge: {per: site, link: 100 GB, cache: {capacity: 1 GB, policy: lruu}, servers: 2, service_time: 1 ms}
       |                                                                   ^^^^ did you mean `lru`?

    4 problems in shop.yaml
    ");
}

#[test]
fn a_request_has_one_method_and_expects_what_can_be() {
    let http = |text: &str| mistake("path: [web, store]}", &format!("path: [web, store], http: {text}}}"));
    assert_says(&http("{get: /a, put: /a}"), &["has `get` and `put`, and one request has one method"]);
    assert_says(&http("{body: x}"), &["needs a method: get, head, post, put, patch, delete"]);
    assert_says(&http("{get: /a, headers: {'a b': c}}"), &["`a b` is no name of a header field"]);
    assert_says(&http("{get: /a, expect: {status: 99}}"), &["expect.status", "100"]);
    assert_says(&http("{get: /a, expect: {sha256: abc}}"), &["is no SHA-256", "64 hexadecimal digits"]);
    assert_says(&http("{get: /a, expect: {contains: ''}}"), &["expect.contains`", "is empty"]);
    assert_says(&http("{get: a}"), &["does not start with `/`"]);
}
