//! Whose a dashboard is: the one answer to that question. monctl signs each version that it writes, in the message that
//! Grafana keeps beside it, with the digest of the text and the uid. A message alone proves nothing, since whoever edits a
//! dashboard by `/apis` carries the last one along: the text has to be the one that was signed. Called by `found`.

use serde::Deserialize;
use serde_json::Value;

use super::client::{GrafanaClient, unreadable};
use super::document::{content, own_parts, version_of};
use super::resource::ResourceKind;
use super::schema::{CLASSIC, V2};
use super::version::Version;
use crate::digest::Sha256;
use crate::error::Result;

/// How monctl's messages in a dashboard's history begin.
const PROGRAM: &str = "monctl ";
/// Versions that Grafana keeps of a dashboard unless it is set otherwise.
const KEPT_VERSIONS: usize = 20;

/// What monctl writes into the history beside a text under this uid: `monctl 0.1.0, 3f1a2b4c5d6e of monctl_hosts`.
pub(super) fn signature(uid: &str, document: &Value) -> String {
    format!("{PROGRAM}{}, {} of {uid}", env!("CARGO_PKG_VERSION"), digest(document))
}

/// The digest in a message, if monctl signed a dashboard of this uid with it. A copy of one has another uid.
fn signed<'a>(message: &'a str, uid: &str) -> Option<&'a str> {
    let rest = message.strip_prefix(PROGRAM)?.strip_suffix(uid)?.strip_suffix(" of ")?;
    let (version, digest) = rest.split_once(", ")?;
    version.starts_with(|first: char| first.is_ascii_digit()).then_some(digest)
}

/// The digest of what a document shows, however Grafana orders its keys and writes its numbers.
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

/// Keys in their order, numbers by their value: Grafana 12 makes 80 of 80.0 and rounds beyond 2^53.
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

/// What the history says of the newest version of a dashboard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Newest {
    /// What was written beside it.
    pub message: String,
    /// Its writer, where the history has a name.
    pub writer: Option<String>,
    /// Whether monctl wrote it.
    pub is_ours: bool,
}

/// What the history says of the newest version, whose text is `document`; `None` where the history cannot be read.
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
        // Another text than was signed: Grafana's own form of ours, or the work of somebody who kept the message.
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

/// Whether one of the versions that Grafana still keeps of a dashboard is monctl's. Where its history cannot be read,
/// nothing proves that, and it counts as somebody else's.
pub(super) async fn was_ours(grafana: &GrafanaClient, uid: &str) -> Result<bool> {
    let all = versions(grafana, uid, false, KEPT_VERSIONS).await?;
    Ok(all.is_some_and(|all| all.iter().any(|version| signed(&version.message, uid).is_some())))
}

/// The last versions of a dashboard, the newest first; `None` where they cannot be had. Of the two ways to them a
/// Grafana has one at least, but not everybody may go both.
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

/// A version as `/api` lists it, and shows it alone.
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
    // A list until Grafana 11, an object with a list from then on.
    let list = if history.is_array() { history } else { history["versions"].take() };
    let listed: Vec<Listed> = serde_json::from_value(list).map_err(unreadable)?;
    let mut versions = Vec::new();
    for one in listed {
        let mut message = one.message;
        if one.parent_version == 0 {
            // The list says "Initial save" of a first version, whatever its message was.
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

/// Only the versions of the interface that stay serve it, whichever one a dashboard is kept in.
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
    fn the_text_that_grafana_gives_back_has_the_digest_of_the_one_that_was_written() {
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
