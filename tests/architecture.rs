//! The rooms of `docs/architecture.md`, held to their doors: who imports whom, who names which crate, who may
//! look at the world. Tests inside the rooms are free.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// What every room may use: errors, events, names, secrets, small helpers.
const FOUNDATION: [&str; 7] = ["cancel", "digest", "error", "event", "host", "retry", "secret"];

/// Each room and the rooms that it may import from.
const ROOMS: [(&str, &[&str]); 15] = [
    ("promql", &[]),
    ("spec", &["promql"]),
    ("report", &[]),
    ("cli", &["spec"]),
    ("render", &["spec"]),
    ("playbook", &["spec"]),
    ("project", &["spec", "playbook"]),
    ("http", &["spec"]),
    ("grafana", &["promql", "spec", "http"]),
    ("remote", &["spec", "playbook"]),
    ("plan", &["spec", "render", "playbook"]),
    ("provider", &["spec", "playbook", "plan", "remote", "http"]),
    ("apply", &["spec", "render", "playbook", "plan", "provider", "remote", "http"]),
    ("verify", &["promql", "spec", "render", "playbook", "plan", "provider", "remote", "http", "apply"]),
    (
        "commands",
        &[
            "spec", "render", "playbook", "project", "plan", "provider", "remote", "http", "grafana",
            "apply", "verify", "report", "cli",
        ],
    ),
];

/// Crates with an effect on the outside, and the one room that names each.
const EDGES: [(&str, &str); 4] =
    [("reqwest", "http"), ("openssh", "remote"), ("indicatif", "report"), ("aws_", "provider")];

/// Rooms that compute only, and what they therefore never name.
const PURE: [&str; 3] = ["promql", "playbook", "plan"];
const WORLD: [&str; 8] = [
    "std::env",
    "std::fs",
    "std::net::Tcp",
    "std::process",
    "Instant::now",
    "SystemTime::now",
    ".await",
    "tokio::",
];

/// A source file: its path below `src`, its room, and its text without comments and tests.
struct Source {
    path: PathBuf,
    room: String,
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap_or_default();
                let path = path.strip_prefix(&root).unwrap_or(&path).to_owned();
                found.push(source(path, &text));
            }
        }
    }
    found
}

fn source(path: PathBuf, text: &str) -> Source {
    let first = path.iter().next().unwrap_or_default();
    let room = Path::new(first).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is_test = path.file_stem().is_some_and(|stem| stem == "tests");
    let code = if is_test { "" } else { text.split("#[cfg(test)]").next().unwrap_or_default() };
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    Source { path, room, code: code.collect::<Vec<_>>().join("\n") }
}

/// The first words behind each `crate::`, also those in braces.
fn imports(code: &str) -> BTreeSet<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = BTreeSet::new();
    for rest in code.split("crate::").skip(1) {
        match rest.strip_prefix('{') {
            None => found.extend([word(rest)]),
            Some(list) => {
                let mut depth = 0;
                for part in list.split_inclusive([',', '{', '}']) {
                    if depth == 0 {
                        found.extend([word(part.trim_start())]);
                    }
                    depth += i32::from(part.ends_with('{')) - i32::from(part.ends_with('}'));
                    if depth < 0 {
                        break;
                    }
                }
            }
        }
    }
    found.remove("");
    found
}

#[test]
fn imports_are_read_in_all_their_forms() {
    let code = "use crate::a::b;\nuse crate::{c, d::{e, f}, g};\nuse crate::h; crate::i::j();";
    assert_eq!(imports(code).into_iter().collect::<Vec<_>>(), ["a", "c", "d", "g", "h", "i"]);
}

#[test]
fn rooms_import_one_way() {
    for Source { path, room, code } in sources() {
        let allowed = match ROOMS.iter().find(|(name, _)| *name == room) {
            Some((_, allowed)) => *allowed,
            None if FOUNDATION.contains(&&*room) => &[],
            None => continue,
        };
        for import in imports(&code) {
            let fine = import == room || FOUNDATION.contains(&&*import) || allowed.contains(&&*import);
            assert!(fine, "{} imports from `{import}`, which its room may not", path.display());
        }
    }
}

#[test]
fn every_room_is_known() {
    let edge = ["lib", "main"];
    for Source { path, room, .. } in sources() {
        let known = edge.contains(&&*room)
            || FOUNDATION.contains(&&*room)
            || ROOMS.iter().any(|(name, _)| *name == room);
        assert!(known, "{} is in no room that tests/architecture.rs knows", path.display());
    }
}

#[test]
fn each_edge_crate_is_named_in_one_room() {
    for Source { path, room, code } in sources() {
        for (name, home) in EDGES {
            let named = code.contains(&format!("{name}::")) || code.contains(&format!("use {name}"));
            assert!(!named || room == home, "{} names `{name}`, which belongs to `{home}`", path.display());
        }
    }
}

#[test]
fn pure_rooms_do_not_look_at_the_world() {
    for Source { path, code, .. } in sources().into_iter().filter(|source| PURE.contains(&&*source.room)) {
        for word in WORLD {
            assert!(!code.contains(word), "{} names `{word}`", path.display());
        }
    }
}

#[test]
fn every_module_says_what_lives_in_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for Source { path, .. } in sources() {
        let text = fs::read_to_string(root.join(&path)).unwrap_or_default();
        assert!(text.starts_with("//! "), "{} does not begin with `//!`", path.display());
    }
}

#[test]
fn the_architecture_page_names_every_room() {
    let page = include_str!("../docs/architecture.md");
    for (room, _) in ROOMS {
        assert!(page.contains(&format!("`{room}`")), "docs/architecture.md does not name `{room}`");
    }
}
