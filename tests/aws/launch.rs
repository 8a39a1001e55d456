//! Launches: image, architecture, zone, type, network, addresses; and delays of EC2 in the meantime.

use serde_json::json;

use crate::computer::{Computer, is_empty, is_one_set};
use crate::pool::{each, with_double};
use crate::support::ec2_double::Ec2 as _;
use crate::support::hand::Hand;

const DEBIAN: &str = "136693071363";

#[test]
fn debians_own_newest_image_for_the_types_architecture_is_used() {
    let cases =
        [("t3.small", "debian-13-amd64-20251117-2299"), ("t4g.small", "debian-13-arm64-20251117-2299")];
    each(cases, |(kind, name), double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.spec(&[&format!("instance_type: {kind}")], 1);
        let plan = computer.plan_text();
        assert!(plan.contains(name) && plan.contains(kind), "{plan}");
        computer.up();
        let image = hand.image_of("app");
        assert_eq!((image.name(), image.owner_id()), (Some(*name), Some(DEBIAN)));
    });
}

#[test]
fn each_role_may_have_its_own_type_even_of_another_architecture() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.spec(&["instance_type: {app: t4g.small, monitoring: t3.medium}"], 1);
        computer.up();
        let kind = |host: &str| hand.instance(host).instance_type().unwrap().as_str().to_owned();
        assert_eq!((kind("app").as_str(), kind("monitoring").as_str()), ("t4g.small", "t3.medium"));
        assert!(hand.image_of("app").name().unwrap().contains("arm64"));
        assert!(hand.image_of("monitoring").name().unwrap().contains("amd64"));
    });
}

#[test]
fn a_named_image_is_used_and_one_of_another_architecture_is_rejected() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        let old = hand.image(DEBIAN, "debian-13-amd64-20250814");
        computer.spec(&[&format!("image: {old}")], 1);
        computer.up();
        assert_eq!(hand.instance("app").image_id(), Some(old.as_str()));
        computer.down();
        let arm = hand.image(DEBIAN, "debian-13-arm64");
        computer.spec(&[&format!("image: {arm}")], 1);
        computer.run("plan").code(2).stderr_contains("architecture");
        is_empty(double);
    });
}

#[test]
fn machines_are_hardened_encrypted_and_tagged_by_the_call_that_creates_them() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        is_one_set(double);
        for host in ["app", "monitoring"] {
            let options = hand.instance(host).metadata_options().unwrap().clone();
            assert_eq!(options.http_tokens().unwrap().as_str(), "required");
            assert_eq!(options.http_put_response_hop_limit(), Some(1));
            let volume = hand.volume(host);
            assert_eq!((volume.encrypted(), volume.size()), (Some(true), Some(20)));
            assert_eq!(volume.volume_type().unwrap().as_str(), "gp3");
        }
        let calls = double.calls();
        let launches: Vec<_> = calls.iter().filter(|call| call["action"] == "RunInstances").collect();
        assert_eq!(launches.len(), 2);
        for launch in launches {
            let parameters = launch["parameters"].to_string();
            for word in
                ["ClientToken", "\"instance\"", "\"volume\"", "\"network-interface\"", "monctl:project"]
            {
                assert!(parameters.contains(word), "no {word} in {parameters}");
            }
        }
    });
}

#[test]
fn security_groups_allow_only_what_the_spec_allows() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        let here = "127.0.0.0/8".to_owned();
        assert_eq!(hand.openings("app"), [(22, here.clone()), (8000, here.clone())]);
        assert_eq!(hand.openings("monitoring"), [(22, here)]);
        assert_eq!(
            hand.openings_to_groups("app"),
            [(9100, "shop-monitoring".to_owned()), (9101, "shop-monitoring".to_owned())]
        );
        assert_eq!(hand.openings_to_groups("monitoring"), []);
    });
}

#[test]
fn without_capacity_other_zones_and_then_other_types_are_tried() {
    // Each case: the zones or types without capacity, and the zone and type that both machines get.
    let cases = [
        (json!([{"zone": "eu-central-1a"}]), "eu-central-1b", "t3.small"),
        (json!([{"zone": "eu-central-1a"}, {"zone": "eu-central-1b"}]), "eu-central-1c", "t3.small"),
        (json!([{"type": "t3.small"}]), "eu-central-1a", "t3a.small"),
        (json!([{"type": "t3.small"}, {"type": "t3a.small"}]), "eu-central-1a", "t2.small"),
    ];
    each(cases, |(lacking, zone, kind), double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        double.set(&json!({"no_capacity": lacking}));
        computer.spec(&["alternatives: [t3a.small, t2.small]"], 1);
        computer.up();
        is_one_set(double);
        for host in ["app", "monitoring"] {
            let found = hand.instance(host);
            let place = found.placement().unwrap().availability_zone().unwrap();
            assert_eq!((place, found.instance_type().unwrap().as_str()), (*zone, *kind), "{host}");
        }
        double.set(&json!({"no_capacity": []}));
        let plan = computer.plan_text();
        assert!(!plan.contains("must be t3.small"), "an alternative is as good as the first choice:\n{plan}");
    });
}

