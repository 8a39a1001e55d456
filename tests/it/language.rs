//! The sentences that people read: whether they use the words of the field.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use monctl::cli::Cli;
use regex::Regex;

use crate::support::binary::Monctl;

/// Phrases for which the field has words of its own: an alert is delivered, a value is not valid.
const PRIVATE: &str = r"(?i)\b(told|said|whoever|nobody|is no|are no)\b";

/// Plain English, and the user `nobody` of Unix, in which one of them occurs.
const PLAIN: &str = r"(?i)`nobody`|\bthere (is|are) no\b|\b(is|are) no longer\b";

/// The lines of a text with a private phrase.
fn private_phrases(text: &str) -> Vec<String> {
    let [private, plain] = [PRIVATE, PLAIN].map(|pattern| Regex::new(pattern).unwrap());
    let is_private = |line: &&str| private.is_match(&plain.replace_all(line, ""));
    text.lines().filter(is_private).map(str::to_owned).collect()
}

/// The files below a folder with one of these ends.
fn files(folder: &Path, ends: &[&str], found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ends, found);
        } else if ends.iter().any(|end| path.to_string_lossy().ends_with(end)) {
            found.push(path);
        }
    }
}

#[test]
fn private_phrases_are_found_and_those_of_the_field_are_not() {
    for line in ["You are told of it.", "`x` is no duration", "it ends if nobody looks", "Whoever reads this"]
    {
        assert_eq!(private_phrases(line), [line]);
    }
    for line in [
        "it is no longer in the spec",
        "there is no rule",
        "runs as the user `nobody`, niced",
        "there are no rules",
        "it is not a duration",
    ] {
        assert_eq!(private_phrases(line), Vec::<String>::new());
    }
}

#[test]
fn snapshots_and_documentation_use_the_words_of_the_field() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut read = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for (folder, ends) in [
        ("docs", [".md", ".json"].as_slice()),
        ("src", &[".snap"]),
        ("templates", &[".md", ".yaml"]),
        ("playbooks", &[".yaml"]),
        ("examples", &[".md", ".yaml"]),
    ] {
        let before = read.len();
        files(&root.join(folder), ends, &mut read);
        assert!(read.len() > before, "{folder} has such files");
    }
    let mut found = Vec::new();
    for path in read {
        let text = fs::read_to_string(&path).unwrap();
        found.extend(private_phrases(&text).into_iter().map(|line| format!("{}: {line}", path.display())));
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn help_uses_the_words_of_the_field() {
    let cli = Cli::command();
    let commands = cli.get_subcommands().map(|command| vec![command.get_name(), "--help"]);
    for words in commands.chain([vec!["--help"]]) {
        let help = Monctl::new().args(&words).run().success();
        assert_eq!(private_phrases(&help.stdout), Vec::<String>::new(), "{words:?}");
    }
}
