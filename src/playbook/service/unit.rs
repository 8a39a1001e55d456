//! A unit of a set: what it needs when something changes, and the description of that.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::super::change::Detail;
use super::super::facts::Facts;
use super::super::inputs::Inputs;
use crate::integrations::Flag;

/// A unit of the set. Its unit file comes from the bundle's `systemd/` folder.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetUnit {
    pub name: String,
    /// The unit is stopped and disabled unless the spec has this flag.
    #[serde(default)]
    pub when: Option<Flag>,
    /// The parts of the set that this unit uses; everything by default.
    #[serde(default)]
    pub uses: Option<Vec<String>>,
    /// Parts for which a reload is enough: names of files, or `tree`.
    #[serde(default)]
    pub reload: Vec<String>,
    /// Command that prints the unit's effect outside systemd, such as rules in the kernel. The same
    /// output as after its last start means that the effect is unchanged.
    #[serde(default)]
    pub effect: Vec<String>,
    /// The metric of the unit's own `/metrics` with the time of its last successful reload, which
    /// confirms a reload.
    #[serde(default)]
    pub reloaded: Option<String>,
    /// The URL that answers once the unit is healthy.
    #[serde(default)]
    pub ready: Option<String>,
}

/// What a running unit needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnChange {
    /// Nothing.
    Keep,
    /// Reload.
    Reload,
    /// Restart.
    Restart,
    /// Stop, and stay stopped.
    Stop,
}

impl OnChange {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Reload => "reload",
            Self::Restart => "restart",
            Self::Stop => "stop",
        }
    }
}

impl SetUnit {
    /// A unit that restarts if one of these parts of the set changes.
    pub(super) fn new(name: String, uses: &[&str]) -> Self {
        let uses = uses.iter().copied().map(str::to_owned).collect();
        Self {
            name,
            when: None,
            uses: Some(uses),
            reload: vec![],
            effect: vec![],
            reloaded: None,
            ready: None,
        }
    }

    /// What this unit needs if these parts of the set differ.
    pub(super) fn action(
        &self,
        inputs: &Inputs,
        facts: &Facts,
        parts: &BTreeSet<String>,
        restart_all: bool,
    ) -> OnChange {
        let fact = facts.units.get(&self.name).cloned().unwrap_or_default();
        let mut concerned = parts.iter().filter(|part| self.uses(part)).peekable();
        if !self.wanted(&inputs.flags) {
            if fact.is_there() { OnChange::Stop } else { OnChange::Keep }
        } else if restart_all || fact.active != "active" {
            OnChange::Restart
        } else if self.effect_is_lost(facts) {
            self.renewal()
        } else if concerned.peek().is_none() {
            OnChange::Keep
        } else if concerned.all(|part| names(&self.reload, part)) {
            OnChange::Reload
        } else {
            OnChange::Restart
        }
    }

    /// Whether the spec wants this unit to run.
    pub(super) fn wanted(&self, flags: &BTreeSet<Flag>) -> bool {
        self.when.is_none_or(|flag| flags.contains(&flag))
    }

    /// Whether a part of the set concerns this unit. Its own unit file always does.
    pub(super) fn uses(&self, part: &str) -> bool {
        part == self.name || self.uses.as_ref().map_or(!is_unit(part), |uses| names(uses, part))
    }

    /// Whether the unit's effect has changed.
    pub(super) fn effect_is_lost(&self, facts: &Facts) -> bool {
        !self.effect.is_empty() && facts.effects.get(&self.name) != Some(&true)
    }

    /// How the unit restores its effect.
    pub(super) fn renewal(&self) -> OnChange {
        if self.reload.is_empty() { OnChange::Restart } else { OnChange::Reload }
    }

    /// The detail of the unit in the plan: what is wrong with it, or what is done to it.
    pub(super) fn state(
        &self,
        inputs: &Inputs,
        facts: &Facts,
        action: OnChange,
        existed: bool,
    ) -> Option<Detail> {
        let fact = facts.units.get(&self.name).cloned().unwrap_or_default();
        let why = if !self.wanted(&inputs.flags) {
            if action != OnChange::Stop {
                return None;
            }
            "no longer needed"
        } else if fact.load == "masked" {
            "masked"
        } else if fact.active != "active" {
            if existed { "not running" } else { "not installed" }
        } else if fact.file != "enabled" && fact.file != "static" {
            "does not start at boot"
        } else if fact.stale {
            "systemd has not read its unit file"
        } else if existed && self.effect_is_lost(facts) {
            "what it set up was changed by hand"
        } else {
            match action {
                OnChange::Keep => return None,
                OnChange::Reload => "reload",
                OnChange::Restart => "restart",
                OnChange::Stop => "stop",
            }
        };
        Some(Detail::new(format!("unit {}", self.name), why))
    }
}

/// Whether a list names a part, or a folder that it lies in.
fn names(list: &[String], part: &str) -> bool {
    list.iter().any(|name| part == name || (name.ends_with('/') && part.starts_with(name.as_str())))
}

fn is_unit(part: &str) -> bool {
    [".service", ".socket", ".timer"].iter().any(|suffix| part.ends_with(suffix))
}
