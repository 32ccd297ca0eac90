//! What holds of every message about a file: one for each mistake, brief, in the words of plimsoll.

mod common;

use common::edited;
use common::shop::{SHOP, checked, mistake, told};
use tempfile::TempDir;

#[test]
fn one_mistake_is_told_once() {
    // What follows from a mistake is none of the user's: it would send them to the wrong place.
    for (from, to) in [
        ("size: 20 KB", "size: 20"),
        ("zipf: 0.9", "zipf: 12"),
        ("of: page", "of: pages"),
        ("servers: 10", "servers: 0"),
        ("capacity: 1 GB", "capacty: 1 GB"),
        ("per_user: 5/day", "per_usr: 5/day"),
        ("[edge, web, store]", "[edge, web, store, web]"),
    ] {
        let said = mistake(from, to);
        assert_eq!(said.matches("error: ").count(), 1, "{to}: {said}");
    }
}

#[test]
fn a_cycle_is_shown_whole_and_with_nothing_else() {
    // view: edge -> web -> store; order: web -> edge. `store` is on no cycle.
    let said = mistake("path: [web, store]", "of: page, path: [web, edge]");
    assert!(!said.contains("cycle") || said.contains("edge -> web -> edge"), "{said}");
    assert!(said.contains("from `web` out to `edge`"), "{said}");
}

#[test]
fn many_mistakes_are_cut_short() {
    let hours = vec!["-1"; 24].join(", ");
    let said = mistake("{peak_to_mean: 2.0, peak_at: 19:00}", &format!("{{hourly: [{hours}]}}"));
    assert!(said.lines().count() < 150, "{} lines", said.lines().count());
    assert!(!said.contains("has 24 values"), "24 is what is wanted: {said}");
}

#[test]
fn messages_name_nothing_of_the_libraries_inside() {
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
    for i in 1..12 {
        let refs = vec![format!("*a{}", i - 1); 9].join(",");
        bomb += &format!("a{i}: &a{i} [{refs}]\n");
    }
    let deep = format!("a: {}{}", "[".repeat(5000), "]".repeat(5000));
    let twice = edited(SHOP, &[("summary: a shop", "name: b")]);
    let two = format!("{SHOP}---\n{SHOP}");
    for text in [bomb, deep, twice, two] {
        let said = told(text);
        for inner in ["Policy", "Options", "from_str", "Budget", "budget", "Nodes {"] {
            assert!(!said.contains(inner), "{inner}: {said}");
        }
        assert!(said.len() < 2000, "{} bytes", said.len());
    }
}

#[test]
fn every_message_has_a_next_step() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path().to_str().unwrap().to_owned();
    let not_text = told(b"name: caf\xe9\n");
    let no_file = common::said(&["estimate", &directory]);
    assert_eq!(no_file.code, Some(2));
    for said in [not_text, no_file.err] {
        assert!(said.contains("hint: "), "{said}");
    }
    for (from, to) in [("servers: 10", "servers: 2.5"), ("users: 1 M", "users: [1, 2]")] {
        let said = mistake(from, to);
        let caret = said.lines().find(|line| line.contains('^')).unwrap();
        assert!(!caret.trim_end().ends_with('^'), "nothing behind the caret: {said}");
    }
}

#[test]
fn windows_line_ends_and_a_byte_order_mark_are_fine() {
    assert_eq!(checked(SHOP.replace('\n', "\r\n")).code, Some(0));
    assert_eq!(checked(format!("\u{feff}{SHOP}")).code, Some(0));
}
