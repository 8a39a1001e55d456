//! Everything that exists of a project on this computer, found by the project's name alone, and its removal.
//! `down` removes what is found here and then looks here again.

use std::fs;

use super::disk::mounts_below;
use super::names::{Names, STATE};
use super::{disk, groups, network, record};
use crate::error::{Error, Result};
use crate::host::ProjectName;
use crate::provider::Piece;

/// All pieces of the project that exist now.
pub(super) async fn find(names: &Names) -> Result<Vec<Piece>> {
    let mut found: Vec<Piece> =
        record::hosts(names).into_iter().map(|host| Piece::Machine(host.to_string())).collect();
    let groups = groups::find(|name| name.starts_with(&names.group_prefix()))?;
    found.extend(groups::processes(&groups).into_iter().map(Piece::Process));
    found.extend(groups.into_iter().map(Piece::ControlGroup));
    found.extend(mounts_below(&names.folder())?.into_iter().map(Piece::Mount));
    found.extend(network::interfaces(names)?.into_iter().map(Piece::Interface));
    if network::has_table(&names.table()).await {
        found.push(Piece::Table(names.table()));
    }
    if names.folder().exists() {
        found.push(Piece::Folder(names.folder()));
    }
    Ok(found)
}

/// Removes all pieces and says which there were. A piece that resists does not keep the others alive.
pub(super) async fn remove(names: &Names) -> Result<Vec<Piece>> {
    let found = find(names).await?;
    let groups = groups::find(|name| name.starts_with(&names.group_prefix()))?;
    let mut failures = Vec::new();
    failures.extend(groups::end(&groups).await.err());
    for piece in &found {
        failures.extend(remove_piece(piece).await.err());
    }
    match failures.into_iter().next() {
        None => Ok(found),
        Some(error) => Err(Error::failed(format!("project `{}` is not removed altogether", names.project()))
            .remedy("run `monctl down` again")
            .because(error)),
    }
}

async fn remove_piece(piece: &Piece) -> Result<()> {
    match piece {
        Piece::Interface(name) => network::remove_interface(name).await,
        Piece::Table(name) => network::remove_table(name).await,
        // Unmounts what is mounted below, too.
        Piece::Folder(path) => disk::remove(path).await,
        // Gone with their groups, or with the folder.
        Piece::Machine(_) | Piece::Process(_) | Piece::ControlGroup(_) | Piece::Mount(_) => Ok(()),
    }
}

/// The names of the folders of projects.
pub(super) fn projects() -> Vec<ProjectName> {
    let entries = fs::read_dir(STATE).into_iter().flatten().flatten();
    let mut projects: Vec<ProjectName> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    projects.sort();
    projects
}
