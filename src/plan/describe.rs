//! Renders a plan for people: `+` new, `~` changed, `=` kept as a person changed it, `-` removed; reasons and diffs.

use std::fmt;

use super::{Plan, Rollout};
use crate::playbook::{ChangeKind, StepChange};

/// Number of lines of a diff that are shown; the rest is counted.
const DIFF_LINES: usize = 24;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            f.write_str("nothing to do: everything matches the spec\n")?;
        }
        if !self.infra.is_empty() {
            self.place.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        }
        for action in &self.infra {
            writeln!(f, "{} {action}", action.sign())?;
            action.details().iter().try_for_each(|line| writeln!(f, "      {line}"))?;
        }
        let disruptions = self.disruptions();
        if !disruptions.is_empty() {
            writeln!(f, "! stops or replaces machines: {}", disruptions.join("; "))?;
        }
        for (host, plan) in &self.hosts {
            if plan.changes.is_empty() {
                continue;
            }
            writeln!(f, "{host}")?;
            for (step, change) in &plan.changes {
                let sign = match change.kind {
                    ChangeKind::Create => '+',
                    ChangeKind::Change => '~',
                    ChangeKind::Remove => '-',
                };
                describe(f, sign, &step.id.0, change)?;
            }
        }
        describe_rollout(f, &Rollout::new(self.hosts.iter().map(|(host, plan)| (*host, plan))))?;
        if !self.grafana.is_empty() || !self.kept.is_empty() {
            writeln!(f, "grafana")?;
        }
        for action in &self.grafana {
            writeln!(f, "  {} {}: {}", action.sign, action.what, action.why)?;
        }
        for action in &self.kept {
            writeln!(f, "  {} {}: {}; left as it is", action.sign, action.what, action.why)?;
        }
        for why in self.hosts.values().flat_map(|host| &host.missing) {
            writeln!(f, "missing: {why}")?;
        }
        Ok(())
    }
}

/// The order in which application hosts switch, if there are several.
fn describe_rollout(f: &mut fmt::Formatter<'_>, rollout: &Rollout) -> fmt::Result {
    if rollout.has_turns() {
        let turns: Vec<String> = rollout.turns().iter().map(ToString::to_string).collect();
        writeln!(f, "application hosts switch one after the other: {}", turns.join(", "))?;
        if let Some(host) = rollout.releases_on() {
            writeln!(
                f,
                "  release commands run on {host}, the first one; with SQLite each host has a database and runs them on it"
            )?;
        }
    }
    Ok(())
}

fn describe(f: &mut fmt::Formatter<'_>, sign: char, step: &str, change: &StepChange) -> fmt::Result {
    writeln!(f, "  {sign} {step}")?;
    let mut details = change.details.iter().peekable();
    while let Some(detail) = details.next() {
        // A new application has many absent files, which share one line.
        let mut same = 0;
        while detail.diff.is_none()
            && details.next_if(|next| next.why == detail.why && next.diff.is_none()).is_some()
        {
            same += 1;
        }
        let more = if same > 0 { format!(" and {same} more") } else { String::new() };
        writeln!(f, "      {}{more}: {}", detail.what, detail.why)?;
        if let Some(diff) = &detail.diff {
            for line in diff.lines().take(DIFF_LINES) {
                writeln!(f, "        {line}")?;
            }
            let hidden = diff.lines().count().saturating_sub(DIFF_LINES);
            if hidden > 0 {
                writeln!(f, "        … {hidden} more lines")?;
            }
        }
    }
    Ok(())
}
