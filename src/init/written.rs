//! Paths below the project's folder that its settings create or write: folders by `mkdir` and `makedirs`, and log files.

use regex::Regex;

use super::call::literal;
use crate::error::{Error, Result};

/// The paths, relative to `BASE_DIR`, that code writes besides databases and uploads, which monctl finds by itself.
///
/// # Errors
/// None that a user can cause.
pub(super) fn written(code: &str) -> Result<Vec<String>> {
    let pattern = |text: &str| {
        Regex::new(text).map_err(|error| Error::failed("a pattern of this program is wrong").because(error))
    };
    let below = r#"(?:BASE_DIR\s*((?:/\s*["'][^"'\n]+["']\s*)+)|os\.path\.join\(\s*BASE_DIR\s*((?:,\s*["'][^"'\n]+["']\s*)+)\))"#;
    let named = pattern(&format!(r"(?m)^(\w+)\s*=\s*\(?(?:str\()?{below}"))?;
    let creation = pattern(&format!(r"(?:makedirs\(\s*(?:str\()?{below}|\({below}\)\.mkdir\()"))?;
    let log = pattern(&format!(r#"["']filename["']\s*:\s*(?:str\()?{below}"#))?;
    let mut found = Vec::new();
    let mut add = |path: String| {
        if !path.is_empty() && !found.contains(&path) {
            found.push(path);
        }
    };
    for assigned in named.captures_iter(code) {
        let name = &assigned[1];
        let is_created =
            [format!("{name}.mkdir("), format!("makedirs({name}"), format!("makedirs(str({name})")];
        if is_created.iter().any(|call| code.contains(call)) {
            add(path(&assigned, 2));
        }
    }
    creation.captures_iter(code).for_each(|created| add(path(&created, 1)));
    log.captures_iter(code).for_each(|logged| add(path(&logged, 1)));
    // What lies in a folder of the list needs no line of its own.
    let folders = found.clone();
    found.retain(|path| !folders.iter().any(|folder| path.starts_with(&format!("{folder}/"))));
    Ok(found)
}

/// The path in the first group from `from` on that took part.
fn path(found: &regex::Captures<'_>, from: usize) -> String {
    let parts = (from..found.len()).find_map(|group| found.get(group)).map_or("", |group| group.as_str());
    let parts = parts.split(['/', ',']).map(str::trim).filter(|part| !part.is_empty());
    // A literal with a slash in it was split: its halves have one quote each.
    let parts: Vec<&str> =
        parts.map(|part| literal(part).unwrap_or_else(|| part.trim_matches(['"', '\'']))).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_log_files_are_found() {
        for (code, expected) in [
            ("DATA = BASE_DIR / 'data'\nDATA.mkdir(exist_ok=True)\n", &["data"][..]),
            ("(BASE_DIR / \"var\" / \"run\").mkdir(parents=True)\n", &["var/run"]),
            ("os.makedirs(os.path.join(BASE_DIR, 'logs'), exist_ok=True)\n", &["logs"]),
            ("LOGS = os.path.join(BASE_DIR, 'var', 'logs')\nos.makedirs(LOGS)\n", &["var/logs"]),
            ("LOGGING = {'h': {'filename': BASE_DIR / 'debug.log'}}\n", &["debug.log"]),
            ("x = {\"filename\": str(BASE_DIR / \"logs/debug.log\")}\n", &["logs/debug.log"]),
            ("(BASE_DIR / 'logs').mkdir()\nx = {'filename': BASE_DIR / 'logs' / 'a.log'}\n", &["logs"]),
            ("DATA = BASE_DIR / 'data'\nSTATIC_ROOT = BASE_DIR / 'static'\n", &[]),
            ("x = {'filename': '/var/log/shop.log'}\n", &[]),
        ] {
            assert_eq!(written(code).unwrap(), expected, "{code}");
        }
    }
}
