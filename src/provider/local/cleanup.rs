//! Everything that exists of a project on this computer, found by the project's name alone, and its removal.
//! `down` removes what is found here and then checks again.

use std::path::Path;

use super::super::piece::Piece;
use super::disk::mounts_below;
use super::names::{Names, STATE};
use super::{disk, files, groups, machine_record, network, nspawn, units};
use crate::error::{Error, Result};
use crate::host::ProjectName;

/// Maximum number of removal rounds.
const ROUNDS: usize = 3;

/// All pieces of the project that exist now.
pub(super) async fn find(names: &Names) -> Result<Vec<Piece>> {
    let hosts = machine_record::hosts(names)?;
    let mut found: Vec<Piece> = hosts.iter().map(|host| Piece::Machine(host.to_string())).collect();
    found.extend(hosts.iter().filter_map(|host| nspawn::lock(&names.machine(*host))).map(Piece::File));
    let runtime = nspawn::folders(|name| name.starts_with(&names.machine_prefix()))?;
    found.extend(runtime.into_iter().map(Piece::Folder));
    let groups = groups::find(|name| name.starts_with(&names.group_prefix()))?;
    found.extend(Some(groups::processes(&groups)?.len()).filter(|count| *count > 0).map(Piece::Processes));
    found.extend(groups.into_iter().map(Piece::ControlGroup));
    found.extend(units::find(&pattern(names)).await?.into_iter().map(Piece::Unit));
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

/// Matches the units of all machines.
fn pattern(names: &Names) -> String {
    format!("{}*", names.group_prefix())
}

/// Removes all pieces and returns them. Checks again afterwards: processes of a run that was just killed may have
/// created more meanwhile.
pub(super) async fn remove(names: &Names) -> Result<Vec<Piece>> {
    let mut removed = Vec::new();
    for _ in 0..ROUNDS {
        let found = find(names).await?;
        if found.is_empty() {
            break;
        }
        remove_all(names, &found).await?;
        removed.extend(found);
    }
    removed.sort();
    removed.dedup();
    Ok(removed)
}

/// Removes these pieces. A failure does not prevent the removal of the others.
async fn remove_all(names: &Names, pieces: &[Piece]) -> Result<()> {
    let groups = groups::find(|name| name.starts_with(&names.group_prefix()))?;
    let mut failures = Vec::from_iter(groups::end(&groups).await.err());
    failures.extend(units::stop(&pattern(names)).await.err());
    for piece in pieces {
        failures.extend(remove_piece(piece).await.err());
    }
    match failures.into_iter().next() {
        None => Ok(()),
        Some(error) => {
            Err(Error::failed(format!("project `{}` was not removed completely", names.project()))
                .remedy("run `monctl down` again")
                .because(error))
        }
    }
}

async fn remove_piece(piece: &Piece) -> Result<()> {
    match piece {
        Piece::Interface(name) => network::remove_interface(name).await,
        Piece::Table(name) => network::remove_table(name).await,
        // Unmounts what is mounted below, too.
        Piece::File(path) | Piece::Folder(path) => disk::remove(path).await,
        // Removed with their groups, units or folder. Pieces of clouds and existing hosts are not found here.
        _ => Ok(()),
    }
}

/// The names of the folders of projects.
pub(super) fn projects() -> Result<Vec<ProjectName>> {
    files::named(Path::new(STATE))
}
