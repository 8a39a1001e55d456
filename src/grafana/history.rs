//! Decides to whom a dashboard belongs; the only place that does. monctl signs each version that it writes: the
//! version's message in Grafana's history contains a digest of the text and the uid. A message alone proves nothing,
//! since an edit through `/apis` keeps the last message: the text must match the signature too. Called by `found`.

use serde::Deserialize;
use serde_json::Value;

use super::client::{GrafanaClient, unreadable};
use super::document::{content, own_parts, version_of};
use super::resource::ResourceKind;
use super::schema::{CLASSIC, V2};
use super::version::Version;
use crate::digest::Sha256;
use crate::error::Result;

/// Prefix of monctl's messages in a dashboard's history.
const PROGRAM: &str = "monctl ";
/// Versions of a dashboard that Grafana keeps by default.
const KEPT_VERSIONS: usize = 20;

/// The message that monctl writes into the history: `monctl 0.1.0, 3f1a2b4c5d6e of monctl_hosts`.
pub(super) fn signature(uid: &str, document: &Value) -> String {
    format!("{PROGRAM}{}, {} of {uid}", env!("CARGO_PKG_VERSION"), digest(document))
}

/// The digest in a message, if it is monctl's signature for this uid. A copied dashboard has another uid.
fn signed<'a>(message: &'a str, uid: &str) -> Option<&'a str> {
    let rest = message.strip_prefix(PROGRAM)?.strip_suffix(uid)?.strip_suffix(" of ")?;
    let (version, digest) = rest.split_once(", ")?;
    version.starts_with(|first: char| first.is_ascii_digit()).then_some(digest)
}

/// The digest of a document's content. It does not depend on the order of keys and the notation of numbers.
fn digest(document: &Value) -> String {
    let mut plain = content(document).clone();
    if version_of(document).is_none() {
        own_parts(&mut plain);
    }
    if let Value::Object(keys) = &mut plain {
        keys.shift_remove("uid");
    }
    let mut text = String::new();
    write_canonical(&plain, &mut text);
    Sha256::of(text).short()
}

/// Sorts keys and writes numbers by value: Grafana 12 turns 80.0 into 80 and rounds numbers above 2^53.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(keys) => {
            let mut sorted: Vec<_> = keys.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (key, value) in sorted {
                text.push_str(&format!("{key:?}:"));
                write_canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for value in values {
                write_canonical(value, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Number(number) => text.push_str(&number.as_f64().unwrap_or(f64::NAN).to_string()),
        plain => text.push_str(&plain.to_string()),
    }
}

/// The newest version of a dashboard in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Newest {
    /// Its message.
    pub message: String,
    /// Its writer, if the history has a name.
    pub writer: Option<String>,
    /// Whether monctl wrote it.
    pub is_ours: bool,
}

/// The newest version in the history, whose text is `document`; `None` if the history cannot be read.
pub(super) async fn newest(
    grafana: &GrafanaClient,
    uid: &str,
    document: &Value,
    apis_first: bool,
) -> Result<Option<Newest>> {
    let Some(versions) = versions(grafana, uid, apis_first, 1).await? else { return Ok(None) };
    let Some(Version { message, author }) = versions.into_iter().next() else { return Ok(None) };
    let is_ours = match signed(&message, uid) {
        None => false,
        Some(signed) if signed == digest(document) => true,
        // The text differs from the signed one: Grafana reformatted it, or somebody edited it and kept the message.
        Some(_) => {
            let all = self::versions(grafana, uid, apis_first, KEPT_VERSIONS).await?;
            let Some(all) = all else { return Ok(None) };
            let first = all.iter().rev().find(|version| version.message == message);
            first.is_some_and(|first| first.author == author)
        }
    };
    let writer = Some(author).filter(|author| !author.contains(':') && author.parse::<u64>().is_err());
    Ok(Some(Newest { message, writer: writer.filter(|name| !name.is_empty()), is_ours }))
}

/// Whether monctl wrote one of the versions that Grafana still keeps. False if the history cannot be read: without
/// proof, the dashboard counts as somebody else's.
pub(super) async fn was_ours(grafana: &GrafanaClient, uid: &str) -> Result<bool> {
    let all = versions(grafana, uid, false, KEPT_VERSIONS).await?;
    Ok(all.is_some_and(|all| all.iter().any(|version| signed(&version.message, uid).is_some())))
}

