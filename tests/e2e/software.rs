//! How software is obtained: Debian's programs, packed as upstream packs its releases and served by a mirror in
//! the project's network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use monctl::host::HostName;
use tempfile::TempDir;

use crate::programs::PACKAGES;
use crate::site::{APP, MONITORING, Site};
use crate::support::release_mirror::ReleaseMirror;
use crate::support::tools::required;

const ALERTMANAGER: &str = "alertmanager-0.0.1.linux-amd64";

/// Programs of a machine as a release: by their names there and in the tarball.
fn pack(into: &Path, release: &str, programs: &[(PathBuf, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join(release)).unwrap();
    for (from, to) in programs {
        fs::copy(from, folder.path().join(release).join(to)).unwrap();
    }
    let tarball = into.join(format!("{release}.tar.gz"));
    let packed = Command::new("tar")
        .args(["--use-compress-program", "gzip -1", "-cf"])
        .args([&tarball, Path::new("-C"), folder.path(), Path::new(release)])
        .status();
    assert!(packed.unwrap().success());
}

fn mirror_of_debians_programs(site: &Site) -> ReleaseMirror {
    let program = |host: HostName, name: &str| {
        site.project.folder().join(format!("machines/{host}/root/usr/bin")).join(name)
    };
    let folder = TempDir::new().unwrap();
    let prometheus = ["prometheus", "promtool"].map(|name| (program(MONITORING, name), name));
    let alertmanager = [("prometheus-alertmanager", "alertmanager"), ("amtool", "amtool")]
        .map(|(debians, name)| (program(MONITORING, debians), name));
    let exporter = [(program(APP, "prometheus-node-exporter"), "node_exporter")];
    pack(folder.path(), "prometheus-0.0.1.linux-amd64", &prometheus);
    pack(folder.path(), ALERTMANAGER, &alertmanager);
    pack(folder.path(), "node_exporter-0.0.1.linux-amd64", &exporter);
    let this_computer = site.on(MONITORING, "ip -4 route show default | cut -d' ' -f3");
    ReleaseMirror::of(folder, this_computer.parse().unwrap())
}

/// The file that a unit's process was started from.
fn program_of(site: &Site, host: HostName, unit: &str) -> String {
    let process = site.process(host, unit);
    site.on(host, &format!("readlink /proc/{process}/exe"))
}

/// What runs on the hosts.
fn programs(site: &Site) -> [String; 3] {
    [(MONITORING, "prometheus"), (MONITORING, "alertmanager"), (APP, "node-exporter")]
        .map(|(host, unit)| program_of(site, host, unit))
}

const RELEASES: [&str; 3] = [
    "/opt/monctl/prometheus/prometheus",
    "/opt/monctl/alertmanager/alertmanager",
    "/opt/monctl/node_exporter/node_exporter",
];

pub fn releases_replace_packages(site: &Site) {
    let of_this_run = site.programs.install();
    if site.programs.are_releases() {
        assert_eq!(programs(site), RELEASES);
        site.edit("monctl.yaml", &of_this_run, PACKAGES);
        site.converge();
        site.targets_are_up(4);
    }
    let debians = ["prometheus", "prometheus-alertmanager", "prometheus-node-exporter"];
    assert_eq!(programs(site), debians.map(|name| format!("/usr/bin/{name}")));

    let mirror = mirror_of_debians_programs(site);
    let releases = format!(
        "install: {{release: {{mirror: \"{}\", catalogue: {}}}}}",
        mirror.base,
        mirror.catalogue().display()
    );
    site.edit("monctl.yaml", PACKAGES, &releases);
    site.converge();
    assert_eq!(programs(site), RELEASES);
    site.targets_are_up(4);

    // A replaced program is detected, and only its units are restarted.
    let before = site.processes();
    let replace = "cd /opt/monctl/alertmanager && cp alertmanager new && echo >>new && mv new alertmanager";
    site.on(MONITORING, replace);
    let found = site.findings(MONITORING);
    let is_told = found
        .iter()
        .any(|finding| finding.step == "alertmanager-release" && finding.why == "files were changed by hand");
    assert!(is_told, "{found:#?}");
    site.converge();
    assert_eq!(site.processes().changed_since(&before), ["alertmanager"]);

    // A file other than the pinned one is refused, and the running version stays.
    let before = site.processes();
    fs::write(mirror.tarball(&format!("{ALERTMANAGER}.tar.gz")), "something else").unwrap();
    site.on(MONITORING, "rm /opt/monctl/alertmanager/amtool");
    site.monctl("up --yes").code(1).stdout_contains("has another SHA-256 digest");
    assert_eq!(site.processes().changed_since(&before), Vec::<&str>::new());

    site.edit("monctl.yaml", &releases, &of_this_run);
    site.converge();
}

/// A Python of this computer that the machines do not have: its minor version.
fn another_python(site: &Site) -> Result<u32, String> {
    let of_machine = site.on(APP, "/usr/bin/python3 -c 'import sys; print(sys.version_info[1])'");
    (10..20)
        .find(|minor| {
            minor.to_string() != of_machine && Path::new(&format!("/usr/bin/python3.{minor}")).is_file()
        })
        .ok_or_else(|| format!("/usr/bin has no other one than Python 3.{of_machine}"))
}

/// Packs a Python of this computer like a release of python-build-standalone, with metadata for uv.
fn pack_python(into: &Path, minor: u32) {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        "mkdir -p {root}/python/bin {root}/python/lib && cp /usr/bin/python3.{minor} {root}/python/bin/ && \
         cp -rL /usr/lib/python3.{minor} {root}/python/lib/ && rm -rf {root}/python/lib/*/config-* && \
         ln -s python3.{minor} {root}/python/bin/python3 && \
         tar -C {root} --use-compress-program 'gzip -1' -cf {tarball} python && sha256sum {tarball} | cut -d ' ' -f 1",
        root = folder.path().display(),
        tarball = into.join("python-release.tar.gz").display(),
    );
    let packed = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(packed.status.success(), "{packed:?}");
    let arch = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x86_64" };
    let metadata = serde_json::json!({
        (format!("cpython-3.{minor}.0-linux-{arch}-gnu")): {
            "name": "cpython", "arch": {"family": arch, "variant": null}, "os": "linux", "libc": "gnu",
            "major": 3, "minor": minor, "patch": 0, "prerelease": "", "variant": null, "build": "20990101",
            "url": "https://github.com/astral-sh/python-build-standalone/releases/download/20990101/python-release.tar.gz",
            "sha256": String::from_utf8(packed.stdout).unwrap().trim(),
        }
    });
    fs::write(into.join("pythons.json"), metadata.to_string()).unwrap();
}

