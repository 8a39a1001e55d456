//! `monctl explain`: what an alert needs to reach its receiver, and how long that takes. Reads only the spec.

use super::context::Context;
use super::outcome::Outcome;
use crate::cli::ExplainArgs;
use crate::duration::PromDuration;
use crate::error::{Error, Result};
use crate::explain::{CustomFault, Explanation};
use crate::render::{Rule, rules};
use crate::report;
use crate::spec::{Spec, load};

/// # Errors
/// When the spec is invalid or has no such alert.
pub(super) fn run(args: &ExplainArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let custom = CustomFault { value: args.value, lasting: args.lasting.map(PromDuration::get) };
    let rules = rules_of(&loaded.spec, &args.alert)?;
    let explanations: Vec<_> =
        rules.iter().map(|rule| Explanation::new(&loaded.spec, rule, custom)).collect();
    let json = match explanations.as_slice() {
        [explanation] => serde_json::to_value(explanation),
        several => serde_json::to_value(several),
    };
    let json = json.map_err(|error| Error::failed("cannot write the explanation as JSON").because(error))?;
    let texts = rules.iter().zip(&explanations).map(|(rule, explanation)| {
        let text = explanation.text(report::width());
        if rules.len() == 1 { text } else { format!("{}\n{text}", heading(rule)) }
    });
    Ok(Outcome::success(texts.collect::<Vec<_>>().join("\n\n"), json))
}

/// The labels that tell a rule from others of its name, with its file.
fn heading(rule: &Rule) -> String {
    let labels: Vec<String> = rule.labels.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let file = rule.origin.as_ref().map_or("the spec", |origin| &origin.file);
    format!("{} of `{file}` with the labels {{{}}}", rule.name, labels.join(", "))
}

/// The spec's rules of this name: more than one only if they are of rule files.
///
/// # Errors
/// When there is none; the remedy lists the alerts of the spec.
fn rules_of(spec: &Spec, alert: &str) -> Result<Vec<Rule>> {
    let rules = rules(spec);
    let mut names: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.name)).collect();
    names.dedup();
    let found: Vec<Rule> = rules.into_iter().filter(|rule| rule.name == alert).collect();
    if found.is_empty() {
        return Err(Error::invalid(format!("the spec has no alert `{alert}`"))
            .remedy(format!("its alerts are {}", names.join(", "))));
    }
    Ok(found)
}
