//! Each state and each drift, and the planned actions.

use std::collections::BTreeMap;

use super::*;
use crate::host::{HostName, Role};

const APP: HostName = HostName::app(1);
const KEY: &str = "ssh-ed25519 AAAA";

fn wanted() -> WantedCloud {
    let host = |name: HostName| {
        let wanted = WantedHost {
            instance_type: "t3.small".into(),
            alternatives: vec!["t3a.small".into()],
            profile: None,
        };
        (name, wanted)
    };
    let ssh = Opening { port: 22, source: network("203.0.113.7/32"), purpose: "ssh".into() };
    let metrics = Opening {
        port: 9101,
        source: IngressSource::Monitoring,
        purpose: "metrics of the application".into(),
    };
    WantedCloud {
        project: "shop".parse().unwrap(),
        hosts: [HostName::app(1), HostName::MONITORING].into_iter().map(host).collect(),
        public_key: Some(KEY.into()),
        image: None,
        disk: 20,
        protection: false,
        elastic_ip: false,
        tags: Tags::new(),
        credits: None,
        kms_key: None,
        openings: [(Role::APP, vec![ssh.clone(), metrics]), (Role::MONITORING, vec![ssh])].into(),
    }
}

fn network(text: &str) -> IngressSource {
    IngressSource::Network(text.parse().unwrap())
}

fn instance(wanted: &WantedCloud, host: HostName, id: &str) -> Instance {
    let mut tags = wanted.host_tags(host);
    tags.insert(tag::HOST_KEY.into(), "BBBB".into());
    Instance {
        id: id.into(),
        host: Some(host),
        state: InstanceState::Running,
        reason: None,
        reason_code: None,
        instance_type: "t3.small".into(),
        architecture: "x86_64".into(),
        ena: Some(true),
        image: "ami-1".into(),
        zone: "eu-central-1a".into(),
        private: "10.0.0.5".parse().ok(),
        public: "198.51.100.5".parse().ok(),
        launched: 100,
        guarded_metadata: true,
        profile: None,
        root_volume: Some(format!("vol-{id}")),
        groups: vec![format!("sg-{}", host.role())],
        token: None,
        protected: Some(wanted.protection),
        credits: None,
        tags,
    }
}

fn volume(wanted: &WantedCloud, host: HostName, id: &str) -> Volume {
    let mut tags = wanted.host_tags(host);
    tags.insert(tag::GROWN.into(), "20".into());
    Volume { id: format!("vol-{id}"), size: 20, instance: Some(id.into()), tags }
}

fn group(wanted: &WantedCloud, role: Role) -> (Role, SecurityGroup) {
    let rules = wanted.openings[&role].iter().map(Opening::rule).collect();
    let tags = wanted.group_tags(role);
    (role, SecurityGroup { id: format!("sg-{role}"), vpc: "vpc-1".into(), rules, tags })
}

/// The state after `up`.
fn whole(wanted: &WantedCloud) -> Cloud {
    let ids: Vec<(HostName, String)> = wanted.hosts.keys().map(|host| (*host, format!("i-{host}"))).collect();
    Cloud {
        key: Some(KeyPair { id: "key-1".into(), public_key: KEY.into(), tags: wanted.key_tags() }),
        groups: ROLES.into_iter().map(|role| group(wanted, role)).collect(),
        instances: ids.iter().map(|(host, id)| instance(wanted, *host, id)).collect(),
        volumes: ids.iter().map(|(host, id)| volume(wanted, *host, id)).collect(),
        ..Cloud::default()
    }
}

fn planned(wanted: &WantedCloud, cloud: &Cloud) -> Vec<String> {
    actions(wanted, cloud, &LaunchOptions::default()).iter().map(|it| format!("{} {it}", it.sign())).collect()
}

/// The planned actions after a change of the state.
fn after(change: impl FnOnce(&mut Cloud)) -> Vec<String> {
    let wanted = wanted();
    let mut cloud = whole(&wanted);
    change(&mut cloud);
    planned(&wanted, &cloud)
}

#[test]
fn nothing_is_planned_if_everything_exists() {
    assert_eq!(after(|_| {}), Vec::<String>::new());
    assert_eq!(after(|cloud| cloud.instances[0].state = InstanceState::Pending), Vec::<String>::new());
    assert_eq!(after(|cloud| cloud.instances[0].image = "ami-old".into()), Vec::<String>::new());
    assert_eq!(after(|cloud| cloud.instances[0].instance_type = "t3a.small".into()), Vec::<String>::new());
}

