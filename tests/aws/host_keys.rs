//! Trust in host keys: the key that this computer has pinned counts, whatever a tag contains afterwards.

use crate::computer::Computer;
use crate::pool::{each, with_double};
use crate::support::hand::Hand;

const FORGED: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[test]
fn a_changed_tag_causes_a_warning_and_its_key_is_never_trusted() {
    each(["status", "plan", "up --yes"], |words, double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        let before = computer.kept("known_hosts");
        assert_eq!(before.lines().count(), 2, "{before}");
        hand.tag(&hand.id("instances", "app"), "monctl:host-key", FORGED);
        let ran = computer.run(words).stderr_contains("monctl:host-key").stderr_contains("app (i-");
        ran.stderr_contains("SHA256:").stderr_contains("ssh-keygen -lf").stderr_contains("CloudTrail");
        assert_eq!(computer.kept("known_hosts"), before, "the tag's key became trusted");
    });
}

#[test]
fn a_machine_whose_tags_were_hidden_for_a_while_keeps_its_pin() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        let before = computer.kept("known_hosts");
        let (instance, volume) = (hand.id("instances", "app"), hand.id("volumes", "app"));
        hand.untag(&instance, "monctl:project");
        hand.untag(&volume, "monctl:project");
        computer.run("status");
        hand.tag(&instance, "monctl:project", "shop");
        hand.tag(&instance, "monctl:host-key", FORGED);
        computer.run("status").stderr_contains("this computer has pinned");
        assert_eq!(computer.kept("known_hosts"), before);
    });
}

#[test]
fn a_new_machine_of_a_host_gets_its_own_key() {
    with_double(|double| {
        let (computer, hand) = (Computer::new(double), Hand::new(double));
        computer.up();
        let before = computer.kept("known_hosts");
        hand.terminate("app");
        let ran = computer.up();
        ran.stderr_lacks("this computer has pinned");
        let after = computer.kept("known_hosts");
        let of = |host: &str, text: &str| {
            text.lines()
                .filter(|line| line.starts_with(&format!("{host} ")))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_ne!(of("app", &before), of("app", &after));
        assert_eq!(of("monitoring", &before), of("monitoring", &after));
        assert_eq!(of("app", &after).len(), 1, "{after}");
    });
}
