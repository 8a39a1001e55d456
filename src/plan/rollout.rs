//! How a version of the application reaches its hosts: one after the other, and once for all its release commands.

use super::HostPlan;
use crate::error::Error;
use crate::host::{HostName, Role};

/// The application hosts that switch to a version, in turn. The first one is the gate and runs the release commands;
/// a host that fails ends the rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rollout {
    turns: Vec<HostName>,
    /// The hosts that have the version already, so that its release commands were run.
    have_it: Vec<HostName>,
}

impl Rollout {
    /// The rollout for these plans of all hosts that answered.
    pub fn new<'a>(hosts: impl IntoIterator<Item = (HostName, &'a HostPlan)>) -> Self {
        let of_app = hosts.into_iter().filter(|(host, _)| host.role() == Role::APP);
        let mut rollout = Self::default();
        for (host, plan) in of_app {
            let hosts = if plan.switch().is_some() { &mut rollout.turns } else { &mut rollout.have_it };
            hosts.push(host);
        }
        rollout
    }

    /// The hosts that switch, in the order of their turns.
    pub fn turns(&self) -> &[HostName] {
        &self.turns
    }

    /// Whether hosts have to wait for each other.
    pub fn has_turns(&self) -> bool {
        self.turns.len() > 1
    }

    /// The host that runs the release commands, if any has to.
    pub fn releases_on(&self) -> Option<HostName> {
        self.turns.first().copied().filter(|_| self.have_it.is_empty())
    }

    /// What a host does at once, and what it does at its turn. A host that waits for no other does everything at its
    /// turn.
    pub fn split(&self, host: HostName, plan: &HostPlan) -> (HostPlan, HostPlan) {
        let is_released = self.releases_on() != Some(host);
        let (at_once, in_turn) = plan.changes.iter().cloned().partition(|(step, _)| {
            self.has_turns() && plan.switch().is_some_and(|switch| step.id != switch.id)
        });
        let part = |changes| HostPlan { changes, missing: vec![], is_released };
        (part(at_once), part(in_turn))
    }

    /// The error for hosts that could not be prepared: no host has switched.
    pub fn unprepared(&self, failed: &[HostName]) -> Error {
        let text = format!("no application host switched to the new version: not prepared: {}", list(failed));
        Error::failed(text).remedy("remove the cause, then run `monctl up` again")
    }

    /// The error for a host that failed at its turn. None if it is the only application host, whose failed step says all.
    pub fn stopped(&self, failed: HostName) -> Option<Error> {
        if !self.has_turns() && self.have_it.is_empty() {
            return None;
        }
        let (switched, waiting) = match self.turns.iter().position(|host| *host == failed) {
            Some(turn) => (&self.turns[..turn], &self.turns[turn + 1..]),
            None => (&self.turns[..0], &self.turns[..]),
        };
        let new: Vec<HostName> = self.have_it.iter().chain(switched).copied().collect();
        let mut text = format!("`{failed}` did not switch to the new version");
        let hosts = [("has it", "have it", &new[..]), ("was not touched", "were not touched", waiting)];
        for (one, many, hosts) in hosts.into_iter().filter(|(_, _, hosts)| !hosts.is_empty()) {
            text.push_str(&format!("; {} {}", list(hosts), if hosts.len() == 1 { one } else { many }));
        }
        let remedy = if new.is_empty() {
            "correct the version, then run `monctl up` again".to_owned()
        } else {
            format!(
                "remove the cause, then run `monctl up` again: it goes on with `{failed}`; to have one version on all \
                 hosts at once, deploy the previous one"
            )
        };
        Some(Error::failed(text).remedy(remedy))
    }
}

