//! Numbers by name, which the amounts of a trial may use.

use std::collections::BTreeMap;

use crate::spec::Amount;

/// Numbers by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers(BTreeMap<String, f64>);

impl Numbers {
    /// Sets a named number.
    pub fn set(&mut self, name: &str, number: f64) {
        self.0.insert(name.to_owned(), number);
    }

    /// These numbers and one more.
    pub fn with(&self, name: &str, number: f64) -> Self {
        let mut all = self.clone();
        all.set(name, number);
        all
    }

    /// These numbers and some that are computed from them.
    ///
    /// # Errors
    /// An unknown name.
    pub fn and<'a>(&self, more: impl IntoIterator<Item = (&'a String, &'a Amount)>) -> Result<Self, String> {
        let mut all = self.clone();
        for (name, amount) in more {
            all.set(name, self.value(amount)?);
        }
        Ok(all)
    }

    /// The value of an amount.
    ///
    /// # Errors
    /// An unknown name.
    pub fn value(&self, amount: &Amount) -> Result<f64, String> {
        amount.value(&|name| self.0.get(name).copied())
    }

    /// The value of an amount that uses additional numbers.
    ///
    /// # Errors
    /// An unknown name.
    pub fn value_with(&self, amount: &Amount, more: &[(&str, f64)]) -> Result<f64, String> {
        let known = |name: &str| {
            let found = more.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
            found.or_else(|| self.0.get(name).copied())
        };
        amount.value(&known)
    }

    /// The value of an amount that may be absent.
    ///
    /// # Errors
    /// An unknown name.
    pub fn optional(&self, amount: Option<&Amount>) -> Result<Option<f64>, String> {
        amount.map(|amount| self.value(amount)).transpose()
    }

    /// A text with the values of its `${…}`.
    ///
    /// # Errors
    /// An invalid amount, or an unknown name.
    pub fn fill(&self, template: &str) -> Result<String, String> {
        let mut text = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("${") {
            let (amount, after) = after.split_once('}').ok_or_else(|| format!("`{template}` has no `}}`"))?;
            text.push_str(before);
            text.push_str(&self.value(&amount.parse()?)?.to_string());
            rest = after;
        }
        text.push_str(rest);
        Ok(text)
    }
}
