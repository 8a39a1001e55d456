//! The page with the number of mutants that each alert's tests have detected, by kind of change.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::mutants::{Kind, Mutant};

/// Counts by alert and kind: mutants, and those that no test has detected.
#[derive(Default)]
pub struct Table {
    counts: BTreeMap<String, BTreeMap<Kind, usize>>,
    survivors: BTreeMap<String, Vec<String>>,
}

impl Table {
    pub fn count(&mut self, alert: &str, kind: Kind) {
        *self.counts.entry(alert.to_owned()).or_default().entry(kind).or_default() += 1;
    }

    pub fn survived(&mut self, alert: &str, mutant: &Mutant) {
        self.survivors.entry(alert.to_owned()).or_default().push(mutant.change.clone());
    }

    pub fn mutants(&self) -> usize {
        self.counts.values().flat_map(BTreeMap::values).sum()
    }

    /// `docs/mutations.md`.
    pub fn page(&self) -> String {
        let mut page = HEAD.to_owned();
        let of = |counts: &BTreeMap<Kind, usize>| {
            let cells = Kind::ALL.map(|kind| counts.get(&kind).copied().unwrap_or_default());
            cells.map(|count| format!(" {count} |")).concat()
        };
        for (alert, counts) in &self.counts {
            let survivors = self.survivors.get(alert).map_or(0, Vec::len);
            let _ = writeln!(
                page,
                "| `{alert}` |{} {} | {survivors} |",
                of(counts),
                counts.values().sum::<usize>()
            );
        }
        let mut all = BTreeMap::new();
        for (kind, count) in self.counts.values().flatten() {
            *all.entry(*kind).or_default() += *count;
        }
        let survivors: usize = self.survivors.values().map(Vec::len).sum();
        let _ = writeln!(page, "| all |{} {} | {survivors} |", of(&all), self.mutants());
        for (alert, changes) in &self.survivors {
            for change in changes {
                let _ = writeln!(page, "\nSurvives: {alert}: {change}");
            }
        }
        page
    }
}

const HEAD: &str = "# Wrong rules, and whether tests notice

Rule tests are worth what they notice. So each rule of the catalogue is made wrong in each small way that there is, one
at a time, and its own tests ([alerts](alerts.md#rule-tests)) are asked about it: another operator, a number a little
higher and lower (thresholds among them), `for` an evaluation longer and shorter and twice as long, each range and offset
halved and doubled, each label matcher turned around, changed and left out. A wrong rule that stands all tests survives.

`make test` counts them anew and compares this page. What would mean the same for every value that there can be is not
counted.

| Alert | operator | number | `for` | range | label | all | survive |
|---|---|---|---|---|---|---|---|
";
