//! Where Prometheus, Alertmanager and node exporter of a test's hosts come from: Debian's packages, or, where release
//! tarballs are given, these from a mirror in the project's network, as with the default settings of a spec.

use std::fs;
use std::net::IpAddr;

use serde_json::Value;

use crate::support::release_mirror::{ReleaseMirror, named_programs};
use crate::test_project::{TestProject, runtime};

/// The setting in the specs of tests.
pub const PACKAGES: &str = "install: distribution";

/// How the hosts of a project obtain the programs. Serves until it is dropped.
pub struct Programs(Option<ReleaseMirror>);

impl Programs {
    /// Makes the project's network, which the mirror is in.
    pub fn of(project: &TestProject) -> Self {
        if named_programs().is_none() {
            return Self(None);
        }
        runtime().block_on(project.provider.create_network()).unwrap();
        Self(ReleaseMirror::with_programs(gateway(project)))
    }

    /// Whether they are release tarballs.
    pub fn are_releases(&self) -> bool {
        self.0.is_some()
    }

    /// The setting in a spec.
    pub fn install(&self) -> String {
        match &self.0 {
            Some(mirror) => format!(
                "install: {{release: {{mirror: \"{}\", catalogue: {}}}}}",
                mirror.base,
                mirror.catalogue().display()
            ),
            None => PACKAGES.to_owned(),
        }
    }
}

/// The address of this computer in the network of a project's machines.
pub fn gateway(project: &TestProject) -> IpAddr {
    let record = fs::read(project.folder().join("network.json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    let (network, _) = record["subnet"].as_str().unwrap().rsplit_once('.').unwrap();
    format!("{network}.1").parse().unwrap()
}
