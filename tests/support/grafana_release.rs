//! The Grafana of the tests: the release whose tarball `MONCTL_TEST_GRAFANA` names, or else the stand-in of
//! `tests/doubles/grafana`.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use monctl::digest::Sha256;

const NAMED_BY: &str = "MONCTL_TEST_GRAFANA";

/// A release as it was packed.
#[derive(Debug, Clone)]
pub struct Release {
    pub tarball: PathBuf,
    pub sha256: Sha256,
    /// Where it is unpacked.
    pub home: PathBuf,
}

impl Release {
    /// The given one; none if the stand-in is used.
    pub fn named() -> Option<Self> {
        static NAMED: OnceLock<Option<Release>> = OnceLock::new();
        let unpacked = || env::var_os(NAMED_BY).map(|path| Self::unpack(Path::new(&path)));
        NAMED.get_or_init(unpacked).clone()
    }

    /// Unpacked once for all tests that follow.
    fn unpack(tarball: &Path) -> Self {
        let tarball = fs::canonicalize(tarball).expect("`MONCTL_TEST_GRAFANA` names a file");
        let sha256 = Sha256::of(fs::read(&tarball).unwrap());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let home = folder.join(format!("grafana-{}", sha256.short()));
        if !home.is_dir() {
            let fresh = tempfile::tempdir_in(folder).unwrap();
            let mut tar = Command::new("tar");
            tar.args(["--no-same-owner", "--strip-components=1", "-xzf"]).arg(&tarball);
            assert!(tar.arg("-C").arg(fresh.path()).status().unwrap().success(), "{}", tarball.display());
            // Another test has unpacked the same.
            let _ = fs::rename(fresh.path(), &home);
        }
        Self { tarball, sha256, home }
    }

    /// Its version, as it reports itself.
    pub fn version(&self) -> String {
        fs::read_to_string(self.home.join("VERSION")).unwrap().trim().to_owned()
    }

    /// Puts it into the folder of a mirror under the name that releases have there.
    pub fn offer_in(&self, folder: &Path) {
        let arch = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        let name = format!("grafana-{}.linux-{arch}.tar.gz", self.version());
        symlink(&self.tarball, folder.join(name)).unwrap();
    }
}

/// Packs the stand-in as a release of this version.
pub fn pack_stand_in(folder: &Path, version: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doubles/grafana/pack.py");
    let mut python = Command::new("python3");
    python.arg("-B").arg(program).args(["--version", version, "--out"]).arg(folder);
    let packed = python.output().expect("python3 runs");
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    let output = String::from_utf8(packed.stdout).unwrap();
    output.trim().split_once("  ").expect("a digest and a path").1.into()
}

/// Runs a test of this binary again, with the stand-in as the release that is named.
pub fn run_again_with_a_release(test: &str) {
    assert!(env::var_os(NAMED_BY).is_none(), "the release that is named is not used");
    let folder = tempfile::tempdir().unwrap();
    let tarball = pack_stand_in(folder.path(), "9.4.77");
    let mut again = Command::new(env::current_exe().unwrap());
    let ran = again.args(["--exact", test]).env(NAMED_BY, tarball).output().unwrap();
    let output = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && output.contains("1 passed"), "{output}");
}
