//! Derives the actions from the current and the desired state, in the order in which they are shown.

use std::collections::BTreeSet;

use super::action::{Action, Creation};
use super::cloud::{Address, Cloud, Instance, InstanceState, ROLES, Tags, tag};
use super::wanted::{LaunchOptions, WantedCloud, WantedHost};
use crate::host::{HostName, Role};

/// The actions that change the current state to the desired one.
pub fn actions(wanted: &WantedCloud, cloud: &Cloud, offer: &LaunchOptions) -> Vec<Action> {
    let mut actions = Vec::new();
    key(wanted, cloud, &mut actions);
    for role in ROLES {
        group(role, wanted, cloud, offer, &mut actions);
    }
    surplus(wanted, cloud, &mut actions);
    for (host, wanted_host) in &wanted.hosts {
        if let Some(instance) = cloud.instance(*host) {
            change(*host, wanted_host, instance, (wanted, cloud, offer), &mut actions);
        } else {
            let why = gone(cloud, *host).unwrap_or("absent").to_owned();
            actions.push(create(*host, wanted_host, wanted, offer, (why, None)));
        }
    }
    volumes(cloud, &mut actions);
    addresses(wanted, cloud, &mut actions);
    renew(wanted, cloud, &mut actions);
    actions
}

fn key(wanted: &WantedCloud, cloud: &Cloud, actions: &mut Vec<Action>) {
    match &cloud.key {
        None => actions.push(Action::ImportKey),
        Some(key) => restore("the key pair", &key.id, missing(&key.tags, wanted.key_tags()), actions),
    }
}

fn group(role: Role, wanted: &WantedCloud, cloud: &Cloud, offer: &LaunchOptions, actions: &mut Vec<Action>) {
    // A role without openings lets in no one.
    let openings = wanted.openings.get(&role).cloned().unwrap_or_default();
    let Some(found) = cloud.groups.get(&role) else {
        let vpc = cloud.groups.values().next().map(|group| group.vpc.clone()).or_else(|| offer.vpc.clone());
        actions.push(Action::CreateGroup { role, vpc, openings });
        return;
    };
    let what = format!("security group {role}");
    restore(&what, &found.id, missing(&found.tags, wanted.group_tags(role)), actions);
    let group = &found.id;
    let rules: BTreeSet<_> = openings.iter().map(super::Opening::rule).collect();
    for opening in openings.into_iter().filter(|opening| !found.rules.contains(&opening.rule())) {
        actions.push(Action::Open { role, group: group.clone(), opening });
    }
    for rule in found.rules.difference(&rules) {
        actions.push(Action::Close { role, group: group.clone(), rule: rule.clone() });
    }
}

/// Surplus instances: of hosts that the spec does not name, and the newer of two of one host.
fn surplus(wanted: &WantedCloud, cloud: &Cloud, actions: &mut Vec<Action>) {
    for host in cloud.hosts() {
        let (kept, why) = if wanted.hosts.contains_key(&host) {
            (1, "a second machine of this host; the older one stays")
        } else {
            (0, "no longer in the spec")
        };
        for instance in cloud.alive(host).skip(kept) {
            if !wanted.protection && instance.protected == Some(true) {
                actions.push(Action::Protect { host, id: instance.id.clone(), on: false });
            }
            actions.push(Action::Remove { host, id: instance.id.clone(), why });
        }
    }
}

/// Why a host has no instance, if EC2 still reports it.
fn gone(cloud: &Cloud, host: HostName) -> Option<&'static str> {
    let is_its = |it: &&Instance| it.host == Some(host) && !it.state.is_alive();
    cloud.instances.iter().find(is_its).map(|_| "terminated")
}

fn create(
    host: HostName,
    wanted_host: &WantedHost,
    wanted: &WantedCloud,
    offer: &LaunchOptions,
    (why, replaces): (String, Option<String>),
) -> Action {
    // A draft is made before the offer is known; the provider refuses to launch without a candidate.
    let candidates = offer.candidates.get(&host.role()).cloned().unwrap_or_default();
    let least = candidates.iter().map(|candidate| candidate.image.size).max().unwrap_or(0);
    Action::Create(Creation {
        host,
        why,
        replaces,
        candidates,
        disk: wanted.disk.max(least),
        profile: wanted_host.profile.clone(),
        protection: wanted.protection,
        kms_key: wanted.kms_key.clone(),
        left_out: offer.left_out.get(&host.role()).cloned().unwrap_or_default(),
    })
}

