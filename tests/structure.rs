//! What holds of the repository as a whole: who depends on whom, and what no file may say.

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use common::{out_of, repository};

/// Packages of ours that a manifest names under `[dependencies]` (and `[dev-dependencies]`, if wanted).
fn ours(manifest: &str, with_dev: bool) -> BTreeSet<String> {
    let text = std::fs::read_to_string(repository(manifest)).unwrap();
    let mut found = BTreeSet::new();
    let mut counts = false;
    for line in text.lines() {
        if line.starts_with('[') {
            counts = line == "[dependencies]" || (with_dev && line == "[dev-dependencies]");
        } else if counts && let Some(name) = line.split(['.', '=', ' ']).next() {
            found.extend(name.strip_prefix("plimsoll-").map(str::to_owned));
        }
    }
    found
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn dependence_goes_one_way() {
    let allowed = [
        ("scenarios/Cargo.toml", set(&[])),
        ("reports/Cargo.toml", set(&["scenarios"])),
        ("sim/Cargo.toml", set(&["scenarios", "reports"])),
        ("loadgen/Cargo.toml", set(&["scenarios", "reports"])),
        ("reference-stack/Cargo.toml", set(&["scenarios"])),
    ];
    for (manifest, allowed) in allowed {
        let found = ours(manifest, true);
        assert!(found.is_subset(&allowed), "{manifest} depends on {found:?}, allowed {allowed:?}");
    }
    assert_eq!(ours("Cargo.toml", false), set(&["scenarios", "reports", "sim", "loadgen", "stack"]));
}

#[test]
fn every_member_of_the_workspace_is_a_default_member() {
    let root = std::fs::read_to_string(repository("Cargo.toml")).unwrap();
    let line = |name: &str| {
        let line = root.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches([' ', '=']).to_owned()
    };
    assert_eq!(line("members "), line("default-members "));
    for member in ["scenarios", "sim", "loadgen", "reference-stack", "reports"] {
        assert!(line("members ").contains(&format!("\"{member}\"")), "{member}");
    }
}

#[test]
fn cargo_run_means_the_program() {
    // The other programs of default members would make `cargo run` ask which one is meant.
    let metadata = std::process::Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline", "--locked"])
        .current_dir(repository("."))
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let named: Vec<&str> = packages.iter().filter_map(|package| package["default_run"].as_str()).collect();
    assert_eq!(named, ["plimsoll"]);
}

/// Files that belong to the repository: all but what is built and what runs have written.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![repository("")];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                let skipped = ["target", "plimsoll-out", ".git"].contains(&name.as_str());
                waiting.extend((!skipped).then_some(path));
            } else {
                found.push(path);
            }
        }
    }
    assert!((50..10_000).contains(&found.len()), "{} files", found.len());
    found
}

/// The texts among them.
fn texts() -> impl Iterator<Item = (PathBuf, String)> {
    files().into_iter().filter_map(|path| std::fs::read_to_string(&path).ok().map(|text| (path, text)))
}

#[test]
fn no_file_names_a_path_of_somebody_s_machine() {
    // In two parts, so that this file is no find of its own.
    let prefixes =
        [["/wo", "rk/"], ["/ro", "ot/"], ["/ho", "me/"], ["/Us", "ers/"]].map(|parts| parts.concat());
    for (path, text) in texts() {
        for prefix in &prefixes {
            assert!(!text.contains(prefix.as_str()), "{} names {prefix}", path.display());
        }
    }
}

/// Where the sources of the crates are; unit tests in files of their own don't count.
const SOURCES: [&str; 6] =
    ["src", "scenarios/src", "reports/src", "sim/src", "loadgen/src", "reference-stack/src"];

fn sources() -> impl Iterator<Item = (PathBuf, String)> {
    let roots = SOURCES.map(repository);
    texts().filter(move |(path, _)| {
        path.extension().is_some_and(|extension| extension == "rs")
            && roots.iter().any(|root| path.starts_with(root))
            && !path
                .components()
                .any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name))
    })
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    for (path, text) in sources() {
        assert!(text.starts_with("//!"), "{} has no words at its top", path.display());
    }
}

#[test]
fn no_source_panics_outside_its_tests() {
    for (path, text) in sources() {
        let code =
            text.split("#[cfg(test)]").next().and_then(|t| t.split("#[cfg(all(test").next()).unwrap_or("");
        for (number, line) in code.lines().enumerate() {
            let line = line.split("//").next().unwrap_or("");
            for bad in [".unwrap()", "panic!(", "todo!(", "unimplemented!(", "dbg!("] {
                assert!(!line.contains(bad), "{}:{}: {bad}", path.display(), number + 1);
            }
        }
    }
}

/// Words after `plimsoll` in the code of a Markdown text.
fn commands_in(markdown: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut fenced = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let code: Vec<&str> = if fenced { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
        for text in code {
            let words: Vec<&str> = text.split_whitespace().collect();
            for pair in words.windows(2) {
                let plain = pair[1].chars().all(|c| c.is_ascii_lowercase() || c == '-');
                if ["plimsoll", "run", "--"].contains(&pair[0]) && plain && is_call(&words, pair[0]) {
                    found.insert(pair[1].to_owned());
                }
            }
        }
    }
    found
}

/// Whether the word before a command makes it one of ours: `plimsoll X` or `cargo run ... -- X`.
fn is_call(words: &[&str], before: &str) -> bool {
    match before {
        "plimsoll" => words.first() == Some(&"plimsoll") || words.starts_with(&["$", "plimsoll"]),
        "--" => words.starts_with(&["cargo", "run"]) || words.starts_with(&["$", "cargo", "run"]),
        _ => false,
    }
}

#[test]
fn commands_are_found_in_code_only() {
    let text =
        "We say plimsoll nothing.\n`plimsoll run spotify`\n```\n$ cargo run --release -- load x\n```\n";
    assert_eq!(commands_in(text), set(&["run", "load"]));
}

#[test]
fn the_commands_of_the_readme_exist() {
    let path = repository("README.md");
    // Until the first README is there, nothing can be wrong with it.
    if !Path::new(&path).exists() {
        return;
    }
    let readme = std::fs::read_to_string(path).unwrap();
    for command in ["cargo run --release -- run spotify", "cargo test"] {
        assert!(readme.contains(command), "{command}");
    }
    let help = out_of(&["--help"]);
    for command in commands_in(&readme).iter().filter(|command| !command.starts_with('-')) {
        assert!(help.contains(&format!("\n  {command} ")), "the README says `plimsoll {command}`");
    }
}
