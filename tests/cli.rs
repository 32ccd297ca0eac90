//! The command line as a user meets it: help, exit codes, and a stdout that may go away.

mod common;

use std::process::{Command, Stdio};

use common::{PROGRAM, out_of, plimsoll, repository, said};

/// The subcommands that a help text lists.
fn listed(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        // A long description goes on in a line that is indented further.
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Every command, parents first: `run`, ..., `scenarios`, `scenarios list`, ...
fn commands() -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for command in listed(&out_of(&["--help"])) {
        let children = listed(&out_of(&[&command, "--help"]));
        all.push(vec![command.clone()]);
        all.extend(children.into_iter().map(|child| vec![command.clone(), child]));
    }
    all
}

fn help_of(command: &[String]) -> String {
    let mut args: Vec<&str> = command.iter().map(String::as_str).collect();
    args.push("--help");
    out_of(&args)
}

#[test]
fn every_command_has_an_example_in_its_help() {
    let top: Vec<_> = commands().into_iter().filter(|command| command.len() == 1).collect();
    assert!(top.len() >= 9, "{top:?}");
    for command in top {
        let help = help_of(&command);
        let example = format!("\n  plimsoll {}", command[0]);
        assert!(help.contains("Examples:") && help.contains(&example), "{command:?}: {help}");
    }
}

#[test]
fn the_examples_of_the_help_are_valid_command_lines() {
    for command in commands() {
        for example in help_of(&command).lines().filter(|line| line.starts_with("  plimsoll ")) {
            let words = words(example);
            let words: Vec<&str> =
                words.iter().skip(1).map(String::as_str).take_while(|word| *word != ">").collect();
            // With `--help` at its end a line is parsed up to there, and nothing is run.
            let said = said(&[&words[..], &["--help"]].concat());
            assert_eq!(said.code, Some(0), "{example}: {}", said.err);
        }
    }
}

/// The words of a command line as a shell takes them; single quotes are all that the examples use.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    for (number, part) in line.split('\'').enumerate() {
        if number % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn the_reference_of_all_commands_is_as_reviewed() {
    let mut reference = format!("$ plimsoll --help\n{}", out_of(&["--help"]));
    for command in commands() {
        reference += &format!("\n$ plimsoll {} --help\n{}", command.join(" "), help_of(&command));
    }
    insta::assert_snapshot!("reference", reference);
}

#[test]
fn the_help_documents_the_exit_codes() {
    let help = out_of(&["--help"]);
    for code in ["0 success", "1 failure", "2 usage", "3 SLO", "130 Ctrl-C"] {
        assert!(help.contains(code), "{code}: {help}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(out_of(&["--version"]), format!("plimsoll {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_command_line_that_is_wrong_ends_with_2_and_says_so_on_stderr() {
    for args in [
        &["frobnicate"][..],
        &["estimate"],
        &["estimate", "spotify", "--format", "xml"],
        &["estimate", "spotify", "--frobnicate"],
        &["simulate", "spotify", "--threads", "0"],
        &["simulate", "spotify", "--replications", "0"],
        &["simulate", "spotify", "--seed", "-1"],
        &["stack", "spotify", "--port", "70000"],
        &["load", "spotify", "--header", "x-api-key: 1"],
        &["scenarios", "check"],
        &[],
    ] {
        let said = said(args);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
        assert!(said.err.contains("Usage") || said.err.contains("--help"), "{args:?}: {said:?}");
    }
}

#[test]
fn a_command_that_is_nearly_right_is_suggested() {
    assert!(said(&["runn", "spotify"]).err.contains("'run'"));
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = out_of(&["completions", shell]);
        for command in commands().iter().filter(|command| command.len() == 1) {
            assert!(script.contains(command[0].as_str()), "{shell}: {command:?}");
        }
    }
}

/// Stdout of commands that print more than a line.
const TALKATIVE: [&[&str]; 6] = [
    &["--help"],
    &["estimate", "spotify"],
    &["estimate", "spotify", "--format", "json"],
    &["scenarios", "list"],
    &["scenarios", "show", "spotify"],
    &["completions", "bash"],
];

#[test]
fn a_reader_that_went_away_is_no_error() {
    for args in TALKATIVE {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(PROGRAM).args(args).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && err.is_empty(), "{args:?}: {:?} {err}", output.status);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_under_stdout_is_a_failure() {
    for args in TALKATIVE.into_iter().skip(1) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = Command::new(PROGRAM).args(args).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(!err.contains("panicked"), "{args:?}: {err}");
        assert_eq!(output.status.code(), Some(1), "{args:?}: {err}");
        assert!(err.starts_with("error: "), "{args:?}: {err}");
    }
}

#[test]
fn quiet_keeps_stderr_empty() {
    let output = plimsoll().args(["simulate", "--scaled", "--quiet"]).arg(common::small()).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(!output.stdout.is_empty());
}

#[test]
fn main_is_at_most_forty_lines() {
    let main = std::fs::read_to_string(repository("src/main.rs")).unwrap();
    assert!(main.lines().count() <= 40, "{}", main.lines().count());
}
