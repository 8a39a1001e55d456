//! Facts about a host: the probes, the output of the facts script, and its parser.
//!
//! All probes of a playbook go to a host at once, and one script answers them in one round trip.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine;

use super::change::ChangeKind;
use super::settings_report::SettingsReport;
use crate::digest::Sha256;
use crate::error::{Error, Result};

/// The probes of a playbook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Probes {
    /// Packages: installed?
    pub packages: BTreeSet<String>,
    /// System users: present?
    pub users: BTreeSet<String>,
    /// Units: loaded, active, enabled?
    pub units: BTreeSet<String>,
    /// Links to active sets: the installed units of these sets and of their earlier versions?
    pub sets: BTreeSet<String>,
    /// Folders that monctl fills as a whole: their source, and unchanged since?
    pub installed: BTreeSet<String>,
    /// Symbolic links: their targets?
    pub links: BTreeSet<String>,
    /// Where hosts of the previous version have code and data side by side: user, folder and list of the code,
    /// separated by tabs.
    pub beside: BTreeSet<String>,
    /// Effects of units outside systemd: the command that prints them, by unit.
    pub effects: BTreeMap<String, Vec<String>>,
    /// Files: mode, owner, digest; and the content if its digest differs and it may be shown.
    pub files: BTreeMap<String, WantedFile>,
}

/// The expected file, so that the host sends its content only if needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedFile {
    /// The expected digest.
    pub sha256: Sha256,
    /// Whether its content may be sent back for a diff.
    pub shown: bool,
}

/// A file as it is on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileFact {
    /// Permission bits in octal, as `stat` prints them: `640`.
    pub mode: String,
    /// The owner's name.
    pub owner: String,
    /// The group's name.
    pub group: String,
    /// The digest of the content; none if it is not a regular file.
    pub sha256: Option<Sha256>,
    /// The content, if it differs from the expected one and may be shown.
    pub content: Option<String>,
}

/// A unit as systemd sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitFact {
    /// `LoadState`: `loaded`, `masked`, `not-found` …
    pub load: String,
    /// `ActiveState`: `active`, `inactive`, `failed` …
    pub active: String,
    /// `UnitFileState`: `enabled`, `disabled` …
    pub file: String,
    /// `NeedDaemonReload`.
    pub stale: bool,
    /// `NRestarts`: number of automatic restarts.
    pub restarts: u32,
    /// `ActiveEnterTimestampMonotonic`: when it became active, since the host's start.
    pub active_since: Duration,
}

/// A folder that monctl filled as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// The digest of its source.
    pub source: Sha256,
    /// Whether names, sizes, modes, owners and times are still those of the installation.
    pub intact: bool,
}

/// A folder that could not be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The digest of its intended source.
    pub source: Sha256,
    /// The URL of that source.
    pub url: String,
    /// Why it failed.
    pub why: String,
}

/// The system of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct System {
    /// `ID` of os-release: `debian`, `ubuntu` …
    pub id: String,
    /// `VERSION_ID`: `13`, `24.04`; empty if not released yet.
    pub version: String,
    /// `PRETTY_NAME`, for people.
    pub name: String,
    /// Whether systemd is its first process.
    pub systemd: bool,
    /// Whether it has apt.
    pub apt: bool,
}

/// Supported systems of hosts. The oldest ones have Python 3.10, the package `python3-pip-whl` and an apt that
/// installs non-interactively.
pub const SUPPORTED: &str = "hosts run Debian 12 or newer, or Ubuntu 22.04 or newer, with systemd";

impl System {
    /// Why the system is not supported; none if it is.
    pub fn obstacle(&self) -> Option<String> {
        let version: f32 =
            if self.version.is_empty() { f32::MAX } else { self.version.parse().unwrap_or(0.0) };
        let known = match self.id.as_str() {
            "debian" => version >= 12.0,
            "ubuntu" => version >= 22.04,
            _ => false,
        };
        let name = if self.name.is_empty() { "a system without a name" } else { &self.name };
        if !known {
            Some(format!("it runs {name}"))
        } else if !self.systemd {
            Some(format!("it runs {name} without systemd"))
        } else if !self.apt {
            Some(format!("it runs {name} without apt"))
        } else {
            None
        }
    }
}

/// The owner in a host's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The project's name.
    pub project: String,
    /// The role for which it was set up: `app`, `monitoring`.
    pub role: String,
}