pub fn another_python_comes_from_the_mirror(site: &Site) {
    let Some(minor) = required("another Python than that of the machines", another_python(site)) else {
        return;
    };
    let of_this_run = site.programs.install();
    let before = site.on(APP, "readlink /opt/monctl/app");

    // A condition that the host's Python satisfies downloads nothing.
    site.edit("monctl.yaml", "  wsgi:", "  python: \">=3.9\"\n  wsgi:");
    site.converge();
    assert!(site.on(APP, "readlink -f /opt/monctl/app/bin/python").starts_with("/usr/bin/"));

    // One that nobody has is named before anything is built.
    site.edit("monctl.yaml", "\">=3.9\"", "\"3.99\"");
    let missing = site.monctl("up --yes").code(1);
    missing.stderr_contains("Python 3.99 (app.python) is not available: the host has 3.");

    // The program lies below the mirror; nothing that the build user may write is linked to.
    let folder = TempDir::new().unwrap();
    pack_python(folder.path(), minor);
    let this_computer = site.on(MONITORING, "ip -4 route show default | cut -d' ' -f3");
    let mirror = ReleaseMirror::of(folder, this_computer.parse().unwrap());
    site.on(
        APP,
        &format!("echo UV_PYTHON_DOWNLOADS_JSON_URL={}/pythons.json >>/etc/environment", mirror.base),
    );
    site.edit("monctl.yaml", "\"3.99\"", &format!("\"3.{minor}\""));
    site.edit(
        "monctl.yaml",
        &of_this_run,
        &format!("install: {{distribution: {{mirror: \"{}\"}}}}", mirror.base),
    );
    site.converge();
    let program = site.on(APP, "readlink /opt/monctl/app/bin/python");
    assert!(program.starts_with(&format!("/opt/monctl/pythons/cpython-3.{minor}.")), "{program}");
    assert_eq!(program_of(site, APP, "app"), site.on(APP, &format!("readlink -f {program}")));
    assert_eq!(site.on(APP, "find /opt/monctl/pythons ! -user root"), "");
    assert_eq!(site.on(APP, "ls -A /opt/monctl/pythons | grep -v cpython || true"), "");

    // What is removed by hand comes back, with its environment.
    site.on(APP, "rm -r /opt/monctl/pythons");
    site.converge();
    assert_eq!(site.on(APP, "readlink /opt/monctl/app/bin/python"), program);

    site.edit("monctl.yaml", &format!("  python: \"3.{minor}\"\n"), "");
    site.edit(
        "monctl.yaml",
        &format!("install: {{distribution: {{mirror: \"{}\"}}}}", mirror.base),
        &of_this_run,
    );
    site.on(APP, "sed -i /UV_PYTHON/d /etc/environment");
    site.converge();
    assert_eq!(site.on(APP, "readlink /opt/monctl/app"), before);
    assert_eq!(site.on(APP, "ls -A /opt/monctl/pythons"), "");
}
