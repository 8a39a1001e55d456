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
