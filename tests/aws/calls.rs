//! `docs/aws-calls.md` has a row for each call that monctl makes, and the policy a statement.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

const PAGE: &str = include_str!("../../docs/aws-calls.md");
const POLICY: &str = include_str!("../../docs/iam-policy.json");

/// EC2's names of the SDK calls in the provider's source files.
fn calls() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provider/aws");
    let mut text = String::new();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text += &fs::read_to_string(&path).unwrap();
            }
        }
    }
    // `self.api.ec2.describe_images()`, also over several lines, and `ec2.stop_instances()`.
    let packed: String = text.split_whitespace().collect();
    let mut calls = BTreeSet::new();
    for rest in packed.split("ec2.").skip(1).chain(packed.split("from_conf(sts).").skip(1)) {
        let name: String = rest.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
        if rest[name.len()..].starts_with("()") && name.contains('_') {
            calls.insert(pascal(&name));
        }
    }
    calls
}

fn pascal(name: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('_').map(word).collect()
}

/// The rows of the page: the call, and the cell of its statements.
fn rows() -> BTreeMap<String, String> {
    let rows = PAGE.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    cells
        .map(|cells| {
            assert_eq!(cells.len(), 9, "a row has seven cells: {cells:?}");
            (cells[1].trim_matches('`').to_owned(), cells[6].to_owned())
        })
        .collect()
}

#[test]
fn each_call_has_its_row_and_each_row_its_call() {
    let calls = calls();
    assert!(
        calls.len() > 35 && calls.contains("RunInstances") && calls.contains("GetCallerIdentity"),
        "{calls:?}"
    );
    assert_eq!(rows().into_keys().collect::<BTreeSet<_>>(), calls);
}

#[test]
fn each_row_names_the_statements_that_allow_its_call() {
    let policy: Value = serde_json::from_str(POLICY).unwrap();
    let mut statements: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for statement in policy["Statement"].as_array().unwrap() {
        let actions = statement["Action"].as_array().unwrap().iter().filter_map(Value::as_str);
        statements.insert(statement["Sid"].as_str().unwrap(), actions.collect());
    }
    for (call, cell) in rows() {
        if call == "GetCallerIdentity" {
            continue;
        }
        let named: Vec<&str> = cell.split('`').skip(1).step_by(2).collect();
        for sid in &named {
            assert!(statements.contains_key(sid), "{call}: there is no statement `{sid}`");
        }
        let action = format!("ec2:{call}");
        for (sid, actions) in &statements {
            assert_eq!(
                actions.contains(action.as_str()),
                named.contains(sid) && actions.contains(action.as_str()),
                "{call}: `{sid}` allows it, but the row does not name that statement"
            );
        }
        assert!(
            named.iter().any(|sid| statements[sid].contains(action.as_str())),
            "{call}: no statement allows it"
        );
    }
}
