//! The content of the base image, as data, and the image's name, which is derived from it: each recipe has its own
//! image.

use std::env;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::digest::Sha256;
use crate::error::{Error, Result};

/// The release of Debian that machines run.
const SUITE: &str = "trixie";

/// Packages beyond the minimal Debian: what ssh access needs, and what Debian's cloud images contain, too.
const PACKAGES: [&str; 14] = [
    "ca-certificates",
    "curl",
    "dbus",
    "iproute2",
    "libpam-systemd",
    "netbase",
    "nftables",
    "openssh-server",
    "procps",
    "python3",
    "sudo",
    "systemd",
    "systemd-sysv",
    "tzdata",
];

const CUSTOMIZE: &str = include_str!("customize-image.sh");

/// Debian's folder for CA certificates that an administrator adds to the system's.
const CERTIFICATES: &str = "/usr/local/share/ca-certificates";

/// Everything that decides what is in the base image.
#[derive(Debug)]
pub(super) struct Recipe {
    /// The extra CA certificates of this computer: path and content.
    certificates: Vec<(PathBuf, Vec<u8>)>,
    /// Lines of apt's sources list; empty for mmdebstrap's default.
    sources: Vec<String>,
}

impl Recipe {
    /// The recipe with this computer's certificates and apt sources.
    pub fn of_this_computer() -> Result<Self> {
        let certificates = certificates(Path::new(CERTIFICATES)).map_err(|error| {
            Error::could_not_run("cannot read this computer's CA certificates")
                .at(CERTIFICATES)
                .because(error)
        })?;
        // A computer without this file is not Debian.
        let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
        Ok(Self { certificates, sources: sources(&release, &apt_files()) })
    }

    /// The name of the image: Debian's release and the recipe's hash.
    pub fn name(&self) -> String {
        let how = self.arguments().into_iter().chain([env::consts::ARCH.to_owned()]).map(String::into_bytes);
        let certificates = self.certificates.iter();
        let what =
            certificates.flat_map(|(path, content)| [path.as_os_str().as_bytes().to_vec(), content.clone()]);
        format!("debian-{SUITE}-{}", Sha256::of_fields(how.chain(what)).short())
    }

    /// The arguments of `make-image.sh` after the target.
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec![SUITE.to_owned(), self.sources.join("\n")];
        arguments.extend(["--mode=root", "--format=directory", "--variant=minbase"].map(String::from));
        arguments.push(format!("--include={}", PACKAGES.join(",")));
        if !self.certificates.is_empty() {
            arguments.push(format!("--customize-hook=copy-in {CERTIFICATES} /usr/local/share"));
        }
        arguments.push(format!("--customize-hook={CUSTOMIZE}"));
        arguments
    }
}

/// The `*.crt` files in and below a folder, sorted; empty if the folder does not exist.
fn certificates(folder: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        other => other?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(certificates(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "crt") {
            let content = fs::read(&path)?;
            found.push((path, content));
        }
    }
    found.sort();
    Ok(found)
}

/// The contents of this computer's apt sources.
fn apt_files() -> Vec<String> {
    // A file that does not exist, or is not text, names no mirror; mmdebstrap then uses its default.
    let folder = fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.path()).collect();
    paths.push(PathBuf::from("/etc/apt/sources.list"));
    paths.sort();
    // As above.
    paths.iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
}

/// This computer's Debian mirrors, for the machines' release. Empty if it does not run Debian, or uses no HTTP mirror
/// of its own release; then mmdebstrap's default applies.
fn sources(os_release: &str, files: &[String]) -> Vec<String> {
    let Some(codename) = os_release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME=")) else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    for (uri, suite) in files.iter().flat_map(|file| archives(file)) {
        let part = suite.strip_prefix(codename.trim_matches('"'));
        if let Some(part @ ("" | "-updates" | "-security")) = part.filter(|_| is_debian(&uri)) {
            lines.push(format!("deb {uri} {SUITE}{part} main"));
        }
    }
    lines.sort();
    lines.dedup();
    let has_release = lines.iter().any(|line| line.ends_with(&format!(" {SUITE} main")));
    if has_release { lines } else { Vec::new() }
}

