//! `scenarios`: list, show, check, new, schema; and what happens to a file that is none.

mod common;

use common::{edited, out_of, plimsoll, said};
use tempfile::TempDir;

#[test]
fn the_list_names_every_bundled_scenario_with_its_summary() {
    let list = out_of(&["scenarios", "list"]);
    assert!(list.lines().any(|line| line.starts_with("spotify ")), "{list}");
    for line in list.lines() {
        let (name, summary) = line.split_once(' ').unwrap();
        assert!(!summary.trim().is_empty(), "{line}");
        let checked = out_of(&["scenarios", "check", name]);
        assert!(checked.contains("valid"), "{checked}");
    }
}

#[test]
fn what_show_prints_is_a_valid_file_with_its_comments() {
    let directory = TempDir::new().unwrap();
    let shown = out_of(&["scenarios", "show", "spotify"]);
    assert!(shown.starts_with('#'), "{shown}");
    let path = directory.path().join("mine.yaml");
    std::fs::write(&path, &shown).unwrap();
    let path = path.to_str().unwrap();
    assert!(out_of(&["scenarios", "check", path]).contains("valid"));
    // The copy says the same as the bundled one, but for the name of the file.
    let copy = out_of(&["estimate", path]).replace(path, "spotify.yaml");
    assert_eq!(copy, out_of(&["estimate", "spotify"]));
}

#[test]
fn the_scenario_of_the_tests_is_valid() {
    let path = common::small();
    assert!(out_of(&["scenarios", "check", path.to_str().unwrap()]).contains("valid"));
}

#[test]
fn check_looks_at_every_file_and_ends_with_2_if_one_is_bad() {
    let directory = TempDir::new().unwrap();
    let good = std::fs::read_to_string(common::small()).unwrap();
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let first = write("first.yaml", &edited(&good, &[("size: 1 MB", "size: 1")]));
    let second = write("second.yaml", &good);
    let third = write("third.yaml", &edited(&good, &[("rtt: 5 ms", "rtt: 5 mm")]));
    let said = said(&["scenarios", "check", &first, &second, &third]);
    assert_eq!(said.code, Some(2));
    let line = said.out.replace(&second, "second.yaml");
    insta::assert_snapshot!(line, @"second.yaml: valid · small · 2 actions, 2 datasets, 9 tiers, 2 claims");
    assert!(said.err.contains("first.yaml:") && said.err.contains("third.yaml:"), "{said:?}");
}

#[test]
fn a_name_that_is_nearly_right_is_suggested_and_ends_with_2() {
    for args in [
        &["estimate", "spotfy"][..],
        &["simulate", "Spotify"],
        &["run", "spotifyy"],
        &["stack", "spotif"],
        &["load", "sptoify"],
        &["scenarios", "show", "spotfy"],
        &["scenarios", "check", "spotfy"],
    ] {
        let said = said(args);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
        assert!(said.err.contains("did you mean `spotify`?"), "{args:?}: {}", said.err);
    }
}

#[test]
fn a_name_that_is_like_none_gets_the_way_to_the_list() {
    let said = said(&["estimate", "frobnicate"]);
    assert_eq!(said.code, Some(2));
    insta::assert_snapshot!(said.err, @"
    error: no bundled scenario is named `frobnicate`, and no file is there
    hint: `plimsoll scenarios list` shows the bundled ones; a file is given by its path
    ");
}

#[test]
fn a_scenario_name_cannot_lead_out_of_the_results() {
    let directory = TempDir::new().unwrap();
    for name in ["../escape", "a/b", "..", "/escape", "\"\"", "\"a\\nb\""] {
        let path = common::small_with(directory.path(), &[("name: small", &format!("name: {name}"))]);
        let said = said(&["scenarios", "check", path.to_str().unwrap()]);
        assert_eq!(said.code, Some(2), "`{name}` is taken as a name: {said:?}");
    }
}

/// Runs a command in a directory, and gives its exit code, stdout and stderr.
fn said_in(directory: &TempDir, args: &[&str]) -> (Option<i32>, String, String) {
    let output = plimsoll().current_dir(directory).args(args).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn check_tells_programs_the_place_of_each_problem() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("good.yaml"), common::shop::SHOP).unwrap();
    std::fs::write(directory.path().join("bad.yaml"), edited(common::shop::SHOP, &[("1 GB", "1")])).unwrap();
    let args = ["scenarios", "check", "good.yaml", "bad.yaml", "none.yaml", "--format", "json"];
    let (code, out, err) = said_in(&directory, &args);
    assert_eq!((code, err.as_str()), (Some(2), ""));
    insta::assert_snapshot!(out);
}

