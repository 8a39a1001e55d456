//! What git tracks of a folder, as `git ls-files` lists it: a rule of `.gitignore` does not apply to these files.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};

/// What git tracks of a folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tracked {
    /// The folder is in no work tree of git.
    NoWorkTree,
    /// The folder is in a work tree, but this computer has no git.
    NoGit,
    /// Paths relative to the folder. A submodule that is not checked out is one path.
    Files(BTreeSet<PathBuf>),
}

impl Tracked {
    /// Lists what git tracks of a folder, which has no links in its path.
    ///
    /// # Errors
    /// When git fails.
    pub fn below(folder: &Path) -> Result<Self> {
        Self::listed_by("git", folder)
    }

    fn listed_by(git: &str, folder: &Path) -> Result<Self> {
        if !folder.ancestors().any(|above| above.join(".git").exists()) {
            return Ok(Self::NoWorkTree);
        }
        let failed = || {
            let command = format!("git -C {} ls-files", folder.display());
            Error::invalid(format!("git cannot list the files of `{}`", folder.display()))
                .remedy(format!("see what `{command}` reports, and correct it; nothing was changed"))
        };
        // No program that the repository's own configuration names runs.
        let output = Command::new(git)
            .args(["-c", "core.fsmonitor=false", "ls-files", "-z", "--cached", "--recurse-submodules"])
            .current_dir(folder)
            // Set while git runs a hook: they are about another folder.
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE")
            .stdin(Stdio::null())
            .output();
        let output = match output {
            Ok(output) if output.status.success() => output,
            Ok(output) => {
                return Err(failed().because(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::NoGit),
            Err(error) => return Err(failed().because(error)),
        };
        let names = output.stdout.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        Ok(Self::Files(names.map(|name| PathBuf::from(OsString::from_vec(name.to_vec()))).collect()))
    }

    /// Whether git tracks a path relative to the folder.
    pub fn has(&self, path: &Path) -> bool {
        matches!(self, Self::Files(files) if files.contains(path))
    }

    /// The tracked paths at or below a path, both relative to the folder.
    pub fn at_or_below(&self, path: &Path) -> Vec<PathBuf> {
        let Self::Files(files) = self else { return Vec::new() };
        files.range(path.to_owned()..).take_while(|file| file.starts_with(path)).cloned().collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use super::*;

    /// Runs git in a folder.
    pub fn git(folder: &Path, words: &[&str]) {
        let status = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"])
            .args(words)
            .current_dir(folder)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "{words:?}");
    }

    fn paths(names: &[&str]) -> BTreeSet<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn what_git_tracks_below_a_folder_is_relative_to_it() {
        let top = tempfile::tempdir().unwrap();
        let app = top.path().canonicalize().unwrap().join("app");
        fs::create_dir_all(app.join("sub")).unwrap();
        for name in ["a b", "sub/c.py", "sub-d", "untracked"] {
            fs::write(app.join(name), "").unwrap();
        }
        fs::write(top.path().join("outside"), "").unwrap();
        assert_eq!(Tracked::below(&app).unwrap(), Tracked::NoWorkTree);
        git(top.path(), &["init", "--quiet"]);
        git(top.path(), &["add", "outside", "app/a b", "app/sub", "app/sub-d"]);
        let tracked = Tracked::below(&app).unwrap();
        assert_eq!(tracked, Tracked::Files(paths(&["a b", "sub/c.py", "sub-d"])));
        assert!(tracked.has(Path::new("a b")) && !tracked.has(Path::new("untracked")));
        assert_eq!(tracked.at_or_below(Path::new("sub")), [PathBuf::from("sub/c.py")]);
        assert_eq!(tracked.at_or_below(Path::new("")).len(), 3);
    }

    #[test]
    fn a_computer_without_git_and_a_git_that_fails_differ() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".git"), "gitdir: /nowhere/at/all\n").unwrap();
        assert_eq!(Tracked::listed_by("no-such-git", folder.path()).unwrap(), Tracked::NoGit);
        let error = Tracked::below(folder.path()).unwrap_err();
        assert!(error.message().contains("git cannot list the files"), "{error}");
        assert!(error.hint().unwrap().contains("ls-files"), "{error}");
        assert!(!error.causes().is_empty());
    }
}
