//! `monctl explain`: what must happen, for how long, until a person is told of an alert. Reads the spec alone.

use super::context::Context;
use super::outcome::Outcome;
use crate::cli::ExplainArgs;
use crate::duration::PromDuration;
use crate::error::{Error, Result};
use crate::explain::{AskedFault, Explanation};
use crate::render::{Rule, rules};
use crate::report;
use crate::spec::{Spec, load};

/// # Errors
/// Where the spec is not valid or has no such alert.
pub(super) fn run(args: &ExplainArgs, context: &Context) -> Result<Outcome> {
    let loaded = load(&context.spec)?;
    let rule = rule_of(&loaded.spec, &args.alert)?;
    let asked = AskedFault { value: args.value, lasting: args.lasting.map(PromDuration::get) };
    let explanation = Explanation::new(&loaded.spec, &rule, asked);
    let json = serde_json::to_value(&explanation)
        .map_err(|error| Error::failed("the explanation has no form in JSON").because(error))?;
    Ok(Outcome::success(explanation.text(report::width()), json))
}

/// The spec's rule of this name.
///
/// # Errors
/// Where there is none; the remedy names those there are.
pub(super) fn rule_of(spec: &Spec, alert: &str) -> Result<Rule> {
    let rules = rules(spec);
    let names: Vec<String> = rules.iter().map(|rule| format!("`{}`", rule.name)).collect();
    rules.into_iter().find(|rule| rule.name == alert).ok_or_else(|| {
        Error::invalid(format!("the spec has no alert `{alert}`"))
            .remedy(format!("its alerts are {}", names.join(", ")))
    })
}
