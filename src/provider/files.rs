//! Files of providers: records that are written atomically, and files in a machine's root,
//! where a link must never lead out to this computer's own files.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::own_files;

/// Creates a folder and its parents, accessible to their owner only.
pub(super) fn create_folder(path: &Path) -> Result<()> {
    own_files::create_folder(path).map_err(|error| cannot("make", path, error))
}

/// Writes a file by renaming it into place; a power failure leaves the old content or the new one.
pub(super) fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    own_files::replace(path, content, mode).map_err(|error| cannot("write", path, error))
}

/// Writes a record as JSON by renaming it into place.
pub(super) fn write_json(path: &Path, record: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(record).map_err(|error| cannot("write", path, error.into()))?;
    write(path, format!("{text}\n").as_bytes(), 0o600)
}

/// The paths of a folder's entries, sorted; empty if the folder does not exist.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|error| cannot("read", folder, error))?,
    };
    let paths: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    let mut paths = paths.map_err(|error| cannot("read", folder, error))?;
    paths.sort();
    Ok(paths)
}

/// The last part of a path as text; `None` if it is not valid UTF-8.
pub(super) fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// The names in a folder that parse as `T`, sorted; other names are skipped.
pub(super) fn named<T: FromStr + Ord>(folder: &Path) -> Result<Vec<T>> {
    // Entries whose names do not parse are not ours.
    let mut found: Vec<T> = entries(folder)?.iter().filter_map(|path| name(path)?.parse().ok()).collect();
    found.sort();
    Ok(found)
}

/// Reads a text file; `None` if it does not exist.
pub(super) fn read_text(path: &Path) -> Result<Option<String>> {
    own_files::read(path).map_err(|error| cannot("read", path, error))
}

/// Reads a record; `None` if it does not exist.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let Some(text) = read_text(path)? else { return Ok(None) };
    let parsed = serde_json::from_str(&text);
    parsed.map(Some).map_err(|error| {
        cannot("parse", path, error.into()).remedy(
            "repair the file, or remove the project with `monctl down` and create it again with `monctl up`",
        )
    })
}

/// Writes a file in a machine's root. Does not follow links on the path, and replaces a link at its end.
pub(super) fn write_in_root(root: &Path, inside: &str, content: &str, mode: u32) -> Result<()> {
    let path = root.join(inside);
    let mut folder = root.to_owned();
    for part in Path::new(inside).parent().into_iter().flat_map(Path::components) {
        let Component::Normal(part) = part else {
            return Err(cannot("write", &path, io::ErrorKind::InvalidInput.into()));
        };
        folder.push(part);
        match fs::symlink_metadata(&folder) {
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err(cannot("enter", &folder, io::ErrorKind::NotADirectory.into())),
            Err(_) => make_visible_folder(&folder)?,
        }
    }
    write(&path, content.as_bytes(), mode)
}

fn make_visible_folder(path: &Path) -> Result<()> {
    let mode = if path.ends_with(".ssh") { 0o700 } else { 0o755 };
    let result = fs::create_dir(path).and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)));
    result.map_err(|error| cannot("make", path, error))
}

/// Removes a file, or a folder with its content. Succeeds if it does not exist.
pub(super) async fn remove(path: &Path) -> Result<()> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir());
    let removed =
        if is_folder { tokio::fs::remove_dir_all(path).await } else { tokio::fs::remove_file(path).await };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot("remove", path, error)),
        _ => Ok(()),
    }
}

pub(super) fn cannot(verb: &str, path: &Path, error: io::Error) -> Error {
    Error::failed(format!("cannot {verb} `{}`", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_in_a_machine_never_leads_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "kept").unwrap();

        symlink(outside.join("file"), root.join("etc/resolv.conf")).unwrap();
        write_in_root(&root, "etc/resolv.conf", "new", 0o644).unwrap();
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "kept");
        assert_eq!(fs::read_to_string(root.join("etc/resolv.conf")).unwrap(), "new");

        symlink(&outside, root.join("etc/apt")).unwrap();
        assert!(write_in_root(&root, "etc/apt/file", "new", 0o644).is_err());
        assert!(write_in_root(&root, "../outside/file", "new", 0o644).is_err());
        assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "kept");
    }

    #[tokio::test]
    async fn files_and_folders_are_removed_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir_all(path("kept/inner")).unwrap();
        fs::create_dir_all(path("folder/inner")).unwrap();
        fs::write(path("file"), "").unwrap();
        symlink(path("kept"), path("link")).unwrap();
        for name in ["file", "folder", "link", "none"] {
            remove(&path(name)).await.unwrap();
            assert!(fs::symlink_metadata(path(name)).is_err(), "{name}");
        }
        assert!(path("kept/inner").exists());
    }

    #[test]
    fn a_folder_that_is_not_there_is_empty_and_one_that_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("b"), "").unwrap();
        fs::create_dir(path("a")).unwrap();
        assert_eq!(entries(folder.path()).unwrap(), [path("a"), path("b")]);
        assert!(entries(&path("none")).unwrap().is_empty());
        assert!(entries(&path("b")).unwrap_err().message().contains("cannot read"));
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        assert_eq!(read_json::<Vec<u8>>(&path).unwrap(), None);
        write_json(&path, &[1, 2]).unwrap();
        assert_eq!(read_json::<Vec<u8>>(&path).unwrap(), Some(vec![1, 2]));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&path, "[1,").unwrap();
        assert!(read_json::<Vec<u8>>(&path).is_err());
    }
}