/// The actions for an existing instance.
fn change(
    host: HostName,
    wanted_host: &WantedHost,
    found: &Instance,
    (wanted, cloud, offer): (&WantedCloud, &Cloud, &LaunchOptions),
    actions: &mut Vec<Action>,
) {
    let id = found.id.clone();
    if let Some(image) = wanted.image.as_ref().filter(|image| **image != found.image) {
        let why = format!("its image is {}, must be {image}; a new machine replaces {id}", found.image);
        actions.push(create(host, wanted_host, wanted, offer, (why, Some(id))));
        return;
    }
    let mut tags = missing(&found.tags, wanted.host_tags(host));
    if let (None, Some(known)) = (found.tags.get(tag::HOST_KEY), cloud.known_keys.get(&host)) {
        tags.insert(tag::HOST_KEY.into(), known.clone());
    }
    restore(&format!("machine {host}"), &id, tags, actions);
    if !found.guarded_metadata {
        actions.push(Action::GuardMetadata { host, id: id.clone() });
    }
    let group = cloud.groups.get(&host.role()).map(|group| &group.id);
    if group.is_none() || found.groups.iter().ne(group) {
        actions.push(Action::SetGroup { host, id: id.clone(), found: found.groups.clone() });
    }
    if found.protected.is_some_and(|protected| protected != wanted.protection) {
        actions.push(Action::Protect { host, id: id.clone(), on: wanted.protection });
    }
    if let (Some(to), Some(has)) = (wanted.credits, found.credits)
        && to != has
    {
        actions.push(Action::SetCredits { host, id: id.clone(), to });
    }
    if found.profile != wanted_host.profile
        && (wanted_host.profile.is_some() || host.role() == Role::MONITORING)
    {
        let (from, to) = (found.profile.clone(), wanted_host.profile.clone());
        actions.push(Action::SetProfile { host, id: id.clone(), from, to });
    }
    disk(host, found, wanted, cloud, actions);
    let types = [&wanted_host.instance_type].into_iter().chain(&wanted_host.alternatives);
    if !types.into_iter().any(|name| *name == found.instance_type) {
        let (from, to) = (found.instance_type.clone(), wanted_host.instance_type.clone());
        actions.push(Action::Retype { host, id, from, to, running: found.state.runs() });
    } else if matches!(found.state, InstanceState::Stopped | InstanceState::Stopping) {
        actions.push(Action::Start { host, id });
    }
}

fn disk(host: HostName, found: &Instance, wanted: &WantedCloud, cloud: &Cloud, actions: &mut Vec<Action>) {
    let is_root = |volume: &&super::Volume| Some(&volume.id) == found.root_volume.as_ref();
    let Some(volume) = cloud.volumes.iter().find(is_root) else { return };
    let id = volume.id.clone();
    restore(&format!("the volume of {host}"), &id, missing(&volume.tags, wanted.host_tags(host)), actions);
    if volume.size < wanted.disk {
        actions.push(Action::GrowVolume { host, id: id.clone(), from: volume.size, to: wanted.disk });
    }
    let to = volume.size.max(wanted.disk);
    // A tag that is not a number counts as zero: growing again changes nothing.
    let grown = volume.tags.get(tag::GROWN).and_then(|size| size.parse().ok()).unwrap_or(0);
    if grown < to {
        actions.push(Action::GrowFileSystem { host, id, to });
    }
}

/// Volumes that a machine left behind.
fn volumes(cloud: &Cloud, actions: &mut Vec<Action>) {
    for volume in cloud.volumes.iter().filter(|volume| volume.instance.is_none()) {
        actions.push(Action::RemoveVolume { id: volume.id.clone() });
    }
}

fn addresses(wanted: &WantedCloud, cloud: &Cloud, actions: &mut Vec<Action>) {
    let mut left: Vec<&Address> = cloud.addresses.iter().collect();
    for host in wanted.hosts.keys().filter(|_| wanted.elastic_ip) {
        let stays = if is_created(actions, *host) { None } else { cloud.instance(*host).map(|it| &it.id) };
        let has = |address: &&Address| stays.is_some() && address.instance.as_ref() == stays;
        if let Some(at) = left.iter().position(has) {
            left.remove(at);
            continue;
        }
        // An address allocated for this host by an interrupted run or for a terminated machine.
        let own = |address: &&Address| address.tags.get(tag::HOST).is_some_and(|it| *it == host.to_string());
        let allocation = left.iter().position(own).map(|at| left.remove(at).id.clone());
        actions.push(Action::GiveAddress { host: *host, allocation });
    }
    actions.extend(left.into_iter().map(|address| Action::ReleaseAddress {
        id: address.id.clone(),
        address: address.address.clone(),
        association: address.association.clone(),
        why: if wanted.elastic_ip { "no machine needs it" } else { "no longer in the spec" },
    }));
}

fn renew(wanted: &WantedCloud, cloud: &Cloud, actions: &mut Vec<Action>) {
    for host in wanted.hosts.keys() {
        if is_created(actions, *host) || cloud.initial_keys.contains(host) {
            actions.push(Action::RenewHostKey { host: *host });
        }
    }
}

fn is_created(actions: &[Action], host: HostName) -> bool {
    actions.iter().any(|action| matches!(action, Action::Create(creation) if creation.host == host))
}

/// The tags that are absent or differ.
fn missing(found: &Tags, wanted: Tags) -> Tags {
    wanted.into_iter().filter(|(key, value)| found.get(key) != Some(value)).collect()
}

fn restore(what: &str, id: &str, tags: Tags, actions: &mut Vec<Action>) {
    if !tags.is_empty() {
        actions.push(Action::Tag { what: what.into(), id: id.into(), tags });
    }
}