/// Hosts in a sentence.
fn list(hosts: &[HostName]) -> String {
    hosts.iter().map(|host| format!("`{host}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::Plan;
    use super::*;
    use crate::playbook::{ChangeKind, Step, StepChange};

    /// A host's plan with these steps of its playbook.
    fn plan(steps: &[&str]) -> HostPlan {
        let playbook = include_str!("../../playbooks/app.yaml");
        let playbook: crate::playbook::Playbook = serde_saphyr::from_str(playbook).unwrap();
        let change = |step: &Step| StepChange {
            step: step.id.clone(),
            kind: ChangeKind::Change,
            details: vec![],
            commands: vec![],
            payloads: [].into(),
        };
        let is_wanted = |step: &Step| step.when.is_none() && steps.contains(&step.id.0.as_str());
        let changes = playbook.steps.into_iter().filter(is_wanted).map(|step| (step.clone(), change(&step)));
        HostPlan { changes: changes.collect(), ..HostPlan::default() }
    }

    /// The rollout for the first application hosts with these steps.
    fn rollout(hosts: &[&[&str]]) -> (Rollout, Vec<(HostName, HostPlan)>) {
        let named = |(number, steps): (u16, &&[&str])| (HostName::app(number), plan(steps));
        let mut plans: Vec<_> = (1..).zip(hosts).map(named).collect();
        plans.push((HostName::MONITORING, plan(&["packages"])));
        (Rollout::new(plans.iter().map(|(host, plan)| (*host, plan))), plans)
    }

    /// What each host does at once and in turn; `*` marks the host that runs the release commands.
    fn course(hosts: &[&[&str]]) -> Vec<String> {
        let (rollout, plans) = rollout(hosts);
        let steps = |plan: HostPlan| {
            plan.changes.iter().map(|(step, _)| step.id.to_string()).collect::<Vec<_>>().join(" ")
        };
        let course = rollout.turns().iter().map(|turn| {
            let (_, plan) = plans.iter().find(|(host, _)| host == turn).unwrap();
            let (at_once, in_turn) = rollout.split(*turn, plan);
            assert_eq!(at_once.is_released, in_turn.is_released);
            let release = if in_turn.is_released { "" } else { "*" };
            format!("{turn}{release}: {} | {}", steps(at_once), steps(in_turn))
        });
        course.collect()
    }

    #[test]
    fn one_host_does_everything_in_one_script() {
        assert_eq!(course(&[&["venv", "app", "packages"]]), ["app*:  | venv app packages"]);
    }

    #[test]
    fn several_hosts_get_ready_at_once_switch_in_turn_and_release_on_the_first() {
        let course = course(&[&["venv", "app", "packages"], &["app"], &["python", "app"]]);
        assert_eq!(course, ["app*: venv packages | app", "app-2:  | app", "app-3: python | app"]);
    }

    #[test]
    fn a_version_that_a_host_has_is_not_released_again() {
        assert_eq!(course(&[&["packages"], &[], &["venv", "app"]]), ["app-3:  | venv app"]);
        assert_eq!(course(&[&[], &["app"], &["venv", "app"]]), ["app-2:  | app", "app-3: venv | app"]);
        assert_eq!(course(&[&["packages"], &[]]), Vec::<String>::new());
    }

    #[test]
    fn a_plan_shows_the_order_and_where_release_commands_run() {
        let shown = |hosts: &[&[&str]]| {
            let hosts = rollout(hosts).1.into_iter().collect();
            let text = Plan { hosts, ..Plan::default() }.to_string();
            let is_of_rollout =
                |line: &&str| line.contains("application hosts") || line.contains("release commands");
            text.lines().filter(is_of_rollout).map(str::to_owned).collect::<Vec<_>>().join("\n")
        };
        let order = "application hosts switch one after the other: ";
        let release = "release commands run on app, the first one;";
        assert!(shown(&[&["app"], &["app"]]).starts_with(&format!("{order}app, app-2\n  {release}")));
        assert_eq!(shown(&[&[], &["app"], &["app"]]), format!("{order}app-2, app-3"));
        assert_eq!(shown(&[&["app"]]), "");
    }

    #[test]
    fn a_switch_needs_the_steps_before_it_and_no_others() {
        let plan = plan(&["python", "venv", "app", "packages"]);
        let needed: Vec<String> = plan.needed_by_switch().map(ToString::to_string).collect();
        assert_eq!(needed, ["python", "venv"]);
    }

    #[test]
    fn the_end_of_a_rollout_names_which_host_has_which_version() {
        let in_words = |rollout: &Rollout, failed| {
            rollout.stopped(HostName::app(failed)).map(|error| error.message().to_owned()).unwrap_or_default()
        };
        let switch: &[&str] = &["app"];
        let (three, _) = rollout(&[switch, switch, switch]);
        assert_eq!(
            in_words(&three, 1),
            "`app` did not switch to the new version; `app-2`, `app-3` were not touched"
        );
        assert_eq!(
            in_words(&three, 2),
            "`app-2` did not switch to the new version; `app` has it; `app-3` was not touched"
        );
        assert_eq!(in_words(&three, 3), "`app-3` did not switch to the new version; `app`, `app-2` have it");
        let (joined, _) = rollout(&[&[], switch]);
        assert_eq!(in_words(&joined, 2), "`app-2` did not switch to the new version; `app` has it");
        assert_eq!(in_words(&rollout(&[switch]).0, 1), "");
    }
}
