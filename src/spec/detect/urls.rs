//! Where a project's URLs lead to django-prometheus, followed through `include`.

use std::path::Path;

use regex::Regex;

use super::file_of;
use super::settings::code;

/// How deep nested `include`s are followed.
const DEEPEST: usize = 5;
/// The path that django-prometheus' own URLs add.
const OWN: &str = "metrics";

/// The path of the metrics, such as `/metrics`; none where no URL leads there, or only one with a variable part.
pub(super) fn of_metrics(folder: &Path, urls: &str) -> Option<String> {
    find(folder, urls, "/", DEEPEST)
}

fn find(folder: &Path, module: &str, before: &str, deep: usize) -> Option<String> {
    let text = code(&file_of(folder, module)?)?;
    let route = Regex::new(
        r#"\b(?:re_)?(?:path|url)\(\s*r?['"]([^'"]*)['"]\s*,\s*(?:(include)\(\s*\(?\s*['"]([\w.]+)['"]|(?:\w+\.)*(ExportToDjangoView)\b)"#,
    );
    route.ok()?.captures_iter(&text).find_map(|found| {
        let here = format!("{before}{}", found[1].trim_start_matches('^').trim_end_matches('$'));
        if here.contains(['<', '(', '[', '\\', '*', '?']) {
            return None;
        }
        match found.get(3).map(|included| included.as_str()) {
            None => Some(here),
            Some("django_prometheus.urls") => Some(here + OWN),
            Some(included) if deep > 0 => find(folder, included, &here, deep - 1),
            Some(_) => None,
        }
    })
}
