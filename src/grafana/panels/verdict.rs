//! What is printed about the panels of all dashboards: problems and notices by dashboard, and how many queries have data.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{PanelFindings, Shown};

/// What is printed about the panels of all dashboards.
#[derive(Debug)]
pub struct PanelVerdict {
    /// Whether every panel shows data.
    pub is_proof: bool,
    /// For people.
    pub text: String,
    /// For programs: the same content.
    pub json: Value,
}

/// A query or a variable with a problem or a notice.
struct Remark<'a> {
    dashboard: &'a str,
    what: String,
    expr: &'a str,
    shown: &'a Shown,
    notices: &'a [String],
}

/// The problems and notices, by dashboard.
fn remarks(found: &PanelFindings) -> Vec<Remark<'_>> {
    let variables = found.variables.iter().map(|one| Remark {
        dashboard: &one.dashboard,
        what: format!("variable `{}`", one.variable),
        expr: "",
        shown: &one.shown,
        notices: &[],
    });
    let queries = found.queries.iter().map(|one| Remark {
        dashboard: &one.dashboard,
        what: if one.query.is_empty() { one.panel.clone() } else { format!("{} ({})", one.panel, one.query) },
        expr: &one.expr,
        shown: &one.shown,
        notices: &one.notices,
    });
    let is_remarkable = |it: &Remark| *it.shown != Shown::Data || !it.notices.is_empty();
    let mut remarks: Vec<Remark> = variables.chain(queries).filter(is_remarkable).collect();
    remarks.sort_by_key(|remark| remark.dashboard);
    remarks
}

impl Remark<'_> {
    fn write(&self, text: &mut String) {
        let (word, cause) = match self.shown {
            Shown::Data => ("note", ""),
            Shown::Partial(cause) => ("partly", cause.as_str()),
            Shown::Empty(cause) => ("empty", cause.as_str()),
            Shown::Error(cause) => ("error", cause.as_str()),
            Shown::NotApplicable(cause) => ("not applicable", cause.as_str()),
            Shown::NotQueried(cause) => ("not queried", cause.as_str()),
        };
        text.push_str(&format!("  {word}  {}\n", self.what));
        let expr = self.expr.replace('\n', " ");
        for line in [expr.as_str(), cause].into_iter().chain(self.notices.iter().map(String::as_str)) {
            if !line.is_empty() {
                text.push_str(&format!("         {line}\n"));
            }
        }
    }
}

/// The verdict on all panels. `pictures` are the files that were taken.
pub fn verdict(found: &PanelFindings, pictures: &[PathBuf]) -> PanelVerdict {
    let mut text = String::new();
    let mut dashboard = None;
    for remark in remarks(found) {
        if dashboard != Some(remark.dashboard) {
            dashboard = Some(remark.dashboard);
            text.push_str(&format!("{}\n", remark.dashboard));
        }
        remark.write(&mut text);
    }
    for one in found.variables.iter().filter(|one| one.alone > 0 && one.alone < one.values) {
        text.push_str(&format!(
            "{}: {} of the {} values of `{}` were checked one by one\n",
            one.dashboard, one.alone, one.values, one.variable
        ));
    }
    for picture in pictures {
        text.push_str(&format!("picture {}\n", picture.display()));
    }
    let counts = Counts::of(found);
    text.push_str(&counts.text());
    let json = json!({
        "queries": found.queries,
        "variables": found.variables,
        "without_data": counts.lacking,
        "not_applicable": counts.not_applicable,
        "not_queried": counts.not_queried,
        "variables_without_values": counts.variables,
        "pictures": pictures,
    });
    PanelVerdict { is_proof: counts.is_proof(), text, json }
}

/// Number of queries by result.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    /// Queries with a verdict.
    queried: usize,
    lacking: usize,
    not_applicable: usize,
    not_queried: usize,
    /// Variables without values.
    variables: usize,
    /// Variables that Grafana shows as an error. An empty list does not matter if the panels have data.
    broken: usize,
}

impl Counts {
    fn of(found: &PanelFindings) -> Self {
        let mut counts = Self::default();
        for one in &found.queries {
            match one.shown {
                Shown::NotApplicable(_) => counts.not_applicable += 1,
                Shown::NotQueried(_) => counts.not_queried += 1,
                _ => counts.queried += 1,
            }
            counts.lacking += usize::from(one.shown.is_lacking());
        }
        counts.variables = found.variables.iter().filter(|one| one.shown.is_lacking()).count();
        counts.broken = found.variables.iter().filter(|one| matches!(one.shown, Shown::Error(_))).count();
        counts
    }

