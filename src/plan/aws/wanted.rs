//! The desired state in EC2 according to the spec, and what EC2 offers for it.

use std::collections::BTreeMap;

use ipnet::{IpNet, Ipv4Net};

use super::action::Candidate;
use super::cloud::{Tags, tag, tags};
use super::rule::{IngressSource, Opening};
use crate::host::{HostName, ProjectName, Role};
use crate::spec::{AwsSettings, Credits, HTTP, HTTPS, Spec};

/// The port of ssh.
const SSH: u16 = 22;

/// The desired state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedCloud {
    /// The project.
    pub project: ProjectName,
    /// The hosts.
    pub hosts: BTreeMap<HostName, WantedHost>,
    /// The public half of the client key: type and base64. None if it does not exist yet.
    pub public_key: Option<String>,
    /// The image, if the spec names one.
    pub image: Option<String>,
    /// The size of each disk in GiB.
    pub disk: u32,
    /// Whether instances are protected from termination.
    pub protection: bool,
    /// Whether each host has an address that survives a stop.
    pub elastic_ip: bool,
    /// The user's own tags, set on everything.
    pub tags: Tags,
    /// What happens to burstable instances without CPU credits, if the spec sets it.
    pub credits: Option<Credits>,
    /// The key that encrypts disks; the account's by default.
    pub kms_key: Option<String>,
    /// The openings of each group.
    pub openings: BTreeMap<Role, Vec<Opening>>,
}

/// The desired state of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedHost {
    /// The type.
    pub instance_type: String,
    /// Alternative types if a zone has no capacity.
    pub alternatives: Vec<String>,
    /// The name of the instance profile.
    pub profile: Option<String>,
}

/// What EC2 offers; queried only if something is to be created.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LaunchOptions {
    /// The VPC for new groups.
    pub vpc: Option<String>,
    /// Launch candidates for each role, in the order in which they are tried.
    pub candidates: BTreeMap<Role, Vec<Candidate>>,
    /// Excluded candidates for each role, with the reason.
    pub left_out: BTreeMap<Role, Vec<String>>,
}

impl WantedCloud {
    /// The desired state of a spec. `caller` is the default of `allow_ssh_from`.
    pub fn new(spec: &Spec, aws: &AwsSettings, caller: Option<IpNet>, public_key: Option<String>) -> Self {
        let host = |name: HostName| {
            let (instance_type, profile) = match name.role() {
                Role::MONITORING => (aws.instance_type.monitoring(), aws.instance_profile.as_ref()),
                _ => (aws.instance_type.app(), None),
            };
            let wanted = WantedHost {
                instance_type: instance_type.to_string(),
                alternatives: aws.alternatives.iter().map(ToString::to_string).collect(),
                profile: profile.map(ToString::to_string),
            };
            (name, wanted)
        };
        Self {
            project: spec.project.clone(),
            hosts: spec.hosts().into_iter().map(host).collect(),
            public_key,
            image: aws.image.as_ref().map(ToString::to_string),
            disk: aws.disk,
            protection: aws.termination_protection,
            elastic_ip: aws.elastic_ip,
            tags: aws.tags.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            credits: aws.credit_specification,
            kms_key: aws.kms_key.as_ref().map(ToString::to_string),
            openings: openings(spec, aws, caller),
        }
    }

    /// The tags that a host's instance and volume must have, besides those of their state.
    pub fn host_tags(&self, host: HostName) -> Tags {
        let mut tags = tags(&self.tags, &self.project, &host.to_string(), Some(host));
        if host.role() == Role::APP {
            tags.insert(tag::SCRAPE.to_owned(), self.project.to_string());
        }
        tags
    }

    /// The tags that a group must have.
    pub fn group_tags(&self, role: Role) -> Tags {
        tags(&self.tags, &self.project, &role.to_string(), None)
    }

    /// The tags that the key pair must have.
    pub fn key_tags(&self) -> Tags {
        tags(&self.tags, &self.project, "key", None)
    }
}

fn openings(spec: &Spec, aws: &AwsSettings, caller: Option<IpNet>) -> BTreeMap<Role, Vec<Opening>> {
    let networks = |list: &[crate::spec::Cidr]| list.iter().map(|cidr| cidr.get()).collect::<Vec<_>>();
    let ssh_from = match &aws.allow_ssh_from[..] {
        [] => caller.into_iter().collect(),
        list => networks(list),
    };
    let app_from = match &spec.app.allow[..] {
        [] => ssh_from.clone(),
        list => networks(list),
    };
    let open = |port, purpose: &'static str| {
        move |net: &IpNet| Opening { port, source: IngressSource::Network(*net), purpose: purpose.to_owned() }
    };
    let ssh: Vec<Opening> = ssh_from.iter().map(open(SSH, "ssh")).collect();
    let mut app = ssh.clone();
    if spec.app.domains().is_empty() {
        app.extend(app_from.iter().map(open(spec.app.port.get(), "application")));
    } else {
        app.extend(app_from.iter().map(open(HTTPS, "application")));
        // Whoever issues the certificate asks here, from anywhere; users are redirected.
        app.push(open(HTTP, "redirect to https, and certificates")(&IpNet::from(Ipv4Net::default())));
    }
    let scraped = spec.scraped();
    app.extend(scraped.iter().filter(|job| job.roles.contains(&Role::APP)).map(|job| Opening {
        port: job.port,
        source: IngressSource::Monitoring,
        purpose: job.title.to_owned(),
    }));
    app.sort();
    app.dedup_by_key(|opening| opening.rule());
    [(Role::APP, app), (Role::MONITORING, ssh)].into()
}