fn is_debian(uri: &str) -> bool {
    let is_web = uri.starts_with("http://") || uri.starts_with("https://");
    let path = uri.trim_end_matches('/');
    is_web && (path.ends_with("/debian") || path.ends_with("/debian-security"))
}

/// URI and suite of each archive of binary packages in a file, in either of apt's two formats.
fn archives(file: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for stanza in file.split("\n\n") {
        let lines: Vec<&str> = stanza.lines().filter(|line| !line.starts_with('#')).collect();
        let field = |name: &str| -> Vec<&str> {
            let values = lines.iter().filter_map(|line| line.split_once(':'));
            let value = values.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
            value.flat_map(str::split_whitespace).collect()
        };
        let is_off = field("enabled").iter().any(|value| value.eq_ignore_ascii_case("no"));
        if field("types").contains(&"deb") && !is_off {
            let suites = field("suites");
            let pairs =
                field("uris").into_iter().flat_map(|uri| suites.iter().map(move |suite| (uri, *suite)));
            found.extend(pairs.map(|(uri, suite)| (uri.to_owned(), suite.to_owned())));
        }
        found.extend(lines.iter().filter_map(|line| one_line_archive(line)));
    }
    found
}

/// `deb [options] URI SUITE COMPONENT…`
fn one_line_archive(line: &str) -> Option<(String, String)> {
    let rest = line.strip_prefix("deb ")?.trim_start();
    let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
    let mut words = rest.split_whitespace();
    Some((words.next()?.to_owned(), words.next()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOKWORM: &str = "ID=debian\nVERSION_CODENAME=bookworm\n";

    fn recipe(certificate: &str) -> Recipe {
        let certificates = vec![(PathBuf::from("/x/ca.crt"), certificate.into())];
        Recipe { certificates, sources: Vec::new() }
    }

    #[test]
    fn another_recipe_is_another_image() {
        assert_eq!(recipe("a").name(), recipe("a").name());
        assert_ne!(recipe("a").name(), recipe("b").name());
        let elsewhere =
            Recipe { sources: vec!["deb http://mirror.example/debian trixie main".into()], ..recipe("a") };
        assert_ne!(recipe("a").name(), elsewhere.name());
    }

    #[test]
    fn mirrors_of_this_computer_serve_machines_too() {
        let deb822 = "# a comment\nTypes: deb deb-src\nURIs: http://mirror.example/debian\n\
            Suites: bookworm bookworm-updates bookworm-backports\nComponents: main\n\n\
            Types: deb\nURIs: http://mirror.example/debian-security/\nSuites: bookworm-security\nComponents: main\n";
        let expected = [
            "deb http://mirror.example/debian trixie main",
            "deb http://mirror.example/debian trixie-updates main",
            "deb http://mirror.example/debian-security/ trixie-security main",
        ];
        assert_eq!(sources(BOOKWORM, &[deb822.to_owned()]), expected);
        let one_line =
            "deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib\n";
        assert_eq!(sources(BOOKWORM, &[one_line.to_owned()]), expected[..1]);
    }

    #[test]
    fn archives_that_are_not_debians_are_left_out() {
        let files = [
            "deb https://packages.example bookworm main\n",
            "deb cdrom:[x]/debian bookworm main\n",
            "Types: deb\nEnabled: no\nURIs: http://mirror.example/debian\nSuites: bookworm\n",
            "deb http://mirror.example/debian-security bookworm-security main\n",
        ];
        for file in files {
            assert!(sources(BOOKWORM, &[file.to_owned()]).is_empty(), "{file}");
        }
        let ubuntu = "VERSION_CODENAME=noble\n";
        assert!(sources(ubuntu, &["deb http://mirror.example/ubuntu noble main\n".to_owned()]).is_empty());
    }

    #[test]
    fn certificates_are_found_in_folders_too() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("corp")).unwrap();
        for name in ["b.crt", "corp/a.crt", "readme.txt"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let found = certificates(folder.path()).unwrap();
        let names: Vec<_> = found.iter().map(|(path, _)| path.strip_prefix(folder.path()).unwrap()).collect();
        assert_eq!(names, [Path::new("b.crt"), Path::new("corp/a.crt")]);
        assert!(certificates(&folder.path().join("none")).unwrap().is_empty());
    }
}