#[test]
fn everything_is_planned_in_an_empty_account() {
    assert_eq!(
        planned(&wanted(), &Cloud::default()),
        [
            "+ key pair: absent",
            "+ security group app: absent",
            "+ security group monitoring: absent",
            "+ machine app: absent",
            "+ machine monitoring: absent",
            "~ host key of app: contained in user data; replaced at first contact",
            "~ host key of monitoring: contained in user data; replaced at first contact",
        ]
    );
}

#[test]
fn each_drift_is_named_and_repaired() {
    type Drift = fn(&mut Cloud);
    let app = |cloud: &mut Cloud, change: fn(&mut SecurityGroup)| {
        cloud.groups.get_mut(&Role::APP).into_iter().for_each(change);
    };
    let removed: Drift = |cloud| {
        cloud
            .groups
            .get_mut(&Role::APP)
            .into_iter()
            .for_each(|it| it.rules.retain(|rule| rule.ports != Some((22, 22))));
    };
    let table: [(Drift, &[&str]); 12] = [
        (removed, &["~ security group app: tcp 22 from 203.0.113.7/32 (ssh) is missing"]),
        (
            |cloud| {
                let all =
                    SecurityGroupRule { protocol: "-1".into(), ports: None, source: network("0.0.0.0/0") };
                cloud.groups.get_mut(&Role::MONITORING).into_iter().for_each(|it| {
                    it.rules.insert(all.clone());
                });
            },
            &["~ security group monitoring: everything from 0.0.0.0/0 is not in the spec"],
        ),
        (|cloud| cloud.instances[0].state = InstanceState::Stopped, &["~ machine app: not running"]),
        (|cloud| cloud.instances[0].state = InstanceState::Stopping, &["~ machine app: not running"]),
        (
            |cloud| cloud.instances[0].instance_type = "t3.large".into(),
            &["~ machine app: is t3.large, must be t3.small; stops the machine, keeps its disk"],
        ),
        (|cloud| drop(cloud.instances[0].tags.remove(tag::HOST)), &["~ machine app: tags are missing"]),
        (
            |cloud| cloud.instances[0].guarded_metadata = false,
            &["~ machine app: metadata is available without IMDSv2 or beyond one hop"],
        ),
        (
            |cloud| cloud.instances[0].protected = Some(true),
            &["~ machine app: still protected from termination"],
        ),
        (
            |cloud| cloud.instances[0].groups = vec!["sg-x".into()],
            &["~ machine app: has other security groups"],
        ),
        (
            |cloud| {
                cloud.volumes[0].size = 8;
            },
            &["~ disk of app: has 8 GiB, must have 20; grows in use"],
        ),
        (
            |cloud| drop(cloud.volumes[0].tags.insert(tag::GROWN.into(), "8".into())),
            &["~ file system of app: smaller than its disk of 20 GiB; grows in use"],
        ),
        (
            |cloud| {
                cloud.volumes.push(Volume { id: "vol-x".into(), size: 1, instance: None, tags: Tags::new() });
            },
            &["- volume vol-x: not attached to any machine"],
        ),
    ];
    for (drift, planned) in table {
        assert_eq!(after(drift), planned);
    }
    assert_eq!(
        after(|cloud| app(cloud, |it| drop(it.tags.remove(tag::PROJECT)))),
        ["~ security group app: tags are missing"]
    );
}

#[test]
fn a_terminated_machine_is_replaced() {
    let planned = after(|cloud| cloud.instances[0].state = InstanceState::Terminated);
    assert_eq!(planned[0], "+ machine app: terminated");
}

#[test]
fn of_two_machines_of_one_host_the_newer_one_is_removed() {
    let wanted = wanted();
    let mut cloud = whole(&wanted);
    cloud.instances.insert(0, Instance { launched: 200, ..instance(&wanted, APP, "i-young") });
    assert_eq!(
        planned(&wanted, &cloud),
        ["- machine app (i-young): a second machine of this host; the older one stays; its disk is deleted"]
    );
}

