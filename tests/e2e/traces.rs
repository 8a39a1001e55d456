//! Finds traces of a project on this computer, independently of the provider's own code: the kernel's lists are
//! searched for the project's name, its folder and the names that its machines were started with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::test_project::TestProject;

/// Words by which traces of one project are recognized.
pub struct Traces {
    /// The project's name, its folder, its bridge, its machines' names on this computer.
    words: Vec<String>,
    folder: PathBuf,
}

impl Traces {
    /// Looks while the project's machines run, since some names can only be learned then.
    pub fn of(project: &TestProject) -> Self {
        let folder = project.folder();
        let mut words = vec![project.name.to_string()];
        for line in command_lines().iter().filter(|line| line.contains(&format!("{}/", folder.display()))) {
            let value = |option: &str| line.split(' ').find_map(|word| word.strip_prefix(option));
            words
                .extend(["--machine=", "--network-bridge="].into_iter().filter_map(value).map(str::to_owned));
        }
        words.sort();
        words.dedup();
        Self { words, folder }
    }

    /// All current traces, one line each.
    pub fn found(&self) -> Vec<String> {
        let lists = [
            run("ip", &["-oneline", "link"]),
            run("ip", &["-4", "-oneline", "route"]),
            run("nft", &["list", "tables"]),
            fs::read_to_string("/proc/self/mountinfo").unwrap(),
            command_lines().join("\n"),
            listing(Path::new("/sys/fs/cgroup"), 3).join("\n"),
            listing(Path::new("/run/monctl"), 1).join("\n"),
            listing(Path::new("/run/systemd"), 3).join("\n"),
            listing(Path::new("/var/lib/monctl"), 2).join("\n"),
        ];
        let is_trace = |line: &&str| self.words.iter().any(|word| line.contains(word));
        lists.iter().flat_map(|list| list.lines()).filter(is_trace).map(str::to_owned).collect()
    }

    /// Removes the project's bridge; returns whether it had one.
    pub fn remove_bridge(&self) -> bool {
        let bridge = self.words.iter().find(|word| word.starts_with("mon-"));
        bridge.map(|bridge| run("ip", &["link", "delete", bridge])).is_some()
    }

    /// The processes in control groups that are named after the project's machines.
    fn processes(&self) -> Vec<String> {
        let is_ours = |path: &Path| {
            let group = fs::read_to_string(path.join("cgroup")).unwrap_or_default();
            self.words.iter().any(|word| group.contains(&format!("monctl-{word}")))
        };
        let entries = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
        let ids = entries.filter(|path| is_ours(path));
        ids.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect()
    }

    /// Ends everything that a reboot of this computer ends, and keeps the disk.
    pub fn end_as_a_reboot_does(&self) {
        while !self.processes().is_empty() {
            for id in self.processes() {
                run("sh", &["-c", "kill -KILL \"$1\"", "sh", &id]);
            }
        }
        for machine in fs::read_dir(self.folder.join("machines")).unwrap().flatten() {
            run("umount", &["--lazy", &machine.path().join("root").to_string_lossy()]);
        }
        self.remove_bridge();
        let name = self.folder.file_name().unwrap().to_string_lossy();
        run("nft", &["delete", "table", "inet", &format!("monctl-{name}")]);
    }
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn command_lines() -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

fn listing(folder: &Path, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        found.push(entry.path().display().to_string());
        if depth > 1 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(listing(&entry.path(), depth - 1));
        }
    }
    found
}
