//! The catalogue of release tarballs: versions, URLs and digests.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::bounded::read_text;
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::playbook::Release;
use crate::spec::Releases;

/// monctl's own catalogue.
const OURS: &str = include_str!("../../templates/releases.json");

/// Architectures: Debian's names, which upstream uses, and those of `uname -m`.
const ARCHITECTURES: [(&str, &str); 2] = [("amd64", "x86_64"), ("arm64", "aarch64")];

/// A catalogue file: the default version of each product, and all versions of each.
#[derive(Deserialize)]
struct Catalogue {
    #[serde(default, rename = "about")]
    _about: serde::de::IgnoredAny,
    #[serde(default)]
    defaults: BTreeMap<String, String>,
    #[serde(flatten)]
    products: BTreeMap<String, BTreeMap<String, Entry>>,
}

#[derive(Deserialize)]
struct Entry {
    url: String,
    sha256: BTreeMap<String, Sha256>,
}

/// The release of each product for these settings. `folder` is the spec's, from which the user's own
/// catalogue is found.
///
/// # Errors
/// When the user's catalogue cannot be read, or has no such version.
pub fn releases(settings: &Releases, folder: &Path) -> Result<BTreeMap<String, Release>> {
    let ours = read(OURS, "monctl's own catalogue")?;
    let theirs = match &settings.catalogue {
        Some(path) => {
            let path = folder.join(path);
            let place = path.display().to_string();
            let text = read_text(&path).map_err(|error| {
                Error::invalid("cannot read the catalogue of releases").at(&place).because(error)
            })?;
            Some(read(&text, &place)?)
        }
        None => None,
    };
    let catalogues: Vec<&Catalogue> = theirs.iter().chain([&ours]).collect();
    ours.defaults
        .keys()
        .map(|product| Ok((product.clone(), release(product, settings, &catalogues)?)))
        .collect()
}

fn read(text: &str, place: &str) -> Result<Catalogue> {
    serde_json::from_str(text).map_err(|error| {
        Error::invalid("the catalogue of releases is not valid").at(place).because(error).remedy(
            "map product and version to `url` (with `{arch}`) and `sha256` by architecture (`amd64`, `arm64`)",
        )
    })
}

fn release(product: &str, settings: &Releases, catalogues: &[&Catalogue]) -> Result<Release> {
    let version = settings
        .versions
        .get(product)
        .or_else(|| catalogues.iter().find_map(|catalogue| catalogue.defaults.get(product)))
        .cloned()
        .unwrap_or_default();
    let entry = catalogues.iter().find_map(|catalogue| catalogue.products.get(product)?.get(&version));
    let entry = entry.ok_or_else(|| unknown(product, &version, catalogues))?;
    let by_machine = ARCHITECTURES
        .iter()
        .filter_map(|(debian, machine)| {
            let url = entry.url.replace("{arch}", debian);
            Some(((*machine).to_owned(), (mirrored(&url, settings), *entry.sha256.get(*debian)?)))
        })
        .collect();
    Ok(Release { version, by_machine })
}

/// The same file on the mirror: its name below the mirror's base URL.
fn mirrored(url: &str, settings: &Releases) -> String {
    let name = url.rsplit('/').next().unwrap_or(url);
    match &settings.mirror {
        Some(mirror) => format!("{}/{name}", mirror.as_str().trim_end_matches('/')),
        None => url.to_owned(),
    }
}

fn unknown(product: &str, version: &str, catalogues: &[&Catalogue]) -> Error {
    let versions: Vec<&str> = catalogues
        .iter()
        .filter_map(|catalogue| catalogue.products.get(product))
        .flat_map(|versions| versions.keys().map(String::as_str))
        .collect();
    Error::invalid(format!("unknown release `{version}` of `{product}`")).remedy(format!(
        "choose one of {}, or name your own catalogue with `catalogue:`",
        versions.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_product_has_its_default_for_both_architectures() {
        let found = releases(&Releases::default(), Path::new("")).unwrap();
        for product in ["prometheus", "alertmanager", "node_exporter", "grafana"] {
            let release = &found[product];
            assert_eq!(release.by_machine.len(), 2, "{product}");
            assert!(release.by_machine["x86_64"].0.contains(&release.version));
        }
    }

    #[test]
    fn a_mirror_serves_the_same_names() {
        let settings =
            Releases { mirror: Some("http://mirror.test/files/".parse().unwrap()), ..Releases::default() };
        let (url, _) = &releases(&settings, Path::new("")).unwrap()["prometheus"].by_machine["x86_64"];
        assert!(url.starts_with("http://mirror.test/files/prometheus-"), "{url}");
    }

    #[test]
    fn an_unknown_version_names_the_known_ones() {
        let versions = [("prometheus".to_owned(), "0.0.1".to_owned())].into();
        let error = releases(&Releases { versions, ..Releases::default() }, Path::new("")).unwrap_err();
        assert!(error.hint().unwrap().contains("3.13.2"));
    }
}
