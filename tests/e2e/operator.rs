//! A user without root on another computer: their own home with ssh keys, `known_hosts` and `config`, a spec
//! with `provider: hosts`, and the real binary. Nothing of this computer's own accounts is touched: the account exists
//! in the binary's mount namespace only.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::site::{SECRETS, keeps_secrets};
use crate::support::binary::{Monctl, Ran};
use crate::turns;

/// The account's number, which is unused here.
const NUMBER: u32 = 54_321;
const ENTER: &str = "mount --bind \"$1\" /etc/passwd && shift && \
    exec setpriv --reuid 54321 --regid 54321 --clear-groups -- \"$@\"";

pub struct Operator {
    folder: TempDir,
}

impl Operator {
    /// With a key without passphrase, an empty `known_hosts`, the binary and the example application.
    pub fn new() -> Self {
        let operator = Self { folder: TempDir::new().unwrap() };
        for folder in ["home/.ssh", "bin"] {
            fs::create_dir_all(operator.path(folder)).unwrap();
        }
        let accounts = fs::read_to_string("/etc/passwd").unwrap();
        let home = operator.path("home").display().to_string();
        let own = format!("operator:x:{NUMBER}:{NUMBER}::{home}:/bin/bash\n");
        fs::write(operator.path("passwd"), format!("{accounts}{own}")).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_monctl"), operator.path("bin/monctl")).unwrap();
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notes");
        run(Command::new("cp").arg("-rT").args([example, operator.path("home/app")]));
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-f"])
            .arg(operator.path("home/.ssh/id_ed25519")));
        operator.own();
        operator
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The public half of the key.
    pub fn key(&self) -> String {
        fs::read_to_string(self.path("home/.ssh/id_ed25519.pub")).unwrap().trim().to_owned()
    }

    /// Writes a file of the operator, readable only by the operator.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        self.own();
    }

    #[track_caller]
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "no {from:?} in {name}:\n{text}");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// Everything in the home is the operator's own.
    fn own(&self) {
        fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        run(Command::new("chown").args(["-R", &format!("{NUMBER}:{NUMBER}")]).arg(self.path("home")));
        run(Command::new("chmod").args(["-R", "go="]).arg(self.path("home/.ssh")));
        chown(self.path("home"), Some(NUMBER), Some(NUMBER)).unwrap();
    }

    /// The words before the binary's own.
    fn enter(&self) -> Vec<String> {
        let mut words: Vec<String> =
            ["unshare", "--mount", "sh", "-c", ENTER, "sh"].iter().map(ToString::to_string).collect();
        words.push(self.path("passwd").display().to_string());
        words
    }

    /// A call of the binary by the operator in their home.
    pub fn call(&self, words: &str) -> Monctl {
        Monctl::behind(&self.enter(), &self.path("bin/monctl"))
            .current_dir(self.path("home"))
            .env("HOME", self.path("home"))
            .env_remove("XDG_DATA_HOME")
            .env_remove("SSH_AUTH_SOCK")
            .env("NOTES_SECRET_KEY", SECRETS[0])
            .args(words.split(' '))
    }

    /// Starts the binary, and as soon as an event holds `moment`, kills it and does `meanwhile`.
    #[track_caller]
    pub fn kill_at(&self, words: &str, moment: &str, meanwhile: impl FnOnce()) {
        let _turn = turns::of(words.split(' '));
        let mut command = Command::new("unshare");
        command
            .args(&self.enter()[1..])
            .arg(self.path("bin/monctl"))
            .args(["--output", "json"])
            .args(words.split(' '))
            .current_dir(self.path("home"))
            .env("HOME", self.path("home"))
            .env_remove("XDG_DATA_HOME")
            .env("NOTES_SECRET_KEY", SECRETS[0])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let mut output = String::new();
        while !output.contains(moment) {
            assert!(lines.read_line(&mut output).unwrap() > 0, "it ended before {moment}:\n{output}");
        }
        // The words before the binary's own became it.
        child.kill().unwrap();
        child.wait().unwrap();
        meanwhile();
    }

    #[track_caller]
    pub fn monctl(&self, words: &str) -> Ran {
        let _turn = turns::of(words.split(' '));
        keeps_secrets(self.call(words).run())
    }
}

#[track_caller]
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}
