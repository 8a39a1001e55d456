//! `app.include`: files that are copied to hosts although git ignores them.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use ignore::gitignore::GitignoreBuilder;
use ignore::{DirEntry, Error, WalkBuilder};

use super::app_names::IncludePattern;

/// Caches and environments, which are not copied as part of a folder.
const NEVER_PART: [&str; 3] = [".git", "__pycache__", "node_modules"];

impl IncludePattern {
    /// The files and links that the pattern selects, relative to the folder: those that it matches, and those below a
    /// folder that it matches.
    ///
    /// # Errors
    /// When the pattern is not a valid glob, or a folder cannot be read.
    pub(crate) fn files(&self, folder: &Path) -> Result<BTreeSet<PathBuf>, Error> {
        let mut rules = GitignoreBuilder::new(folder);
        rules.add_line(None, &format!("/{self}"))?;
        let rules = rules.build()?;
        let begin = folder.join(self.fixed_part());
        if let Err(error) = begin.symlink_metadata() {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(BTreeSet::new()),
                _ => Err(error.into()),
            };
        }
        let walk = WalkBuilder::new(&begin)
            .standard_filters(false)
            .filter_entry(|entry| entry.depth() == 0 || !is_never_part(entry))
            .build();
        let mut found = BTreeSet::new();
        for entry in walk {
            let entry = entry?;
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            let path = entry.path().strip_prefix(folder).unwrap_or(entry.path());
            if !is_folder && rules.matched_path_or_any_parents(path, false).is_ignore() {
                found.insert(path.to_owned());
            }
        }
        Ok(found)
    }

    /// The part before the first wildcard: no other files can match.
    fn fixed_part(&self) -> PathBuf {
        self.as_str().split('/').take_while(|part| !part.contains(['*', '?', '[', '{'])).collect()
    }
}

fn is_never_part(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    NEVER_PART.contains(&&*name) || name.ends_with(".pyc") || entry.path().join("pyvenv.cfg").is_file()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn files(pattern: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["built/a.css", "built/deep/b.css", "built/__pycache__/c.pyc", "shop/local.py", "local.py", "a b"]
        {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let pattern: IncludePattern = pattern.parse().unwrap();
        let found = pattern.files(folder.path()).unwrap();
        found.iter().map(|path| path.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_pattern_selects_files_and_whole_folders_from_the_top() {
        for (pattern, expected) in [
            ("built", &["built/a.css", "built/deep/b.css"][..]),
            ("built/*.css", &["built/a.css"]),
            ("built/**/*.css", &["built/a.css", "built/deep/b.css"]),
            ("*/local.py", &["shop/local.py"]),
            ("local.py", &["local.py"]),
            ("**/local.py", &["local.py", "shop/local.py"]),
            ("built/__pycache__/c.pyc", &["built/__pycache__/c.pyc"]),
            ("a b", &["a b"]),
            ("b*/d*", &["built/deep/b.css"]),
            ("local.py/x", &[]),
            ("absent", &[]),
        ] {
            assert_eq!(files(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_is_not_a_glob_is_an_error() {
        let pattern: IncludePattern = "[z-a]".parse().unwrap();
        assert!(pattern.files(Path::new("/tmp")).is_err());
    }
}