#[test]
fn fewer_hosts_in_the_spec_remove_machines_and_nothing_else() {
    let mut wanted = wanted();
    wanted.hosts.insert(HostName::app(2), wanted.hosts[&APP].clone());
    let cloud = whole(&wanted);
    assert_eq!(planned(&wanted, &cloud), Vec::<String>::new());
    wanted.hosts.remove(&HostName::app(2));
    assert_eq!(
        planned(&wanted, &cloud),
        ["- machine app-2 (i-app-2): no longer in the spec; its disk is deleted"]
    );
}

#[test]
fn only_stopping_or_replacing_a_machine_is_a_disruption() {
    let wanted = wanted();
    let disruptions = |wanted: &WantedCloud, change: fn(&mut Cloud)| {
        let mut cloud = whole(wanted);
        change(&mut cloud);
        let all = actions(wanted, &cloud, &LaunchOptions::default());
        all.iter().filter_map(Action::disruption).collect::<Vec<_>>()
    };
    let retype: fn(&mut Cloud) = |cloud| cloud.instances[0].instance_type = "t3.large".into();
    assert_eq!(disruptions(&wanted, retype), ["app is restarted"]);
    let stopped: fn(&mut Cloud) = |cloud| {
        cloud.instances[0].instance_type = "t3.large".into();
        cloud.instances[0].state = InstanceState::Stopped;
    };
    assert_eq!(disruptions(&wanted, stopped), Vec::<String>::new());
    let other = WantedCloud { image: Some("ami-2".into()), ..wanted.clone() };
    assert_eq!(disruptions(&other, |_| {}).len(), 2);
    assert_eq!(disruptions(&wanted, |cloud| cloud.volumes[0].size = 8), Vec::<String>::new());
}

#[test]
fn addresses_are_allocated_reused_and_released() {
    let wanted = WantedCloud { elastic_ip: true, ..wanted() };
    let mut cloud = whole(&wanted);
    let give = |host: HostName, allocation: Option<&str>| Action::GiveAddress {
        host,
        allocation: allocation.map(str::to_owned),
    };
    let plan = |wanted: &WantedCloud, cloud: &Cloud| actions(wanted, cloud, &LaunchOptions::default());
    assert_eq!(plan(&wanted, &cloud), [give(APP, None), give(HostName::MONITORING, None)]);

    let address = |id: &str, host: HostName, instance: Option<&str>| Address {
        id: id.into(),
        address: "198.51.100.9".into(),
        association: instance.map(|_| "eipassoc-1".into()),
        instance: instance.map(str::to_owned),
        tags: wanted.host_tags(host),
    };
    // A run was interrupted between allocating an address and associating it.
    cloud.addresses = vec![
        address("eipalloc-1", APP, None),
        address("eipalloc-2", HostName::MONITORING, Some("i-monitoring")),
    ];
    assert_eq!(plan(&wanted, &cloud), [give(APP, Some("eipalloc-1"))]);

    cloud.addresses.insert(0, address("eipalloc-3", APP, Some("i-app")));
    let surplus = plan(&wanted, &cloud);
    assert!(matches!(&surplus[..], [Action::ReleaseAddress { id, .. }] if id == "eipalloc-1"), "{surplus:?}");
    let without = WantedCloud { elastic_ip: false, ..wanted.clone() };
    assert_eq!(plan(&without, &cloud).len(), 3);
}

#[test]
fn a_replacement_machine_keeps_the_address() {
    let wanted = WantedCloud { elastic_ip: true, image: Some("ami-2".into()), ..wanted() };
    let mut cloud = whole(&wanted);
    cloud.addresses = vec![Address {
        id: "eipalloc-1".into(),
        address: "198.51.100.9".into(),
        association: Some("eipassoc-1".into()),
        instance: Some("i-app".into()),
        tags: wanted.host_tags(APP),
    }];
    let all = actions(&wanted, &cloud, &LaunchOptions::default());
    let kept = Action::GiveAddress { host: APP, allocation: Some("eipalloc-1".into()) };
    assert!(all.contains(&kept), "{all:?}");
}