/// All facts of a host. The default is a host without anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its system; none if the host does not exist yet.
    pub system: Option<System>,
    /// Identity of the running machine: equal for two names of one machine, different between machines.
    pub identity: String,
    /// The project that set the host up, if any.
    pub owner: Option<Owner>,
    /// The architecture as `uname -m` names it; empty if the host does not exist yet.
    pub machine: String,
    /// The number of processors.
    pub processors: u32,
    /// The packages that are installed.
    pub packages: BTreeSet<String>,
    /// The users that exist.
    pub users: BTreeSet<String>,
    /// Units by name.
    pub units: BTreeMap<String, UnitFact>,
    /// Installed units of sets and of their earlier versions, by the link to the active set.
    pub set_units: BTreeMap<String, BTreeSet<String>>,
    /// Folders by path.
    pub installed: BTreeMap<String, Installed>,
    /// Symbolic links by path.
    pub links: BTreeMap<String, String>,
    /// Whether the effect of units is unchanged since their last start, by unit.
    pub effects: BTreeMap<String, bool>,
    /// Files by path.
    pub files: BTreeMap<String, FileFact>,
    /// Folders that could not be filled a short while ago.
    pub failed: BTreeMap<String, Failed>,
    /// The digest of each step when it was last applied completely.
    pub applied: BTreeMap<String, Sha256>,
    /// Files that an application wrote next to its code, on a host of the previous version: paths below that folder.
    pub beside: Vec<String>,
    /// What the settings of the application that runs reveal; none before its first deploy.
    pub settings: Option<SettingsReport>,
}

/// Length of an invalid line that is shown.
const SHOWN_CHARACTERS: usize = 200;

impl Facts {
    /// The architecture; the most common one if the host does not exist yet.
    pub fn machine(&self) -> &str {
        if self.machine.is_empty() { "x86_64" } else { &self.machine }
    }

    /// What is wrong with a folder that should have been made from `source`; none if it is correct.
    pub(super) fn installed_state(&self, folder: &str, source: Sha256) -> Option<(ChangeKind, &'static str)> {
        match self.installed.get(folder) {
            None => Some((ChangeKind::Create, "not installed")),
            Some(found) if found.source != source => {
                Some((ChangeKind::Change, "another version is installed"))
            }
            Some(found) if !found.intact => Some((ChangeKind::Change, "files were changed by hand")),
            Some(_) => None,
        }
    }

    /// Parses the output of the facts script: one fact per line, fields separated by tabs.
    ///
    /// # Errors
    /// When a line is invalid or the last line, `end`, is missing.
    pub fn parse(answer: &str) -> Result<Self> {
        let mut facts = Self::default();
        let mut unit = String::new();
        let mut complete = false;
        for line in answer.lines() {
            let fields: Vec<&str> = line.split('\t').collect();
            facts.read(&fields, &mut unit, &mut complete).ok_or_else(|| {
                let shown = line.chars().take(SHOWN_CHARACTERS).collect::<String>();
                Error::failed(format!("invalid line in the facts of the host: `{shown}`"))
            })?;
        }
        if complete { Ok(facts) } else { Err(Error::failed("the facts of the host are incomplete")) }
    }

    fn read(&mut self, fields: &[&str], unit: &mut String, complete: &mut bool) -> Option<()> {
        match *fields {
            ["system", id, version, name] => {
                let system =
                    System { id: id.into(), version: version.into(), name: name.into(), ..System::default() };
                self.system = Some(system);
            }
            ["has", what] => {
                let system = self.system.as_mut()?;
                match what {
                    "systemd" => system.systemd = true,
                    "apt" => system.apt = true,
                    _ => return None,
                }
            }
            ["identity", identity] => identity.clone_into(&mut self.identity),
            ["owner", project, role] => {
                self.owner = Some(Owner { project: project.into(), role: role.into() });
            }
            ["machine", name] => name.clone_into(&mut self.machine),
            ["processors", count] => self.processors = count.parse().ok()?,
            ["package", name, state] => {
                if state == "installed" {
                    self.packages.insert(name.into());
                }
            }
            ["user", name] => {
                self.users.insert(name.into());
            }
            ["unit", property] => UnitFact::read(&mut self.units, property, unit)?,
            ["set-unit", set, unit] => {
                self.set_units.entry(set.into()).or_default().insert(unit.into());
            }
            // The host's own record may be damaged; then it counts as missing.
            ["installed", folder, source, recorded, found] => {
                if let Ok(source) = source.parse() {
                    let intact = recorded == found;
                    self.installed.insert(folder.into(), Installed { source, intact });
                }
            }
            ["failed", folder, source, url, why] => {
                if let Ok(source) = source.parse() {
                    let failed = Failed { source, url: url.into(), why: why.into() };
                    self.failed.insert(folder.into(), failed);
                }
            }
            ["effect", unit, recorded, found] => {
                self.effects.insert(unit.into(), recorded == found);
            }
            ["link", path, target] => {
                self.links.insert(path.into(), target.into());
            }
            ["file", path, mode, owner, group] => {
                let file = self.files.entry(path.into()).or_default();
                (file.mode, file.owner, file.group) = (mode.into(), owner.into(), group.into());
            }
            ["sha256", path, digest] => {
                self.files.entry(path.into()).or_default().sha256 = Some(digest.parse().ok()?);
            }
            ["content", path, base64] => {
                let bytes = base64::engine::general_purpose::STANDARD.decode(base64).ok()?;
                // A file that is not text has no diff.
                self.files.entry(path.into()).or_default().content = String::from_utf8(bytes).ok();
            }
            ["beside", name] => self.beside.push(name.into()),
            // A damaged record counts as missing.
            ["settings", json] => self.settings = SettingsReport::parse(json),
            ["applied", step, digest] => {
                if let Ok(digest) = digest.parse() {
                    self.applied.insert(step.into(), digest);
                }
            }
            ["end"] => *complete = true,
            _ => return None,
        }
        Some(())
    }
}

