//! Scripts for hosts: a gzipped tar that `bootstrap.sh` unpacks and runs. Secrets travel only in
//! it, on standard input of the remote command.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::change::StepChange;
use super::facts::Probes;
use super::inputs::{File, FileContent, Inputs};
use super::quote::quote_words;
use super::step::Step;
use crate::digest::{Hashing, Sha256};
use crate::host::{ProjectName, Role};

/// Where a host stores the digest of each step when it was last applied completely.
pub const APPLIED_DIRECTORY: &str = "/var/lib/monctl/applied";

/// Library for the record of changes on a host; part of every script that writes or reads the record.
const MANIFEST: &str = include_str!("../../playbooks/lib/manifest.sh");
/// Library for using apt alongside other processes.
const APT: &str = include_str!("../../playbooks/lib/apt.sh");

/// Library for root's handling of files of other users.
const TREE: &str = include_str!("../../playbooks/lib/tree.py");

/// Library that the application's user runs on its own files.
const DATA: &str = include_str!("../../playbooks/lib/data.py");

/// The input of [`bootstrap`] on a host, as the files that it is made of.
#[derive(Clone, Default)]
pub struct Script(Vec<Entry>);

#[derive(Clone)]
struct Entry {
    path: String,
    mode: u32,
    content: FileContent,
    /// The expected digest of content that is read when it is sent.
    sha256: Option<Sha256>,
}

impl Script {
    /// Writes it, file by file and piece by piece; `open` opens a file of this computer.
    ///
    /// # Errors
    /// If a file cannot be read or has changed since the plan was made, or the output cannot be written. The output is
    /// then incomplete, and a host refuses it.
    pub fn write<R: Read>(
        &self,
        target: impl Write,
        open: impl Fn(&Path) -> io::Result<R>,
    ) -> io::Result<()> {
        let mut archive = tar::Builder::new(GzEncoder::new(target, Compression::fast()));
        for Entry { path, mode, content, sha256 } in &self.0 {
            let mut header = tar::Header::new_gnu();
            header.set_mode(*mode);
            match content {
                FileContent::Memory(bytes) => {
                    header.set_size(bytes.len() as u64);
                    archive.append_data(&mut header, path, &bytes[..])?;
                }
                FileContent::Disk(place, size) => {
                    header.set_size(*size);
                    let mut reader = Hashing::new(open(place)?.take(*size));
                    archive.append_data(&mut header, path, &mut reader)?;
                    if sha256.map(|sha256| (sha256, *size)) != Some(reader.finish()) {
                        let text = format!("`{}` changed while it was sent", place.display());
                        return Err(io::Error::other(text));
                    }
                }
            }
        }
        archive.into_inner()?.finish()?.flush()
    }

    fn file(mut self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        let content = FileContent::Memory(bytes.as_ref().into());
        self.0.push(Entry { path: path.to_owned(), mode: 0o600, content, sha256: None });
        self
    }

    fn payload(&mut self, path: String, file: &File, mode: u32) {
        self.0.push(Entry { path, mode, content: file.content().clone(), sha256: Some(file.sha256()) });
    }

    fn tree(mut self, inputs: &Inputs) -> Self {
        for (path, (file, executable)) in &inputs.tree.files {
            self.payload(format!("tree/{path}"), file, if *executable { 0o700 } else { 0o600 });
        }
        self.file("tree.manifest", inputs.tree.manifest())
    }
}

/// The words of the remote command that runs a [`Script`].
pub fn bootstrap() -> [&'static str; 3] {
    ["sh", "-c", include_str!("../../playbooks/lib/bootstrap.sh")]
}

/// The script that answers these probes.
pub fn facts_script(probes: &Probes) -> Script {
    let effects = probes.effects.iter().fold(String::new(), |mut text, (unit, command)| {
        text.push_str(&format!("{unit}\t{}\n", quote_words(command)));
        text
    });
    let files = probes.files.iter().fold(String::new(), |mut text, (path, wanted)| {
        text.push_str(&format!("{}\t{}\t{path}\n", wanted.sha256, if wanted.shown { "yes" } else { "no" }));
        text
    });
    Script::default()
        .file("run.sh", include_str!("../../playbooks/lib/facts.sh"))
        .file("manifest.sh", MANIFEST)
        .file("data.py", DATA)
        .file("probes/beside", lines(&probes.beside))
        .file("probes/packages", lines(&probes.packages))
        .file("probes/users", lines(&probes.users))
        .file("probes/units", lines(&probes.units))
        .file("probes/sets", lines(&probes.sets))
        .file("probes/installed", lines(&probes.installed))
        .file("probes/links", lines(&probes.links))
        .file("probes/effects", effects)
        .file("probes/files", &files)
}

fn lines(items: &BTreeSet<String>) -> String {
    items.iter().flat_map(|item| [item.as_str(), "\n"]).collect()
}

