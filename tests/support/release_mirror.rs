//! Serves release tarballs, such as the stand-in for Grafana's, with a catalogue that pins them.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a helper's failure is the test's failure")]

#[path = "grafana_release.rs"]
pub mod grafana_release;

use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use grafana_release::{Release, pack_stand_in};

/// A mirror that serves until it is dropped.
pub struct ReleaseMirror {
    process: Child,
    /// What `mirror:` in a spec is set to.
    pub base: String,
    folder: TempDir,
}

impl ReleaseMirror {
    /// Serves the release that is named, or the stand-in, on an address of this computer that the machines of a test reach.
    pub fn with_grafana(address: IpAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        match Release::named() {
            Some(release) => release.offer_in(folder.path()),
            None => drop(pack_stand_in(folder.path(), "9.4.0")),
        }
        Self::of(folder, address)
    }

    /// Serves the tarballs of a folder.
    pub fn of(folder: TempDir, address: IpAddr) -> Self {
        let doubles = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doubles");
        let mut process = Command::new("python3")
            .arg("-B")
            .arg(doubles.join("mirror.py"))
            .args(["--address", &address.to_string(), "--folder"])
            .arg(folder.path())
            .arg("--catalogue")
            .arg(folder.path().join("catalogue.json"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut base = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut base).unwrap();
        assert!(base.starts_with("http://"), "the mirror said {base:?}");
        Self { process, base: base.trim().to_owned(), folder }
    }

    /// A tarball that it serves.
    pub fn tarball(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What `catalogue:` in a spec is set to.
    pub fn catalogue(&self) -> PathBuf {
        self.folder.path().join("catalogue.json")
    }
}

impl Drop for ReleaseMirror {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
