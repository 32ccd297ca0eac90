//! `scenarios`: list, show, check; and what happens to a file that is none.

mod common;

use common::{edited, out_of, said};
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
    assert!(said.out.contains("second.yaml: valid"), "{said:?}");
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