#[test]
fn check_puts_settings_in_before_it_looks() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("shop.yaml"), common::shop::SHOP).unwrap();
    let args = ["scenarios", "check", "shop.yaml", "--set", "tiers.web.servers=0"];
    let (code, _, err) = said_in(&directory, &args);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("--> --set:1:19"), "{err}");
}

#[test]
fn a_setting_that_leads_nowhere_is_told_the_whole_path_that_was_meant() {
    let said = said(&["estimate", "spotify", "--set", "population.user=2e9"]);
    assert_eq!(said.code, Some(2));
    insta::assert_snapshot!(said.err, @"
    error: `population` has no `user`
     --> --set:1:12
      |
    1 | population.user=2e9
      |            ^^^^ did you mean `population.users`?
    ");
}

#[test]
fn what_a_file_came_to_names_the_place_of_what_is_from_elsewhere() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("base.yaml"), common::shop::SHOP).unwrap();
    let what_if = "extends: base.yaml\nname: what-if\npopulation:\n  users: 2 M\n";
    std::fs::write(directory.path().join("what-if.yaml"), what_if).unwrap();
    let args = ["scenarios", "show", "what-if.yaml", "--resolved", "--set", "tiers.web.servers=20"];
    let (code, out, err) = said_in(&directory, &args);
    assert_eq!((code, err.as_str()), (Some(0), ""));
    insta::assert_snapshot!(out);
    // What is printed stands by itself and comes to the same.
    std::fs::write(directory.path().join("alone.yaml"), &out).unwrap();
    let (code, alone, _) = said_in(&directory, &["scenarios", "show", "alone.yaml", "--resolved"]);
    assert_eq!(code, Some(0));
    let plain =
        |text: &str| text.lines().map(|l| l.split("  #").next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(plain(&alone), plain(&out));
}

#[test]
fn what_a_bad_file_came_to_is_shown_with_its_problems() {
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join("bad.yaml"), "extends: spotify\npopulation: {users: many}\n")
        .unwrap();
    let (code, out, err) = said_in(&directory, &["scenarios", "show", "bad.yaml", "--resolved"]);
    assert_eq!(code, Some(2));
    assert!(out.contains("users: many\n") && err.contains("bad.yaml:2:21"), "{out}{err}");
}

#[test]
fn a_new_scenario_is_valid_and_overwrites_nothing() {
    let directory = TempDir::new().unwrap();
    let (code, out, err) = said_in(&directory, &["scenarios", "new", "mine"]);
    assert_eq!((code, out.as_str()), (Some(0), ""));
    insta::assert_snapshot!(err, @"
    wrote mine.yaml
    next: change its figures, then `plimsoll estimate mine.yaml`
    ");
    let (code, out, _) = said_in(&directory, &["scenarios", "check", "mine.yaml"]);
    assert_eq!(code, Some(0));
    assert!(out.starts_with("mine.yaml: valid · mine · 2 actions"), "{out}");
    let (code, _, err) = said_in(&directory, &["scenarios", "new", "mine"]);
    assert_eq!(code, Some(2));
    insta::assert_snapshot!(err, @"
    error: mine.yaml is there already
    hint: choose another place with `--output FILE`
    ");
    let (code, _, _) =
        said_in(&directory, &["scenarios", "new", "mine", "--output", "other.yaml", "--quiet"]);
    assert_eq!(code, Some(0));
    let (code, out, _) = said_in(&directory, &["scenarios", "new", "mine", "-o", "-"]);
    assert_eq!(code, Some(0));
    assert_eq!(out, std::fs::read_to_string(directory.path().join("other.yaml")).unwrap());
    assert_eq!(common::names(directory.path()), ["mine.yaml", "other.yaml"]);
}

#[test]
fn a_new_scenario_needs_a_good_name_and_a_place() {
    let directory = TempDir::new().unwrap();
    for (args, says) in [
        (&["scenarios", "new", "../mine"][..], "can't name a scenario"),
        (&["scenarios", "new", "mine", "-o", "none/mine.yaml"], "cannot write none/mine.yaml"),
    ] {
        let (code, _, err) = said_in(&directory, args);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(says) && err.contains("hint: "), "{err}");
    }
    assert!(common::names(directory.path()).is_empty());
}

#[test]
fn the_schema_is_that_of_the_repository() {
    let kept = std::fs::read_to_string(common::repository("scenarios/scenario.schema.json")).unwrap();
    assert_eq!(out_of(&["scenarios", "schema"]), kept);
}
