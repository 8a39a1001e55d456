//! Serves release tarballs, such as the stand-in for Grafana's, with a catalogue that pins them.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::grafana_release::{Release, pack_stand_in};

/// Names a folder with release tarballs of the monitoring programs, which the hosts of tests then install.
const PROGRAMS_NAMED_BY: &str = "MONCTL_TEST_RELEASES";
const PROGRAMS: [&str; 3] = ["prometheus", "alertmanager", "node_exporter"];

/// The release tarball of each monitoring program, in the version that monctl pins; none where no folder is named.
pub fn named_programs() -> Option<[PathBuf; 3]> {
    let folder = env::var_os(PROGRAMS_NAMED_BY)?;
    let folder = fs::canonicalize(folder).expect("`MONCTL_TEST_RELEASES` names a folder");
    let pinned: serde_json::Value =
        serde_json::from_str(include_str!("../../templates/releases.json")).unwrap();
    let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    Some(PROGRAMS.map(|product| {
        let version = pinned["defaults"][product].as_str().unwrap();
        let tarball = folder.join(format!("{product}-{version}.linux-{arch}.tar.gz"));
        assert!(tarball.is_file(), "`MONCTL_TEST_RELEASES` lacks {}", tarball.display());
        tarball
    }))
}

/// A mirror that serves until it is dropped.
pub struct ReleaseMirror {
    process: Child,
    /// What `mirror:` in a spec is set to.
    pub base: String,
    folder: TempDir,
}

impl ReleaseMirror {
    /// Serves the Grafana that is named, or the stand-in, beside the monitoring programs that are named, on an address of
    /// this computer that the machines of a test reach.
    pub fn with_grafana(address: IpAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        match Release::named() {
            Some(release) => release.offer_in(folder.path()),
            None => drop(pack_stand_in(folder.path(), "9.4.0")),
        }
        for tarball in named_programs().into_iter().flatten() {
            offer(folder.path(), &tarball);
        }
        Self::of(folder, address)
    }

    /// Serves the monitoring programs that are named; nothing where none are.
    pub fn with_programs(address: IpAddr) -> Option<Self> {
        let tarballs = named_programs()?;
        let folder = tempfile::tempdir().unwrap();
        for tarball in tarballs {
            offer(folder.path(), &tarball);
        }
        Some(Self::of(folder, address))
    }

    /// Serves the tarballs of a folder.
    pub fn of(folder: TempDir, address: IpAddr) -> Self {
        // A user who is not root reads the catalogue, too.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
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
        assert!(base.starts_with("http://"), "the mirror printed {base:?}");
        Self { process, base: base.trim().to_owned(), folder }
    }

    /// A tarball that it serves.
    pub fn tarball(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Stops serving a product; its catalogue names it all the same.
    pub fn withdraw(&self, product: &str) {
        let named = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{product}-")))
        };
        let mut files = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        fs::remove_file(files.find(named).expect("it was served")).unwrap();
    }

    /// What `catalogue:` in a spec is set to.
    pub fn catalogue(&self) -> PathBuf {
        self.folder.path().join("catalogue.json")
    }
}

/// Puts a tarball into the folder of a mirror.
fn offer(folder: &Path, tarball: &Path) {
    symlink(tarball, folder.join(tarball.file_name().unwrap())).unwrap();
}

impl Drop for ReleaseMirror {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
