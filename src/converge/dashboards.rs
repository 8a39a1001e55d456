//! The dashboards of a project's Grafana: monctl's own, filled from the spec, and the user's. All of them are read and
//! checked before anything is changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::bounded::read_text;
use crate::digest::Sha256;
use crate::error::{Error, Result};
use crate::grafana::{Dashboard, FOLDER_UID, Folder, WantedDashboards};
use crate::http::download;
use crate::project::Exported;
use crate::render;
use crate::spec::{DashboardSource, Loaded, OwnDashboard, Spec};

/// Server of published dashboards.
const PUBLISHED_AT: &str = "https://grafana.com";

/// Reads all dashboards.
///
/// # Errors
/// When one is invalid, differs from the pinned one, or conflicts with another one. Nothing was changed then.
pub async fn wanted(loaded: &Loaded) -> Result<WantedDashboards> {
    let mut wanted = WantedDashboards::default();
    let mut names = Vec::new();
    for (name, dashboard) in ours(&loaded.spec)? {
        wanted.dashboards.push(dashboard);
        names.push(format!("monctl's own `{name}`"));
    }
    for own in &loaded.spec.grafana.dashboards {
        match exported(loaded, own).await? {
            Ok(exported) => {
                let document = exported.adopt(loaded.spec.grafana.data_source())?;
                let folder = Folder::titled(own.folder().trim());
                wanted.dashboards.push(Dashboard::new(&exported.name, document, &folder.uid)?);
                if !wanted.folders.contains(&folder) {
                    wanted.folders.push(folder);
                }
                names.push(format!("`{}`", exported.name));
            }
            Err(error) => wanted.missing.push(error),
        }
    }
    differ(&wanted.dashboards, &names, "uid", |one| (String::new(), one.uid.clone()))?;
    // Grafana 9 compares titles case-insensitively and allows each only once in a folder.
    differ(&wanted.dashboards, &names, "title in a folder", |one| {
        (one.folder.clone(), one.title.to_lowercase())
    })?;
    Ok(wanted)
}

/// monctl's own dashboards, by the names of their files.
///
/// # Errors
/// When one of monctl's files is invalid, which a test excludes.
pub fn ours(spec: &Spec) -> Result<Vec<(String, Dashboard)>> {
    let dashboards = render::dashboards(spec)?.into_iter();
    dashboards
        .map(|(name, document)| {
            let dashboard = Dashboard::new(&name, document, FOLDER_UID)?;
            Ok((name, dashboard))
        })
        .collect()
}

/// All dashboards, or monctl's own alone if one of the user's is invalid.
///
/// # Errors
/// As [`ours`].
pub async fn readable(loaded: &Loaded) -> Result<WantedDashboards> {
    if let Ok(wanted) = wanted(loaded).await {
        return Ok(wanted);
    }
    let dashboards = ours(&loaded.spec)?.into_iter().map(|(_, dashboard)| dashboard).collect();
    Ok(WantedDashboards { dashboards, ..WantedDashboards::default() })
}

/// Reads one of the user's dashboards; the inner error is why it is unavailable now.
async fn exported(loaded: &Loaded, own: &OwnDashboard) -> Result<Result<Exported>> {
    let settings = own.settings();
    let given_uid = settings.uid.map(|uid| uid.as_str().to_owned());
    let (title, inputs) = (settings.title, settings.inputs);
    match own.source() {
        Some(DashboardSource::File(path)) => {
            let path = loaded.base_dir().join(path);
            let name = path.display().to_string();
            let text = read_text(&path)
                .map_err(|error| Error::invalid("cannot read the dashboard").at(&name).because(error))?;
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            Ok(Ok(Exported { name, text, uid: uid_of(&stem), given_uid, title, inputs }))
        }
        Some(DashboardSource::Published { id, revision, sha256 }) => {
            let name = format!("dashboard {id} of grafana.com, revision {revision}");
            let base = loaded.spec.grafana.mirror.as_ref().map_or(PUBLISHED_AT, |mirror| mirror.as_str());
            let url =
                format!("{}/api/dashboards/{id}/revisions/{revision}/download", base.trim_end_matches('/'));
            let text = published(&name, &url, sha256).await?;
            let uid = format!("published_{id}");
            Ok(text.map(|text| Exported { name, text, uid, given_uid, title, inputs }))
        }
        // Loading has refused it.
        None => Err(Error::invalid("a dashboard of the spec has no source")),
    }
}

/// The uid for a file without one, derived from its name.
fn uid_of(stem: &str) -> String {
    let safe = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' };
    let name: String = stem.chars().map(safe).take(36).collect();
    format!("own_{name}")
}

/// The published dashboard, from the cache or downloaded.
async fn published(name: &str, url: &str, pinned: Sha256) -> Result<Result<String>> {
    let cached = cache().map(|folder| folder.join(format!("{pinned}.json")));
    let is_pinned = |bytes: &Vec<u8>| Sha256::of(bytes) == pinned;
    // A cache that cannot be read is ignored.
    let kept = cached.as_ref().and_then(|path| fs::read(path).ok()).filter(is_pinned);
    let bytes = match kept {
        Some(bytes) => bytes,
        None => match download::fetch(url).await {
            Ok(bytes) => bytes,
            Err(error) => {
                let remedy =
                    "save the file beside the spec and set its `path`, or set a mirror in `grafana.mirror`";
                return Ok(Err(Error::failed(format!("cannot download the {name}"))
                    .because(error)
                    .remedy(remedy)));
            }
        },
    };
    let found = Sha256::of(&bytes);
    if found != pinned {
        return Err(Error::invalid(format!("the {name} does not match the pinned sha256: it has {found}"))
            .at(url)
            .remedy("review its content; to accept it, pin that sha256"));
    }
    if let Some(path) = cached {
        // Without a cache it is downloaded again the next time.
        let made = path.parent().map_or(Ok(()), fs::create_dir_all);
        drop(made.and_then(|()| fs::write(&path, &bytes)));
    }
    String::from_utf8(bytes)
        .map(Ok)
        .map_err(|_| Error::invalid(format!("the {name} is not UTF-8 text")).at(url))
}

fn cache() -> Option<PathBuf> {
    let given = std::env::var_os("XDG_CACHE_HOME").filter(|path| !path.is_empty()).map(PathBuf::from);
    let usual = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    Some(given.or_else(usual)?.join("monctl/dashboards"))
}

/// Checks that no two dashboards have the same value of `what`.
fn differ(
    dashboards: &[Dashboard],
    names: &[String],
    what: &str,
    of: impl Fn(&Dashboard) -> (String, String),
) -> Result<()> {
    let mut seen: BTreeMap<(String, String), &String> = BTreeMap::new();
    for (dashboard, name) in dashboards.iter().zip(names) {
        let value = of(dashboard);
        if let Some(first) = seen.get(&value) {
            let text = format!("{first} and {name} have the same {what}, `{}`", value.1);
            return Err(
                Error::invalid(text).remedy(format!("give one of them another {what}, beside its `path`"))
            );
        }
        seen.insert(value, name);
    }
    Ok(())
}