    /// Without any query nothing is proven.
    fn is_proof(&self) -> bool {
        self.queried > 0 && self.lacking == 0 && self.broken == 0
    }

    fn text(&self) -> String {
        let mut text = match (self.queried, self.lacking) {
            (0, _) => "nothing is proven: no query was sent".to_owned(),
            (queried, 0) => format!("all {queried} queries of all panels return data"),
            (queried, lacking) => format!("{lacking} of {queried} queries return no data"),
        };
        for (count, what) in [
            (self.variables, "variables without values"),
            (self.not_applicable, "queries not applicable"),
            (self.not_queried, "queries not sent"),
        ] {
            if count > 0 {
                text.push_str(&format!("; {what}: {count}"));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grafana::panels::{Checked, CheckedVariable};

    fn query(dashboard: &str, panel: &str, shown: Shown) -> Checked {
        let [dashboard, panel, query, expr] = [dashboard, panel, "A", "up"].map(str::to_owned);
        Checked { dashboard, panel, query, expr, notices: vec![], shown }
    }

    fn found(queries: Vec<Checked>) -> PanelFindings {
        PanelFindings { queries, variables: vec![] }
    }

    #[test]
    fn missing_data_is_listed_by_dashboard_and_fails() {
        let mut found = found(vec![
            query("A", "good", Shown::Data),
            query("A", "bad", Shown::Empty("no metric".into())),
            query("B", "logs", Shown::NotQueried("it is Loki".into())),
            query("B", "swap", Shown::NotApplicable("May be empty: no swap.".into())),
            query("B", "disks", Shown::Partial("no data where `host` is `h`".into())),
        ]);
        found.variables.push(CheckedVariable {
            dashboard: "A".into(),
            variable: "host".into(),
            values: 0,
            alone: 0,
            shown: Shown::Empty("nothing has it".into()),
        });
        let verdict = verdict(&found, &[]);
        insta::assert_snapshot!(verdict.text, @r"
        A
          empty  variable `host`
                 nothing has it
          empty  bad (A)
                 up
                 no metric
        B
          not queried  logs (A)
                 up
                 it is Loki
          not applicable  swap (A)
                 up
                 May be empty: no swap.
          partly  disks (A)
                 up
                 no data where `host` is `h`
        2 of 3 queries return no data; variables without values: 1; queries not applicable: 1; queries not sent: 1
        ");
        assert!(!verdict.is_proof);
        let data = &verdict.json;
        let counts = ["without_data", "not_applicable", "not_queried", "variables_without_values"];
        assert_eq!(counts.map(|key| data[key].as_u64().unwrap()), [2, 1, 1, 1]);
        assert_eq!(data["queries"][3]["shown"], "not_applicable");
    }

    #[test]
    fn only_queries_with_data_are_a_proof() {
        let is_proof = |shown: Shown| verdict(&found(vec![query("A", "one", shown)]), &[]).is_proof;
        assert!(is_proof(Shown::Data));
        for shown in [Shown::Empty, Shown::Error, Shown::Partial, Shown::NotQueried, Shown::NotApplicable] {
            assert!(!is_proof(shown(String::new())));
        }
        let both = vec![query("A", "one", Shown::Data), query("A", "two", Shown::NotQueried(String::new()))];
        assert!(verdict(&found(both), &[]).is_proof);
    }

    #[test]
    fn a_variable_without_values_passes_if_every_panel_has_data_and_a_broken_one_fails() {
        let is_proof = |shown: Shown| {
            let mut found = found(vec![query("A", "one", Shown::Data)]);
            let (dashboard, variable) = ("A".to_owned(), "cluster".to_owned());
            found.variables.push(CheckedVariable { dashboard, variable, values: 0, alone: 0, shown });
            let verdict = verdict(&found, &[]);
            assert!(verdict.text.contains("variable `cluster`"), "{}", verdict.text);
            verdict.is_proof
        };
        assert!(is_proof(Shown::Empty("no series has the label".into())));
        assert!(!is_proof(Shown::Error("parse error".into())));
    }

    #[test]
    fn notices_of_prometheus_are_shown_and_do_not_fail() {
        let mut remarked = query("A", "one", Shown::Data);
        remarked.notices = vec!["PromQL info: metric might not be a counter: \"up\"".into()];
        let verdict = verdict(&found(vec![remarked]), &[]);
        insta::assert_snapshot!(verdict.text, @r#"
        A
          note  one (A)
                 up
                 PromQL info: metric might not be a counter: "up"
        all 1 queries of all panels return data
        "#);
        assert!(verdict.is_proof);
    }
}