impl UnitFact {
    /// Whether systemd has loaded a unit of this name, or runs it.
    pub(super) fn is_there(&self) -> bool {
        self.load == "loaded" || !["", "inactive"].contains(&self.active.as_str())
    }

    /// Units by name from the output of `systemctl show`: one block per unit, in which `Id` may be anywhere, since
    /// systemd prints a service's properties before those of every unit. Other properties are ignored.
    pub fn parse_all(text: &str) -> BTreeMap<String, Self> {
        let mut units = BTreeMap::new();
        for block in text.split("\n\n") {
            let Some(id) = block.lines().find_map(|line| line.strip_prefix("Id=")) else { continue };
            let mut unit = id.to_owned();
            for line in block.lines() {
                Self::read(&mut units, line, &mut unit);
            }
        }
        units
    }

    /// One `Key=value` line of `systemctl show`; `Id` comes first and names the unit of the others.
    fn read(units: &mut BTreeMap<String, Self>, property: &str, unit: &mut String) -> Option<()> {
        let (key, value) = property.split_once('=')?;
        if key == "Id" {
            value.clone_into(unit);
        }
        let fact = units.entry(unit.clone()).or_default();
        match key {
            "Id" => {}
            "LoadState" => value.clone_into(&mut fact.load),
            "ActiveState" => value.clone_into(&mut fact.active),
            "UnitFileState" => value.clone_into(&mut fact.file),
            "NeedDaemonReload" => fact.stale = value == "yes",
            "NRestarts" => fact.restarts = value.parse().ok()?,
            "ActiveEnterTimestampMonotonic" => {
                fact.active_since = Duration::from_micros(value.parse().ok()?);
            }
            _ => return None,
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "machine\tx86_64\nprocessors\t2\npackage\tcurl\tinstalled\npackage\told\tconfig-files\n\
        user\tmonctl-app\nunit\tId=a.service\nunit\tLoadState=loaded\nunit\tActiveState=active\n\
        unit\tUnitFileState=enabled\nunit\tNeedDaemonReload=yes\nfile\t/etc/x\t640\troot\tadm\n\
        content\t/etc/x\taGVsbG8=\nset-unit\t/etc/s\ta.service\nlink\t/l\t/t\nend\n";

    #[test]
    fn systems_are_supported_from_their_oldest_version_on() {
        let system = |id: &str, version: &str| System {
            id: id.into(),
            version: version.into(),
            name: format!("{id} {version}"),
            systemd: true,
            apt: true,
        };
        let supported =
            [("debian", "12"), ("debian", "13"), ("debian", ""), ("ubuntu", "22.04"), ("ubuntu", "26.04")];
        for (id, version) in supported {
            assert_eq!(system(id, version).obstacle(), None, "{id} {version}");
        }
        let others = [("debian", "11"), ("ubuntu", "20.04"), ("rocky", "9.4"), ("alpine", "3.22"), ("", "")];
        for (id, version) in others {
            assert!(system(id, version).obstacle().is_some(), "{id} {version}");
        }
        let without = System { systemd: false, ..system("debian", "13") };
        assert_eq!(without.obstacle().unwrap(), "it runs debian 13 without systemd");
    }

    #[test]
    fn a_host_reports_its_system_and_its_owner() {
        let answer = "system\tdebian\t13\tDebian 13\nhas\tsystemd\nhas\tapt\nidentity\tabc/def\nowner\tshop\tapp\nend\n";
        let facts = Facts::parse(answer).unwrap();
        let system = facts.system.unwrap();
        assert!(system.systemd && system.apt);
        assert_eq!((system.name.as_str(), facts.identity.as_str()), ("Debian 13", "abc/def"));
        assert_eq!(facts.owner, Some(Owner { project: "shop".into(), role: "app".into() }));
    }

    #[test]
    fn facts_are_parsed_line_by_line() {
        let facts = Facts::parse(ANSWER).unwrap();
        assert_eq!(facts.machine(), "x86_64");
        assert_eq!(facts.packages, ["curl".to_owned()].into());
        assert!(facts.units["a.service"].stale);
        assert_eq!(facts.files["/etc/x"].content.as_deref(), Some("hello"));
        assert_eq!(facts.links["/l"], "/t");
        assert_eq!(facts.set_units["/etc/s"], ["a.service".to_owned()].into());
    }

    #[test]
    fn incomplete_facts_are_refused() {
        let cut = ANSWER.trim_end().strip_suffix("end").unwrap();
        assert!(Facts::parse(cut).unwrap_err().message().contains("incomplete"));
        assert!(Facts::parse("nonsense\nend\n").is_err());
    }
}