#[test]
fn a_lost_host_key_tag_is_restored_from_this_computer() {
    let wanted = wanted();
    let mut cloud = whole(&wanted);
    cloud.instances[0].tags.remove(tag::HOST_KEY);
    cloud.known_keys = BTreeMap::from([(APP, "CCCC".to_owned())]);
    let all = actions(&wanted, &cloud, &LaunchOptions::default());
    let [Action::Tag { tags, .. }] = &all[..] else { panic!("{all:?}") };
    assert_eq!(tags.get(tag::HOST_KEY).map(String::as_str), Some("CCCC"));
}

#[test]
fn a_host_key_in_user_data_is_replaced_also_by_a_later_run() {
    let planned = after(|cloud| cloud.initial_keys = [APP].into());
    assert_eq!(planned, ["~ host key of app: contained in user data; replaced at first contact"]);
}

#[test]
fn unknown_protection_is_left_alone() {
    assert_eq!(after(|cloud| cloud.instances[0].protected = None), Vec::<String>::new());
}

#[test]
fn user_tags_are_on_everything_and_are_restored() {
    let mut wanted = wanted();
    let cloud = whole(&wanted);
    wanted.tags = [("cost-center".to_owned(), "4711".to_owned())].into();
    let planned = planned(&wanted, &cloud);
    for what in ["the key pair", "security group app", "machine app", "the volume of monitoring"] {
        assert!(
            planned.iter().any(|line| line.starts_with(&format!("~ {what}: tags"))),
            "{what}: {planned:?}"
        );
    }
    assert!(wanted.host_tags(APP).contains_key("cost-center"));
    wanted.tags.insert(tag::PROJECT.into(), "another".into());
    assert_eq!(
        wanted.key_tags()[tag::PROJECT],
        "shop",
        "the tags by which monctl finds resources cannot be changed"
    );
}

#[test]
fn credits_are_changed_only_if_the_spec_sets_them_and_the_type_has_them() {
    use crate::spec::Credits;
    let mut wanted = wanted();
    let mut cloud = whole(&wanted);
    cloud.instances[0].credits = Some(Credits::Unlimited);
    assert_eq!(planned(&wanted, &cloud), Vec::<String>::new());
    wanted.credits = Some(Credits::Standard);
    assert_eq!(planned(&wanted, &cloud), ["~ machine app: CPU credits must be standard"]);
}

#[test]
fn a_type_that_an_instance_cannot_become_is_named_with_the_reason() {
    let one = instance(&wanted(), APP, "i-1");
    let facts = |architecture: &str, zone: &str, needs_ena| TypeFacts {
        architectures: [architecture.to_owned()].into(),
        zones: [zone.to_owned()].into(),
        needs_ena,
    };
    assert_eq!(misfit(&one, "t3.large", &facts("x86_64", "eu-central-1a", true)), None);
    let old = Instance { ena: Some(false), ..one.clone() };
    let cases = [
        (&one, facts("arm64", "eu-central-1a", false), "arm64"),
        (&one, facts("x86_64", "eu-central-1b", false), "does not offer"),
        (&old, facts("x86_64", "eu-central-1a", true), "ENA"),
    ];
    for (instance, facts, words) in cases {
        let planned = misfit(instance, "x.large", &facts).unwrap();
        assert!(planned.contains(words) && planned.contains("app (i-1)"), "{planned}");
    }
}

#[test]
fn with_a_domain_the_ports_of_the_web_server_are_open_in_place_of_the_applications() {
    let openings = |app: &str| {
        let text = format!(
            "{{version: 1, project: shop, provider: {{aws: {{}}}}, notify: {{capture: {{}}}}, \
             app: {{path: ., wsgi: shop.wsgi, allow: [192.0.2.0/24]{app}}}}}"
        );
        let spec: crate::spec::Spec = serde_saphyr::from_str(&text).unwrap();
        let crate::spec::ProviderSettings::Aws(aws) = &spec.provider else { panic!() };
        let wanted = WantedCloud::new(&spec, aws, None, None);
        let of_networks = |it: &&Opening| matches!(it.source, IngressSource::Network(_));
        wanted.openings[&Role::APP].iter().filter(of_networks).map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(openings(""), ["tcp 8000 from 192.0.2.0/24 (application)"]);
    assert_eq!(
        openings(", domain: shop.example"),
        [
            "tcp 80 from 0.0.0.0/0 (redirect to https, and certificates)",
            "tcp 443 from 192.0.2.0/24 (application)"
        ]
    );
}
