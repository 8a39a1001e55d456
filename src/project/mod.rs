//! What of the user's computer goes to hosts: the application's folder, its requirements, and where
//! release tarballs are. Reads files, changes nothing; `commands/` calls it once a run.

mod releases;
mod requirements;
mod tree;

pub use releases::releases;
pub use requirements::requirements;
pub use tree::tree;