/// The owner that a host records.
#[derive(Debug, Clone, Copy)]
pub struct HostIdentity<'a> {
    /// The project.
    pub project: &'a ProjectName,
    /// The role of the host.
    pub role: Role,
}

/// The action of [`removal_script`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// List what would be removed.
    List,
    /// Remove it.
    Remove,
}

/// The script that lists or undoes the changes in a host's record.
pub fn removal_script(removal: Removal, project: &ProjectName) -> Script {
    let action = match removal {
        Removal::List => "list",
        Removal::Remove => "remove",
    };
    Script::default()
        .file("run.sh", include_str!("../../playbooks/lib/remove.sh"))
        .file("manifest.sh", MANIFEST)
        .file("tree.py", TREE)
        .file("apt.sh", APT)
        .file("request", format!("{action}\t{project}\n"))
}

/// The script that makes these changes, each with its step, in this order. `is_released`: another host runs the release
/// commands.
pub fn apply_script(
    changes: &[(Step, StepChange)],
    inputs: &Inputs,
    identity: HostIdentity,
    is_released: bool,
) -> Script {
    let payloads = by_digest(inputs);
    let mut script = Script::default()
        .file("run.sh", include_str!("../../playbooks/lib/run.sh"))
        .file("manifest.sh", MANIFEST)
        .file("identity", format!("{}\t{}\n", identity.project, identity.role))
        .file("apt.sh", APT)
        .file("library.sh", include_str!("../../playbooks/lib/library.sh"))
        .file("application.sh", include_str!("../../playbooks/lib/application.sh"))
        .file("build.sh", include_str!("../../playbooks/lib/build.sh"))
        .file("python.sh", include_str!("../../playbooks/lib/python.sh"))
        .file("find-python.sh", include_str!("../../playbooks/lib/find-python.sh"))
        .file("diagnose.py", include_str!("../../playbooks/lib/diagnose.py"))
        .file("hardening.conf", include_str!("../../templates/partials/hardening.conf"))
        .file("tree.py", TREE)
        .file("data.py", DATA)
        .file("sequence", sequence(changes));
    if is_released {
        script = script.file("released", "");
    }
    for (step, change) in changes {
        script = script.file(&format!("steps/{}.sh", step.id), step_script(change));
        for digest in &change.payloads {
            if let Some(file) = payloads.get(digest) {
                script.payload(format!("payload/{digest}"), file, 0o600);
            }
        }
        if step.carries_tree() {
            script = script.tree(inputs);
        }
    }
    script
}

/// One line per step: id, lane or `-`, lanes to wait for.
fn sequence(changes: &[(Step, StepChange)]) -> String {
    changes.iter().fold(String::new(), |mut text, (step, _)| {
        let lane = step.lane.as_deref().unwrap_or("-");
        text.push_str(&format!("{}\t{lane}\t{}\n", step.id, step.join.join(" ")));
        text
    })
}

fn step_script(change: &StepChange) -> String {
    let mut text = String::from(". ./library.sh\n");
    for command in &change.commands {
        text.push_str(&format!("{}\n", quote_words(&command.0)));
    }
    text
}

/// Payload that is identified by its digest.
fn by_digest(inputs: &Inputs) -> BTreeMap<Sha256, &File> {
    let files = inputs.files.values().chain(inputs.requirements.files.values());
    files.chain(inputs.tree.files.values().map(|(file, _)| file)).map(|file| (file.sha256(), file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens files of an empty disk.
    fn opening(content: &'static [u8]) -> impl Fn(&Path) -> io::Result<&'static [u8]> {
        move |_| Ok(content)
    }

    #[test]
    fn a_file_that_changed_since_the_plan_is_not_sent() {
        let large = File::on_disk(Path::new("/app/large"), 5, Sha256::of("large"));
        let mut script = Script::default().file("small", "small");
        script.payload("tree/large".into(), &large, 0o600);
        let mut sent = Vec::new();
        script.write(&mut sent, opening(b"large")).unwrap();
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&sent[..]));
        let names = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (entry.path().unwrap().display().to_string(), text)
        });
        let expected = [("small", "small"), ("tree/large", "large")].map(|(a, b)| (a.into(), b.into()));
        assert_eq!(names.collect::<Vec<(String, String)>>(), expected);
        for changed in [&b"lirge"[..], b"larg"] {
            let error = script.write(io::sink(), opening(changed)).unwrap_err();
            assert_eq!(error.to_string(), "`/app/large` changed while it was sent");
        }
    }

    #[test]
    fn words_survive_a_shell() {
        let words = ["plain-1.0", "", "two words", "it's", "$HOME `x` \"q\" \\ *", "-n", "é\nnew line"];
        let line: Vec<String> = words.iter().map(|word| super::super::quote::quote(word)).collect();
        let script = format!("printf '%s\\0' {}", line.join(" "));
        let output = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
        let seen: Vec<&str> = std::str::from_utf8(&output.stdout).unwrap().split_terminator('\0').collect();
        assert_eq!(seen, words);
    }
}
