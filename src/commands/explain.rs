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
    let rule = rule_of(&loaded.spec, &args.alert)?;
    let custom = CustomFault { value: args.value, lasting: args.lasting.map(PromDuration::get) };
    let explanation = Explanation::new(&loaded.spec, &rule, custom);
    let json = serde_json::to_value(&explanation)
        .map_err(|error| Error::failed("cannot write the explanation as JSON").because(error))?;
    Ok(Outcome::success(explanation.text(report::width()), json))
}

/// The spec's rule of this name.
///
/// # Errors
/// When there is none; the remedy lists the alerts of the spec.
pub(super) fn rule_of(spec: &Spec, alert: &str) -> Result<Rule> {
    let rules = rules(spec);
    let names: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.name)).collect();
    rules.into_iter().find(|rule| rule.name == alert).ok_or_else(|| {
        Error::invalid(format!("the spec has no alert `{alert}`"))
            .remedy(format!("its alerts are {}", names.join(", ")))
    })
}