#[test]
fn without_any_capacity_up_fails_with_a_remedy_and_leaves_no_launch_in_progress() {
    with_double(|double| {
        let computer = Computer::new(double);
        double.set(&json!({"no_capacity": [{}]}));
        computer.run("up --yes").code(1).stderr_contains("provider.aws.alternatives");
        double.set(&json!({"no_capacity": []}));
        computer.up();
        is_one_set(double);
    });
}

#[test]
fn without_a_default_vpc_the_error_has_a_remedy_and_a_named_subnet_is_used() {
    with_double(|double| {
        double.set(&json!({"default_vpc": false}));
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        let ran = computer.run("plan").code(5).stderr_contains("no default VPC");
        ran.stderr_contains("create-default-vpc").stderr_contains("provider.aws.subnet");
        let (vpc, subnet) = hand.make_subnet();
        computer.spec(&[&format!("subnet: {subnet}")], 1);
        computer.up();
        is_one_set(double);
        assert_eq!(hand.instance("app").subnet_id(), Some(subnet.as_str()));
        computer.down();
        computer.spec(&[&format!("vpc: {vpc}")], 1);
        computer.up();
        assert_eq!(hand.instance("app").vpc_id(), Some(vpc.as_str()));
        computer.down();
        is_empty(double);
    });
}

#[test]
fn slow_states_stale_reads_and_split_pages_change_nothing() {
    let cases = [
        json!({"page_size": 1}),
        json!({"stale": 2}),
        json!({"stale_states": 2}),
        json!({"pending": 2, "shutting_down": 2, "stopping": 1, "stale": 1, "page_size": 1}),
        json!({"bucket": {"size": 2, "refill": 3}}),
    ];
    each(cases, |settings, double| {
        double.set(settings);
        let computer = Computer::new(double);
        computer.spec(&[], 2);
        computer.up();
        assert_eq!(double.counts()["instances"], 3, "{:#}", double.inventory());
        assert_eq!(computer.due(), Vec::<serde_json::Value>::new());
        computer.down();
        is_empty(double);
    });
}

#[test]
fn an_elastic_address_survives_a_stop_and_is_removed_with_the_project() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.spec(&["elastic_ip: true"], 1);
        computer.up();
        assert_eq!(double.counts()["addresses"], 2);
        let before = hand.instance("app").public_ip_address().unwrap().to_owned();
        hand.stop("app");
        computer.up();
        assert_eq!(hand.instance("app").public_ip_address(), Some(before.as_str()));
        computer.spec(&[], 1);
        computer.up();
        assert_eq!(double.counts().get("addresses"), None);
        computer.spec(&["elastic_ip: true"], 1);
        computer.up();
        computer.down();
        is_empty(double);
    });
}

#[test]
fn a_spec_that_exceeds_the_quota_fails_with_the_quotas_name() {
    with_double(|double| {
        let computer = Computer::new(double);
        double.set(&json!({"vcpu_quota": 2}));
        computer.run("up --yes").code(1).stderr_contains("L-1216C47A");
        double.set(&json!({"vcpu_quota": 0}));
        computer.up();
        is_one_set(double);
    });
}

#[test]
fn a_launch_is_retried_until_it_knows_the_new_key_and_group() {
    let codes = [
        "InvalidKeyPair.NotFound",
        "InvalidGroup.NotFound",
        "InvalidGroupId.NotFound",
        "InvalidSecurityGroup.NotFound",
        "InvalidSecurityGroupID.NotFound",
    ];
    each(codes, |code, double| {
        let computer = Computer::new(double);
        let refusal = json!({"do": "refuse", "code": code, "message": "It does not exist."});
        for (action, times) in [("RunInstances", 3), ("AuthorizeSecurityGroupIngress", 2)] {
            // A rule refers only to groups.
            if action == "RunInstances" || !code.contains("Key") {
                let mut fault = refusal.clone();
                (fault["action"], fault["times"]) = (json!(action), json!(times));
                double.fault(&fault);
            }
        }
        computer.up();
        is_one_set(double);
        let launches = double.actions().iter().filter(|action| *action == "RunInstances").count();
        assert_eq!(launches, 5, "three refused, and one for each machine");
    });
}

#[test]
fn the_latest_console_output_is_requested_if_the_type_supports_it() {
    // The second call is the one without `Latest`.
    for (kind, wanted) in [("t3.small", &[Some("true")][..]), ("t2.small", &[Some("true"), None])] {
        with_double(|double| {
            let computer = Computer::new(double);
            computer.spec(&[&format!("instance_type: {kind}")], 1);
            computer.up().stderr_contains("its console ends with").stderr_contains("multi-user.target");
            let calls = double.calls();
            let requests = calls.iter().filter(|call| call["action"] == "GetConsoleOutput");
            let of = |id: &str| -> Vec<Option<&str>> {
                let its = requests.clone().filter(|call| call["parameters"]["InstanceId"] == id);
                its.map(|call| call["parameters"]["Latest"].as_str()).collect()
            };
            for host in ["app", "monitoring"] {
                assert_eq!(of(&Hand::new(double).id("instances", host)), wanted, "{kind} of {host}");
            }
        });
    }
}
