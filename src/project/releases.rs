//! The catalogue of release tarballs: versions, URLs and digests.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::bounded::read_text;
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::playbook::Release;
use crate::spec::{Loaded, Releases, suggestion};

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

/// The release of each product that has a version: the one of the spec, or its catalogue's default.
///
/// # Errors
/// When the user's catalogue cannot be read, or no catalogue has a product or a version of the spec.
pub fn releases(loaded: &Loaded) -> Result<BTreeMap<String, Release>> {
    let install = &loaded.spec.monitoring.install;
    let settings = install.releases();
    let catalogues = catalogues(settings, loaded.base_dir())?;
    let refusals: Vec<_> = settings
        .versions
        .iter()
        .filter_map(|(product, version)| Some((product, refusal(product, version, &catalogues)?)))
        .map(|(product, message)| {
            let word = if install.is_release() { "release" } else { "distribution" };
            let path = ["monitoring", "install", word, "versions", product].map(str::to_owned);
            (path.to_vec(), message)
        })
        .collect();
    if !refusals.is_empty() {
        return Err(loaded.refuse("choosing the releases", refusals));
    }
    Ok(chosen(settings, &catalogues))
}

/// The user's catalogue, if there is one, and monctl's own. The first one that has something wins.
fn catalogues(settings: &Releases, folder: &Path) -> Result<Vec<Catalogue>> {
    let ours = read(OURS, "monctl's own catalogue")?;
    let Some(path) = &settings.catalogue else { return Ok(vec![ours]) };
    let path = folder.join(path);
    let place = path.display().to_string();
    let text = read_text(&path)
        .map_err(|error| Error::invalid("cannot read the catalogue of releases").at(&place).because(error))?;
    Ok(vec![read(&text, &place)?, ours])
}

fn read(text: &str, place: &str) -> Result<Catalogue> {
    serde_json::from_str(text).map_err(|error| {
        Error::invalid("the catalogue of releases is not valid").at(place).because(error).remedy(
            "map product and version to `url` (with `{arch}`) and `sha256` by architecture (`amd64`, `arm64`)",
        )
    })
}

/// Why a version of the spec cannot be installed; `None` if it can.
fn refusal(product: &str, version: &str, catalogues: &[Catalogue]) -> Option<String> {
    let versions = || catalogues.iter().filter_map(|catalogue| catalogue.products.get(product)).flatten();
    let known: Vec<&str> = versions().map(|(version, _)| version.as_str()).collect();
    if known.contains(&version) {
        return None;
    }
    let products = || catalogues.iter().flat_map(|catalogue| catalogue.products.keys()).map(String::as_str);
    Some(if known.is_empty() {
        format!("no catalogue has releases of `{product}`{}", suggestion(product, products()))
    } else {
        format!(
            "unknown version `{version}` of `{product}`: choose one of {}, or name your own catalogue with `catalogue:`",
            known.join(", ")
        )
    })
}

fn chosen(settings: &Releases, catalogues: &[Catalogue]) -> BTreeMap<String, Release> {
    let defaults = catalogues.iter().rev().flat_map(|catalogue| &catalogue.defaults);
    let versions: BTreeMap<&String, &String> = defaults.chain(&settings.versions).collect();
    let release = |(product, version): (&String, &String)| {
        let entry = catalogues.iter().find_map(|catalogue| catalogue.products.get(product)?.get(version))?;
        let by_machine = ARCHITECTURES.iter().filter_map(|(debian, machine)| {
            let url = entry.url.replace("{arch}", debian);
            Some(((*machine).to_owned(), (mirrored(&url, settings), *entry.sha256.get(*debian)?)))
        });
        Some((product.clone(), Release { version: version.clone(), by_machine: by_machine.collect() }))
    };
    versions.into_iter().filter_map(release).collect()
}

/// The same file on the mirror: its name below the mirror's base URL.
fn mirrored(url: &str, settings: &Releases) -> String {
    let name = url.rsplit('/').next().unwrap_or(url);
    match &settings.mirror {
        Some(mirror) => format!("{}/{name}", mirror.as_str().trim_end_matches('/')),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A catalogue of one product that monctl does not have.
    const THEIRS: &str = r#"{"defaults": {"redis_exporter": "1.62.0"}, "redis_exporter": {"1.62.0": {
        "url": "https://example.org/redis_exporter-1.62.0.linux-{arch}.tar.gz",
        "sha256": {"amd64": "2a542df32eac02ee17b9d844fb2aa1de00dafa5476579ba8a3ba862e9d572ea0"}}}}"#;

    fn ours() -> Vec<Catalogue> {
        vec![read(OURS, "test").unwrap()]
    }

    #[test]
    fn each_product_has_its_default_for_both_architectures() {
        let found = chosen(&Releases::default(), &ours());
        for product in ["prometheus", "alertmanager", "node_exporter", "grafana"] {
            let release = &found[product];
            assert_eq!(release.by_machine.len(), 2, "{product}");
            assert!(release.by_machine["x86_64"].0.contains(&release.version));
        }
    }

    #[test]
    fn the_users_catalogue_adds_products_and_the_spec_chooses_versions() {
        let catalogues = vec![read(THEIRS, "test").unwrap(), read(OURS, "test").unwrap()];
        let versions = [("prometheus".to_owned(), "3.15.0".to_owned())].into();
        let found = chosen(&Releases { versions, ..Releases::default() }, &catalogues);
        assert_eq!(found["prometheus"].version, "3.15.0");
        assert_eq!(found["redis_exporter"].by_machine.len(), 1);
        assert_eq!(refusal("redis_exporter", "1.62.0", &catalogues), None);
    }

    #[test]
    fn a_mirror_serves_the_same_names() {
        let settings =
            Releases { mirror: Some("http://mirror.test/files/".parse().unwrap()), ..Releases::default() };
        let (url, _) = &chosen(&settings, &ours())["prometheus"].by_machine["x86_64"];
        assert!(url.starts_with("http://mirror.test/files/prometheus-"), "{url}");
    }

    #[test]
    fn an_unknown_product_or_version_names_the_known_ones() {
        let version = refusal("prometheus", "0.0.1", &ours()).unwrap();
        assert!(version.contains("3.13.2"), "{version}");
        let product = refusal("prometeus", "3.13.2", &ours()).unwrap();
        assert!(product.contains("did you mean `prometheus`"), "{product}");
    }
}
