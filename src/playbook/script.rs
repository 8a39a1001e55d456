//! Scripts for hosts: a gzipped tar that `bootstrap.sh` unpacks and runs. What is secret travels in
//! it, on standard input of the remote command, and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::{Change, Inputs, Probes, Step, StepKind};
use crate::digest::Sha256;
use crate::host::{ProjectName, Role};

/// Where a host keeps the digest that each step had when it was last applied to its end.
pub const APPLIED_DIRECTORY: &str = "/var/lib/monctl/applied";

/// How a host notes down what is changed there; every script that changes or reads that carries it.
const MANIFEST: &str = include_str!("../../playbooks/lib/manifest.sh");

/// What root does with files that others made or may change.
const TREE: &str = include_str!("../../playbooks/lib/tree.py");

/// What the application's user does with its own.
const DATA: &str = include_str!("../../playbooks/lib/data.py");

/// The input of [`bootstrap`] on a host.
#[derive(Clone)]
pub struct Script(Vec<u8>);

impl Script {
    /// The bytes for standard input.
    pub fn input(&self) -> &[u8] {
        &self.0
    }
}

/// The words of the remote command that runs a [`Script`].
pub fn bootstrap() -> [&'static str; 3] {
    ["sh", "-c", include_str!("../../playbooks/lib/bootstrap.sh")]
}

/// The script that answers these questions.
pub fn facts_script(probes: &Probes) -> Script {
    let effects = probes.effects.iter().fold(String::new(), |mut text, (unit, command)| {
        text.push_str(&format!("{unit}\t{}\n", quote_words(command)));
        text
    });
    let files = probes.files.iter().fold(String::new(), |mut text, (path, wanted)| {
        text.push_str(&format!("{}\t{}\t{path}\n", wanted.sha256, if wanted.shown { "yes" } else { "no" }));
        text
    });
    Tarball::new()
        .file("run.sh", include_str!("../../playbooks/lib/facts.sh"))
        .file("manifest.sh", MANIFEST)
        .file("data.py", DATA)
        .file("probes/beside", lines(&probes.beside))
        .file("probes/packages", lines(&probes.packages))
        .file("probes/users", lines(&probes.users))
        .file("probes/units", lines(&probes.units))
        .file("probes/installed", lines(&probes.installed))
        .file("probes/links", lines(&probes.links))
        .file("probes/effects", effects)
        .file("probes/files", &files)
        .finish()
}

fn lines(items: &BTreeSet<String>) -> String {
    items.iter().flat_map(|item| [item.as_str(), "\n"]).collect()
}

/// What a host notes down of who set it up.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    /// The project.
    pub project: &'a ProjectName,
    /// What the host is there for.
    pub role: Role,
}

/// What [`removal_script`] is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Tell what there is.
    List,
    /// Take it back.
    Remove,
}

/// The script that tells or takes back what the record of a host says.
pub fn removal_script(removal: Removal, project: &ProjectName) -> Script {
    let action = match removal {
        Removal::List => "list",
        Removal::Remove => "remove",
    };
    Tarball::new()
        .file("run.sh", include_str!("../../playbooks/lib/remove.sh"))
        .file("manifest.sh", MANIFEST)
        .file("tree.py", TREE)
        .file("request", format!("{action}\t{project}\n"))
        .finish()
}

/// The script that makes these changes, each with its step, in this order.
pub fn apply_script(changes: &[(Step, Change)], inputs: &Inputs, identity: Identity) -> Script {
    let payloads = by_digest(inputs);
    let mut archive = Tarball::new()
        .file("run.sh", include_str!("../../playbooks/lib/run.sh"))
        .file("manifest.sh", MANIFEST)
        .file("identity", format!("{}\t{}\n", identity.project, identity.role))
        .file("library.sh", include_str!("../../playbooks/lib/library.sh"))
        .file("application.sh", include_str!("../../playbooks/lib/application.sh"))
        .file("build.sh", include_str!("../../playbooks/lib/build.sh"))
        .file("hardening.conf", include_str!("../../templates/partials/hardening.conf"))
        .file("tree.py", TREE)
        .file("data.py", DATA)
        .file("sequence", sequence(changes));
    for (step, change) in changes {
        archive = archive.file(&format!("steps/{}.sh", step.id), step_script(change));
        for digest in &change.payloads {
            if let Some(bytes) = payloads.get(digest) {
                archive = archive.file(&format!("payload/{digest}"), bytes);
            }
        }
        if matches!(&step.kind, StepKind::Service(service) if service.carries_tree()) {
            archive = archive.tree(inputs);
        }
    }
    archive.finish()
}

/// One line a step: id, lane or `-`, lanes to wait for.
fn sequence(changes: &[(Step, Change)]) -> String {
    changes.iter().fold(String::new(), |mut text, (step, _)| {
        let lane = step.lane.as_deref().unwrap_or("-");
        text.push_str(&format!("{}\t{lane}\t{}\n", step.id, step.join.join(" ")));
        text
    })
}

fn step_script(change: &Change) -> String {
    let mut text = String::from(". ./library.sh\n");
    for command in &change.commands {
        text.push_str(&format!("{}\n", quote_words(&command.0)));
    }
    text
}

fn by_digest(inputs: &Inputs) -> BTreeMap<Sha256, &[u8]> {
    inputs
        .files
        .values()
        .chain(inputs.requirements.files.values())
        .chain(inputs.tree.files.values().map(|(file, _)| file))
        .map(|file| (file.sha256(), file.bytes()))
        .collect()
}

/// A word of a shell command: the one place that quotes for shells.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Words as one line that a shell reads as these words.
pub(super) fn quote_words(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

/// A tar in memory.
struct Tarball(tar::Builder<GzEncoder<Vec<u8>>>);

impl Tarball {
    fn new() -> Self {
        Self(tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast())))
    }

    fn file(mut self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        self.add(path, bytes.as_ref(), 0o600);
        self
    }

    fn tree(mut self, inputs: &Inputs) -> Self {
        for (path, (file, executable)) in &inputs.tree.files {
            self.add(&format!("tree/{path}"), file.bytes(), if *executable { 0o700 } else { 0o600 });
        }
        self.file("tree.manifest", inputs.tree.manifest())
    }

    /// Writing to memory cannot fail, and paths that tar cannot hold were refused when the tree was read.
    #[allow(clippy::expect_used)]
    fn add(&mut self, path: &str, bytes: &[u8], mode: u32) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        self.0.append_data(&mut header, path, bytes).expect("a tar in memory takes every relative path");
    }

    #[allow(clippy::expect_used)]
    fn finish(self) -> Script {
        let mut encoder = self.0.into_inner().expect("writing to memory cannot fail");
        encoder.flush().expect("writing to memory cannot fail");
        Script(encoder.finish().expect("writing to memory cannot fail"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        let words = ["plain-1.0", "", "two words", "it's", "$HOME `x` \"q\" \\ *", "-n", "é\nnew line"];
        let line: Vec<String> = words.iter().map(|word| quote(word)).collect();
        let script = format!("printf '%s\\0' {}", line.join(" "));
        let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        let seen: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().split_terminator('\0').collect();
        assert_eq!(seen, words);
    }
}
