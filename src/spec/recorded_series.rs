//! What an expression comes down to that reads series which recording rules of the user's own record.

use super::model::Spec;
use super::rule_origin::{RecordingRule, RuleMeaning, RuleOrigin};
use crate::promql::{Recording, with_recorded};

impl Spec {
    /// What an expression of an alert at this place comes down to, at the moment of its evaluation. A series that another
    /// group records may be older than that, so that nothing is known of its timing.
    pub fn meaning(&self, expression: &str, origin: Option<&RuleOrigin>) -> RuleMeaning {
        if origin.is_some_and(|origin| origin.is_late) {
            return RuleMeaning::Unknown("the rule's group has a `query_offset`");
        }
        let is_fresh = |rule: &RecordingRule| origin.is_some_and(|origin| rule.origin.is_just_before(origin));
        match self.inlined(expression, is_fresh) {
            Some(known) => RuleMeaning::Known(known),
            None => RuleMeaning::Unknown(
                "the expression reads recorded series in a way that monctl does not follow: it follows a recording rule \
                 that stands before the alert in the same group, adds no labels, and is read without matchers, \
                 `offset` or range",
            ),
        }
    }

    /// An expression without recorded series, whatever the age of their samples; unchanged if that is not possible.
    pub fn without_recorded(&self, expression: &str) -> String {
        self.inlined(expression, |_| true).unwrap_or_else(|| expression.to_owned())
    }

    fn inlined(&self, expression: &str, is_usable: impl Fn(&RecordingRule) -> bool) -> Option<String> {
        let records: Vec<&RecordingRule> = self.rule_files.iter().flat_map(|file| &file.records).collect();
        if records.is_empty() {
            return Some(expression.to_owned());
        }
        with_recorded(expression, &|name| {
            // A selector without a name may take recorded series as well.
            let Some(name) = name else { return Recording::Unclear };
            let mut of_name = records.iter().filter(|rule| rule.record == name);
            match (of_name.next(), of_name.next()) {
                (None, _) => Recording::Scraped,
                (Some(rule), None) if !rule.has_labels && is_usable(rule) => Recording::Of(&rule.expr),
                (Some(_), _) => Recording::Unclear,
            }
        })
    }
}
