//! The catalogue of monctl: its form, and whether upstream supports what it pins. The days of support are a fixture, so
//! that a test says the same on every day.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

const CATALOGUE: &str = include_str!("../../../templates/releases.json");
const SUPPORT: &str = include_str!("../../fixtures/upstream-support.json");
const PRODUCTS: [&str; 4] = ["alertmanager", "grafana", "node_exporter", "prometheus"];
const KEYS: [&str; 4] = ["line", "sha256", "url", "url_legacy"];

fn ours() -> (Value, Value) {
    (serde_json::from_str(CATALOGUE).unwrap(), serde_json::from_str(SUPPORT).unwrap())
}

fn object(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

/// The keys in order.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = object(value).keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// What is wrong with the form of a catalogue, one line each.
fn malformed(catalogue: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut digests = BTreeSet::new();
    let products: Vec<&str> =
        keys(catalogue).into_iter().filter(|it| !["about", "defaults"].contains(it)).collect();
    if products != PRODUCTS || keys(&catalogue["defaults"]) != PRODUCTS {
        wrong.push(format!("products {products:?}, defaults of {:?}", keys(&catalogue["defaults"])));
    }
    for product in products {
        let default = &catalogue["defaults"][product];
        if default.as_str().is_none_or(|version| catalogue[product].get(version).is_none()) {
            wrong.push(format!("{product}: the default {default} is not in the catalogue"));
        }
        for (version, release) in object(&catalogue[product]) {
            let mut bad = |what: &str| wrong.push(format!("{product} {version}: {what}"));
            let parts: Vec<_> = version.split('.').map(str::parse::<u32>).collect();
            if parts.len() != 3 || parts.iter().any(Result::is_err) {
                bad("the version is not three numbers");
            }
            if keys(release).iter().any(|key| !KEYS.contains(key)) {
                bad("an unknown key");
            }
            if release["url"].as_str().is_none_or(|url| !is_upstreams(url, product, version)) {
                bad("`url` is not upstream's");
            }
            if release
                .get("url_legacy")
                .is_some_and(|url| !is_upstreams(url.as_str().unwrap_or(""), product, version))
            {
                bad("`url_legacy` is not upstream's");
            }
            if !release["sha256"].is_object() || keys(&release["sha256"]) != ["amd64", "arm64"] {
                bad("`sha256` is not of amd64 and arm64");
                continue;
            }
            for digest in object(&release["sha256"]).values().map(|digest| digest.as_str().unwrap_or("")) {
                if digest.len() != 64
                    || !digest.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
                {
                    bad("a digest is not 64 digits of base 16");
                }
                if !digests.insert(digest) {
                    bad("a digest is that of another file");
                }
            }
        }
    }
    wrong
}

/// Whether an address is that of upstream's tarball of this version for any architecture.
fn is_upstreams(url: &str, product: &str, version: &str) -> bool {
    let names = format!("{product}-{version}.linux-{{arch}}.tar.gz");
    if product != "grafana" {
        return url
            == format!("https://github.com/prometheus/{product}/releases/download/v{version}/{names}");
    }
    let with_build = || {
        let build =
            url.strip_prefix(&format!("https://dl.grafana.com/grafana/release/{version}/grafana_{version}_"));
        let build = build.and_then(|rest| rest.strip_suffix("_linux_{arch}.tar.gz"));
        build.is_some_and(|build| !build.is_empty() && build.bytes().all(|it| it.is_ascii_digit()))
    };
    url == format!("https://dl.grafana.com/oss/release/{names}") || with_build()
}

/// What upstream does not support any more and is pinned or does not say so, one line each. Days compare as text.
fn unsupported(catalogue: &Value, support: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let seen = support["seen"].as_str().unwrap();
    for product in PRODUCTS {
        for (version, release) in object(&catalogue[product]) {
            let (series, _) = version.rsplit_once('.').unwrap();
            let Some(until) = support[product]["until"].get(series) else {
                wrong.push(format!("{product} {version}: it is not known how long {series} is supported"));
                continue;
            };
            let has_ended = until.as_str().is_some_and(|until| until < seen);
            if has_ended && catalogue["defaults"][product] == **version {
                wrong.push(format!("{product} {version}: the default, and not supported since {until}"));
            }
            if has_ended != release["line"].as_str().is_some_and(|line| line.contains("ended ")) {
                wrong.push(format!(
                    "{product} {version}: `line` is {}, and support ends {until}",
                    release["line"]
                ));
            }
        }
    }
    wrong
}

#[test]
fn every_release_has_an_address_of_upstreams_and_a_digest_for_each_architecture() {
    assert_eq!(malformed(&ours().0), Vec::<String>::new());
}

#[test]
fn upstream_supports_what_is_installed_by_default_and_what_it_does_not_support_says_so() {
    let (catalogue, support) = ours();
    assert_eq!(unsupported(&catalogue, &support), Vec::<String>::new());
}

#[test]
fn what_is_wrong_with_a_catalogue_is_found() {
    let (catalogue, support) = ours();
    let broken = |pointer: &str, value: Value| {
        let mut broken = catalogue.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        broken.pointer_mut(parent).unwrap()[key] = value;
        broken
    };
    let other = catalogue["grafana"]["13.2.3"]["sha256"]["amd64"].clone();
    let url = "https://example.org/prometheus-3.13.2.linux-{arch}.tar.gz";
    for (pointer, value, found) in [
        (
            "/defaults/prometheus",
            json!("3.13.9"),
            "prometheus: the default \"3.13.9\" is not in the catalogue",
        ),
        ("/defaults/loki", json!("3.0.0"), "defaults of"),
        (
            "/prometheus/3.16",
            catalogue["prometheus"]["3.15.0"].clone(),
            "3.16: the version is not three numbers",
        ),
        ("/prometheus/3.13.2/url", json!(url), "prometheus 3.13.2: `url` is not upstream's"),
        ("/grafana/13.2.3/url_legacy", json!(url), "grafana 13.2.3: `url_legacy` is not upstream's"),
        ("/prometheus/3.13.2/sha256", json!({"amd64": other}), "`sha256` is not of amd64 and arm64"),
        ("/prometheus/3.13.2/sha256/arm64", json!("ABC"), "a digest is not 64 digits of base 16"),
        ("/prometheus/3.13.2/sha256/arm64", other, "a digest is that of another file"),
        ("/prometheus/3.13.2/size", json!(1), "prometheus 3.13.2: an unknown key"),
    ] {
        let wrong = malformed(&broken(pointer, value));
        assert!(wrong.iter().any(|line| line.contains(found)), "{pointer}: {wrong:?}");
    }
    for (pointer, value, found) in [
        (
            "/defaults/prometheus",
            json!("3.5.0"),
            "prometheus 3.5.0: the default, and not supported since \"2026-07-31\"",
        ),
        ("/prometheus/3.5.0/line", json!("LTS"), "prometheus 3.5.0: `line` is \"LTS\""),
        ("/grafana/13.2.3/line", json!("ended May 2026"), "grafana 13.2.3: `line` is \"ended May 2026\""),
        ("/grafana/14.0.0", json!({}), "it is not known how long 14.0 is supported"),
    ] {
        let wrong = unsupported(&broken(pointer, value), &support);
        assert!(wrong.iter().any(|line| line.contains(found)), "{pointer}: {wrong:?}");
    }
}
