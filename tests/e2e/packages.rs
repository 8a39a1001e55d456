//! What users install: the Debian package that `packaging/build.sh` builds, here from the binary of these tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use monctl::host::HostName;
use tempfile::TempDir;

use crate::test_project::{TestProject, runtime};

const APP: HostName = HostName::app(1);

/// A stranger's first commands with the installed package.
const FIRST_COMMANDS: &str = r#"set -eu
apt-get -qq update >/dev/null
apt-get -qq install ./monctl.deb >/dev/null 2>&1
monctl --version
zcat /usr/share/man/man1/monctl-verify-alert.1.gz | grep -c '^\.TH'
mkdir shop
cd shop
printf 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n' >manage.py
echo 'Django==5.2.*' >requirements.txt
mkdir shop
echo 'application = None' >shop/wsgi.py
touch shop/__init__.py shop/settings.py
monctl init --yes >/dev/null
monctl render --dry-run | grep -c 'job_name: "node-exporter"'
"#;

/// A word that a person completes with the tabulator, on a terminal.
const COMPLETION: &str = r"cd shop && {
	echo '. /usr/share/bash-completion/completions/monctl'
	printf 'monctl explain HighC\t\n'
	echo exit
} | TERM=dumb script --quiet --command 'bash --norc -i' /dev/null";

#[test]
fn what_is_built_is_installed_on_a_bare_machine_and_works() {
    let Some(project) = TestProject::new() else { return };
    let folder = TempDir::new().unwrap();
    build(folder.path());
    let version = format!("monctl {} (with aws)", env!("CARGO_PKG_VERSION"));

    runtime().block_on(async {
        project.provider.create_network().await.unwrap();
        project.provider.create_machine(APP).await.unwrap();
    });
    let package = fs::File::open(only(folder.path(), "deb")).unwrap();
    let config = project.folder().join("ssh/config");
    run(Command::new("ssh").arg("-F").arg(config).args(["app", "cat >monctl.deb"]).stdin(package));
    assert_eq!(project.output(APP, FIRST_COMMANDS), format!("{version}\n1\n1"));
    let shown = project.output(APP, COMPLETION);
    assert!(shown.contains("HighCPUUsage") && shown.contains("pending"), "{shown}");
    assert_eq!(
        project.output(APP, "apt-get -qq purge monctl >/dev/null 2>&1; command -v monctl || echo gone"),
        "gone"
    );
}

fn build(folder: &Path) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/build.sh");
    run(Command::new(script).arg(folder).arg(env!("CARGO_BIN_EXE_monctl")));
}

/// The only file in a folder with this extension.
fn only(folder: &Path, extension: &str) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == extension)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// What a command printed that must succeed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}
