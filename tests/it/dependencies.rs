//! `docs/dependencies.md`: every crate that `Cargo.toml` names, with the licence that it declares.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::process::Command;

use serde_json::Value;

const PAGE: &str = include_str!("../../docs/dependencies.md");

/// The licences of the crates in the first table of the page.
fn listed() -> BTreeMap<String, String> {
    let rows = PAGE
        .lines()
        .skip_while(|line| *line != "## Crates")
        .take_while(|line| !line.starts_with("Only for tests"));
    let row = |line: &str| {
        let (name, rest) = line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | ")?;
        let (_, licence) = rest.rsplit_once(" | ")?;
        Some((name.to_owned(), licence.to_owned()))
    };
    rows.filter_map(row).collect()
}

#[test]
fn every_crate_is_listed_with_its_reason_and_licence() {
    // Packages of other platforms may not be on this computer.
    let platform = format!("{ARCH}-unknown-linux-gnu");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version=1", "--filter-platform", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let own = packages.iter().find(|package| package["name"] == "monctl").unwrap();
    let resolved = metadata["resolve"]["nodes"].as_array().unwrap();
    let of_own = resolved.iter().find(|node| node["id"] == own["id"]).unwrap();
    let is_normal = |dependency: &Value| {
        dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null())
    };
    let direct = of_own["deps"].as_array().unwrap().iter().filter(|dependency| is_normal(dependency));
    let licences: BTreeMap<String, String> = direct
        .map(|dependency| {
            let package = packages.iter().find(|package| package["id"] == dependency["pkg"]).unwrap();
            let text = |key: &str| package[key].as_str().unwrap().to_owned();
            (text("name"), text("license"))
        })
        .collect();
    assert_eq!(listed(), licences, "docs/dependencies.md and Cargo.toml");
}
