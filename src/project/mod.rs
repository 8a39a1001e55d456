//! Files of the user's computer that go to hosts: the application's folder, its requirements and its version of Python, the catalogue of release
//! tarballs, and the user's own dashboards. Reads files, changes nothing; `commands/` calls it once a run.

mod dashboard;
mod link;
mod notices;
mod python;
mod releases;
mod requirements;
mod tracked;
mod tree;

pub use dashboard::Exported;
pub use notices::{Notices, notices};
pub use python::python;
pub use releases::releases;
pub use requirements::requirements;
pub use tree::{AppFolder, app_folder};

use crate::error::Result;
use crate::spec::Loaded;

/// The application's folder, which is there only where monctl deploys it, and what the user should know about it.
///
/// # Errors
/// See [`app_folder`].
pub fn application(loaded: &Loaded) -> Result<(Option<AppFolder>, Notices)> {
    if !loaded.spec.app.deploy {
        return Ok((None, Notices::of_watched(&loaded.spec.app)));
    }
    let folder = app_folder(&loaded.app_dir(), &loaded.spec.app.include)?;
    let notices = notices(&folder, loaded);
    Ok((Some(folder), notices))
}