/// The last versions of a dashboard, newest first; `None` if they are not available. A Grafana has at least one of the
/// two interfaces for them, but an account may lack access to one.
async fn versions(
    grafana: &GrafanaClient,
    uid: &str,
    apis_first: bool,
    limit: usize,
) -> Result<Option<Vec<Version>>> {
    for by_apis in [apis_first, !apis_first] {
        let found = if by_apis {
            by_apis_of(grafana, uid, limit).await?
        } else {
            by_api(grafana, uid, limit).await?
        };
        if let Some(found) = found.filter(|found| !found.is_empty()) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// A version in the list of `/api`, or in its answer for a single version.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    version: i64,
    #[serde(default)]
    parent_version: i64,
    #[serde(default)]
    message: String,
    #[serde(default)]
    created_by: Value,
}

async fn by_api(grafana: &GrafanaClient, uid: &str, limit: usize) -> Result<Option<Vec<Version>>> {
    let path = format!("/api/dashboards/uid/{uid}/versions");
    let answer = grafana.look(&format!("{path}?limit={limit}")).await?;
    if !answer.is_success() {
        return Ok(None);
    }
    let mut history: Value = answer.json()?;
    // A list before Grafana 11, an object with a list since.
    let list = if history.is_array() { history } else { history["versions"].take() };
    let listed: Vec<Listed> = serde_json::from_value(list).map_err(unreadable)?;
    let mut versions = Vec::new();
    for one in listed {
        let mut message = one.message;
        if one.parent_version == 0 {
            // For a first version, the list has "Initial save" in place of its message.
            let alone = grafana.look(&format!("{path}/{}", one.version)).await?;
            if alone.is_success() {
                message = alone.json::<Listed>()?.message;
            }
        }
        let author = one.created_by.as_str().map_or_else(|| one.created_by.to_string(), str::to_owned);
        versions.push(Version { message, author });
    }
    Ok(Some(versions))
}

/// Only stable and beta API versions serve the history, whichever version a dashboard is stored in.
async fn by_apis_of(grafana: &GrafanaClient, uid: &str, limit: usize) -> Result<Option<Vec<Version>>> {
    let [_, stable, beta] = CLASSIC;
    let served = [stable, V2[0], beta, V2[1]];
    match grafana.collection(ResourceKind::Dashboard, &served).await? {
        Some(dashboards) => grafana.history_of(&dashboards, uid, limit).await,
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_message_with_a_version_a_digest_and_the_uid_is_a_signature() {
        for (message, digest) in [
            ("monctl 0.1.0, 8a6b12 of hosts", Some("8a6b12")),
            ("monctl 2.0.0, 8a6b12 of other_hosts", None),
            ("monctl 2.0.0, 8a6b12", None),
            ("monctl is great, says the owner of hosts", None),
            ("brought by monctl 0.1.0, 8a6b12 of hosts", None),
            ("", None),
        ] {
            assert_eq!(signed(message, "hosts"), digest, "{message}");
        }
        let document = json!({"uid": "hosts", "title": "Hosts"});
        let message = signature("hosts", &document);
        assert_eq!(signed(&message, "hosts"), Some(digest(&document).as_str()), "{message}");
    }

    #[test]
    fn a_dashboard_reformatted_by_grafana_keeps_its_digest() {
        let written = json!({"title": "A", "uid": "a", "panels": [{"h": 80.0, "max": null}], "big": 9_007_199_254_740_993_i64});
        let shown = json!({"id": 7, "version": 3, "uid": "a", "big": 9_007_199_254_740_992_i64,
            "panels": [{"max": null, "h": 80}], "title": "A"});
        assert_eq!(digest(&written), digest(&shown));
        for other in [
            json!({"panels": [{"h": 81, "max": null}]}),
            json!({"panels": [{"h": 80}]}),
            json!({"title": "B"}),
        ] {
            let mut edited = shown.clone();
            edited.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
            assert_ne!(digest(&written), digest(&edited), "{other}");
        }
        let resource = |title: &str| json!({"apiVersion": "dashboard.grafana.app/v2beta1", "metadata": {"name": "a"}, "spec": {"title": title}});
        assert_ne!(digest(&resource("A")), digest(&resource("B")));
    }
}
