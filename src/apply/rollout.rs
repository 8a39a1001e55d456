//! Brings a version of the application to its hosts: all get ready at the same time and switch one after the other.

use std::collections::BTreeMap;

use futures_util::future::join_all;

use super::hosts::{Connected, HostResult, apply};
use crate::error::Error;
use crate::event::Events;
use crate::host::{HostName, ProjectName};
use crate::plan::{HostPlan, Rollout};
use crate::playbook::Inputs;

/// Carries out a rollout. A host that cannot be prepared keeps every host from switching; a host that fails at its turn
/// keeps those after it. Returns the results of each host, and the errors.
pub async fn roll_out(
    rollout: &Rollout,
    hosts: &BTreeMap<HostName, (Connected, HostPlan)>,
    inputs: &Inputs,
    project: &ProjectName,
    events: &Events,
) -> (BTreeMap<HostName, HostResult>, Vec<Error>) {
    let turns = rollout.turns().iter().filter_map(|host| {
        let (connected, plan) = hosts.get(host)?;
        let (before, switch) = rollout.split(*host, plan);
        Some(Turn { host: *host, connected, plan, before, switch })
    });
    let turns: Vec<Turn> = turns.collect();
    let run = async |turn: &Turn<'_>, part: &HostPlan| {
        if part.changes.is_empty() {
            return Ok(HostResult { ended: true, ..HostResult::default() });
        }
        apply(&turn.connected.remote, part, inputs, project, events).await
    };
    let prepared = join_all(turns.iter().map(|turn| run(turn, &turn.before))).await;

    let (mut results, mut errors) = (BTreeMap::new(), Vec::new());
    let mut unprepared = Vec::new();
    for (turn, prepared) in turns.iter().zip(prepared) {
        if !prepared.as_ref().is_ok_and(|result| turn.is_prepared(result)) {
            unprepared.push(turn.host);
        }
        results.insert(
            turn.host,
            prepared.unwrap_or_else(|error| {
                errors.push(error);
                HostResult::default()
            }),
        );
    }
    let mut stopped = !unprepared.is_empty();
    if stopped {
        errors.push(rollout.unprepared(&unprepared));
    }
    for turn in &turns {
        let result = results.entry(turn.host).or_default();
        if stopped {
            result.skipped.extend(turn.switch.changes.iter().map(|(step, _)| step.id.to_string()));
            continue;
        }
        match run(turn, &turn.switch).await {
            Ok(switched) => result.add(switched),
            Err(error) => {
                result.ended = false;
                errors.push(error);
            }
        }
        if !turn.has_switched(result) {
            stopped = true;
            errors.extend(rollout.stopped(turn.host));
        }
    }
    (results, errors)
}

/// A host of the rollout with the parts of its plan.
struct Turn<'a> {
    host: HostName,
    connected: &'a Connected,
    plan: &'a HostPlan,
    before: HostPlan,
    switch: HostPlan,
}

impl Turn<'_> {
    fn is_prepared(&self, result: &HostResult) -> bool {
        let is_done = |step: &String| result.done.contains(step);
        let before = self.before.changes.iter().map(|(step, _)| &step.id);
        let needed: Vec<_> = self.plan.needed_by_switch().collect();
        result.ended && before.filter(|step| needed.contains(step)).all(|step| is_done(&step.0))
    }

    fn has_switched(&self, result: &HostResult) -> bool {
        result.ended && self.plan.switch().is_some_and(|step| result.done.contains(&step.id.0))
    }
}
