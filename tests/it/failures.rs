//! No failure is dropped silently: a comment explains why it cannot happen or does not matter.

use std::fs;
use std::path::{Path, PathBuf};

/// Calls that can fail, in a chain that ends with `unwrap_or_default`.
const FALLIBLE: [&str; 8] =
    [".await", "parse", "read", "decode", "from_slice", "from_str", "try_", "serde_json::to_string("];

/// The numbers of the lines that drop a failure without a comment.
fn silent(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let is_silent = |&at: &usize| drops(lines[at]) && !is_explained(&lines, at);
    (0..lines.len()).filter(is_silent).map(|at| at + 1).collect()
}

fn drops(line: &str) -> bool {
    let line = line.trim();
    if line.starts_with("//") {
        return false;
    }
    // With a question mark the caller receives `None`.
    let is_ok = line.contains(".ok()") && !line.contains(".ok()?");
    let is_default = line.contains("unwrap_or_default()") && FALLIBLE.iter().any(|word| line.contains(word));
    let is_listing = line.contains("read_dir(") && line.contains("flatten()");
    line.contains("let _ =") || is_ok || is_default || is_listing
}

/// Whether there is a comment on the same line, or a comment or a lint's reason on one of the two lines before it. A
/// doc comment describes the function and does not count.
fn is_explained(lines: &[&str], at: usize) -> bool {
    let before = lines[at.saturating_sub(2)..at].iter().map(|line| line.trim());
    let is_reason =
        |line: &str| (line.starts_with("//") && !line.starts_with("///")) || line.contains("reason = ");
    let has_own = lines[at].split_once("//").is_some_and(|(code, _)| !code.ends_with(':'));
    has_own || before.into_iter().any(is_reason)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The code before a file's tests; tests may drop failures.
fn without_tests(text: &str) -> &str {
    let tests = text.find("#[cfg(test)]\nmod ").filter(|at| text[*at..].contains('{'));
    tests.map_or(text, |at| &text[..at])
}

#[test]
fn every_dropped_failure_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut silent_places = Vec::new();
    for file in files {
        let name = file.strip_prefix(&root).unwrap().display().to_string();
        let is_test = name.ends_with("tests.rs") || name.contains("/tests/");
        if is_test {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        silent_places.extend(silent(without_tests(&text)).iter().map(|line| format!("src/{name}:{line}")));
    }
    assert_eq!(
        silent_places,
        Vec::<String>::new(),
        "return the failure, or explain in a comment why it may be dropped"
    );
}

#[test]
fn an_unexplained_dropped_failure_is_found_and_an_explained_one_is_not() {
    let dropped =
        "let _ = send();\nlet a = text.parse().ok();\nlet b = question().await.unwrap_or_default();\n";
    assert_eq!(silent(dropped), [1, 2, 3]);
    let explained = "// Nobody listens.\nlet _ = send();\nlet a = parse().ok(); // Absent is fine.\n";
    assert_eq!(silent(explained), Vec::<usize>::new());
    assert_eq!(silent("/// Sends.\nfn a() {\nlet _ = send();"), [3], "a doc comment is not an explanation");
    assert_eq!(
        silent("let a = text.parse().ok()?;\nlet b = labels.get(a).unwrap_or_default();"),
        Vec::<usize>::new()
    );
    assert_eq!(silent("for entry in read_dir(path).into_iter().flatten().flatten() {"), [1]);
    let url = "let _ = get(\"http://localhost\");";
    assert_eq!(silent(url), [1], "an address is not a comment");
}
