//! A survey as a spec with comments.

use std::path::Path;

use super::services;
use super::survey::Survey;
use super::variables::{EnvironmentVariable, is_false};
use crate::host::ProjectName;
use crate::spec::AppService;

/// What a project's files cannot say: where its hosts are, and where its alerts are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    /// The machines.
    pub machines: Machines,
    /// The variable of the environment with the URL of Slack's webhook; without it, monctl itself receives messages.
    pub slack: Option<String>,
}

/// Where the machines of a new spec are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Machines {
    /// On this computer.
    Local,
    /// In a region of EC2.
    Aws(String),
    /// Existing hosts: of the application, and for monitoring.
    Hosts(String, String),
}

impl Survey {
    /// The text of a spec. `path` is the project's folder as the spec names it.
    pub fn spec(&self, path: &Path, answers: &Answers) -> String {
        let mut text = String::from(
            "# How monctl deploys and monitors this project, written by `monctl init`. `monctl schema` describes all keys.\n\
             version: 1\n",
        );
        let mut line = |depth: usize, content: &str| {
            text.push_str(&"  ".repeat(depth));
            text.push_str(content);
            text.push('\n');
        };
        line(0, &format!("project: {}", project_name(&self.name)));
        provider(&answers.machines, &mut line);
        line(0, "app:");
        line(1, &format!("path: {}", scalar(&path.display().to_string())));
        if !self.manage.as_os_str().is_empty() {
            line(
                1,
                &format!("manage: {} # the folder of manage.py", scalar(&self.manage.display().to_string())),
            );
        }
        self.entry(&mut line);
        self.packages(&mut line);
        self.services(&mut line);
        self.environment(path, &mut line);
        self.written(&mut line);
        self.processes(&mut line);
        notify(answers.slack.as_deref(), &mut line);
        text
    }

    fn entry(&self, line: &mut impl FnMut(usize, &str)) {
        match &self.entry {
            Some(entry) if entry.split(':').next().is_some_and(|module| module.ends_with("asgi")) => {
                line(1, &format!("asgi: {}", scalar(entry)));
            }
            Some(entry) => line(1, &format!("wsgi: {}", scalar(entry))),
            None => line(1, "# Which module does the server load? For example `wsgi: shop.wsgi`.\n  wsgi:"),
        }
    }

    fn packages(&self, line: &mut impl FnMut(usize, &str)) {
        if self.packages.is_empty() {
            return;
        }
        line(1, "# Debian packages that requirements need.");
        line(1, "packages:");
        for (package, requirement) in &self.packages {
            line(2, &format!("- {package} # {requirement}"));
        }
    }

    fn services(&self, line: &mut impl FnMut(usize, &str)) {
        if self.services.is_empty() {
            return;
        }
        line(
            1,
            "# Servers that monctl installs on the application host. For one of your own, set its address in `env` instead.",
        );
        line(1, "services:");
        for (service, place) in &self.services {
            line(2, &format!("- {} # {place}", service.name()));
        }
    }

    /// Whether a server in `services` sets this variable.
    fn is_of_service(&self, variable: &EnvironmentVariable) -> bool {
        self.services.iter().any(|(service, _)| service.variables().contains(&variable.name.as_str()))
    }

    fn environment(&self, path: &Path, line: &mut impl FnMut(usize, &str)) {
        if let Some((file, _)) = &self.env_file {
            line(1, "# Its values are secrets: hosts get them in a file that only the application can read.");
            line(1, &format!("env_file: {}", scalar(&path.join(file).display().to_string())));
        }
        let (set, optional): (Vec<_>, Vec<_>) = self
            .variables
            .iter()
            .filter(|variable| !self.is_of_service(variable))
            .map(|variable| (variable, self.value(variable)))
            .partition(|(_, value)| value.is_some());
        if set.is_empty() && optional.is_empty() && self.settings.is_none() {
            return;
        }
        let key = if set.is_empty() && self.settings.is_none() { "# env:" } else { "env:" };
        line(1, key);
        if let Some(settings) = &self.settings {
            line(2, "# The module that the server loads names other settings by default.");
            line(2, &format!("DJANGO_SETTINGS_MODULE: {}", scalar(settings)));
        }
        for (variable, value) in set {
            let comment = value_comment(variable);
            line(2, &format!("# {comment}"));
            line(2, &format!("{}: {}", variable.name, value.unwrap_or_else(|| "\"\"".to_owned())));
        }
        for (variable, _) in optional {
            if let Some(default) = &variable.default {
                let default = default.split_whitespace().collect::<Vec<_>>().join(" ");
                line(2, &format!("# {}: \"\" # {}; the default is {default}", variable.name, variable.place));
            }
        }
    }

    /// The value of a variable in the spec; `None` where the default in the code will do.
    fn value(&self, variable: &EnvironmentVariable) -> Option<String> {
        let name = variable.name.to_uppercase();
        let reference = || Some(format!("{{env: {}}}", variable.name));
        if variable.is_secret_key() {
            return reference();
        }
        if self.services.iter().any(|(service, _)| *service == AppService::Postgresql)
            && let Some(value) = services::of_postgresql(&variable.name)
        {
            return Some(scalar(value));
        }
        if variable.is_debug() {
            let is_off = variable.default.as_deref().is_some_and(is_false);
            return (!is_off).then(|| "\"False\"".to_owned());
        }
        if name.ends_with("ALLOWED_HOSTS") {
            return Some("\"*\"".to_owned());
        }
        if variable.default.is_some() {
            return None;
        }
        if variable.is_secret() {
            return reference();
        }
        let example = self.examples.get(&variable.name).filter(|value| !value.is_empty());
        example.map(|value| scalar_text(value)).or_else(reference)
    }

    fn written(&self, line: &mut impl FnMut(usize, &str)) {
        if !self.written.is_empty() {
            line(1, "# What the settings write next to the code, which is read-only on a host.");
            let paths: Vec<String> = self.written.iter().map(|path| scalar(path)).collect();
            line(1, &format!("persistent: [{}]", paths.join(", ")));
        }
    }

    fn processes(&self, line: &mut impl FnMut(usize, &str)) {
        let procfile = &self.procfile;
        if !procfile.release.is_empty() {
            line(1, "# Run once a deploy, before the new code serves.");
            line(1, "release:");
            for command in &procfile.release {
                line(2, &format!("- {}", scalar_text(command)));
            }
        }
        if !procfile.processes.is_empty() {
            line(1, "# Beside the server.");
            line(1, "processes:");
            for process in &procfile.processes {
                line(2, &format!("{}: {}", process.name, scalar_text(&process.command)));
            }
        }
        for process in &procfile.unclear {
            line(1, &format!("# The Procfile's `{}` needs a shell: {}", process.name, process.command));
        }
    }

    /// What was found, in a line each.
    pub fn findings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut add = |what: &str, found: String| lines.push(format!("  {what}: {found}"));
        if let Some(entry) = &self.entry {
            add("the server loads", entry.clone());
        }
        if let Some((file, names)) = &self.env_file {
            add("variables from", format!("{} ({})", file.display(), names.len()));
        }
        if !self.variables.is_empty() {
            let names: Vec<&str> = self.variables.iter().map(|variable| variable.name.as_str()).collect();
            add("variables of the settings", names.join(", "));
        }
        if !self.packages.is_empty() {
            let names: Vec<&str> = self.packages.iter().map(|(package, _)| *package).collect();
            add("Debian packages", names.join(", "));
        }
        if !self.services.is_empty() {
            let names: Vec<&str> = self.services.iter().map(|(service, _)| service.title()).collect();
            add("servers that monctl installs", names.join(", "));
        }
        if !self.procfile.processes.is_empty() {
            let names: Vec<&str> =
                self.procfile.processes.iter().map(|process| process.name.as_str()).collect();
            add("processes", names.join(", "));
        }
        lines
    }

    /// The secrets that the environment of `monctl up` must have, by the names of their variables.
    pub fn secrets(&self) -> Vec<&str> {
        let is_reference = |variable: &&EnvironmentVariable| {
            !self.is_of_service(variable)
                && self.value(variable).is_some_and(|value| value.starts_with("{env:"))
        };
        self.variables.iter().filter(is_reference).map(|variable| variable.name.as_str()).collect()
    }
}

fn value_comment(variable: &EnvironmentVariable) -> String {
    let name = variable.name.to_uppercase();
    let place = &variable.place;
    if name.ends_with("ALLOWED_HOSTS") {
        return format!("{place}. The names by which users reach the application; `*` accepts all.");
    }
    match &variable.default {
        None => place.clone(),
        Some(_) if variable.is_secret() => {
            format!("{place}. The default there is known to everybody who has the code.")
        }
        Some(default) => format!("{place}; the default there is {default}"),
    }
}

fn provider(machines: &Machines, line: &mut impl FnMut(usize, &str)) {
    match machines {
        Machines::Local => line(
            0,
            "# systemd machines on this computer. Others: `{aws: {region: eu-central-1}}`, or hosts of your own:\n\
             # `{hosts: {app: [app.example], monitoring: monitoring.example}}`.\n\
             provider: local",
        ),
        Machines::Aws(region) => line(0, &format!("provider: {{aws: {{region: {}}}}}", scalar(region))),
        Machines::Hosts(app, monitoring) => line(
            0,
            &format!(
                "provider: {{hosts: {{app: [{}], monitoring: {}}}}}",
                scalar_text(app),
                scalar_text(monitoring)
            ),
        ),
    }
}

fn notify(slack: Option<&str>, line: &mut impl FnMut(usize, &str)) {
    line(0, "notify:");
    if let Some(variable) = slack {
        return line(1, &format!("slack: {{webhook_url: {{env: {variable}}}}}"));
    }
    line(1, "# monctl itself receives the messages while `verify-alert` runs. For Slack, instead:");
    line(1, "# slack: {webhook_url: {env: SLACK_WEBHOOK_URL}}");
    line(1, "capture: {}");
}

/// A project's name made of a folder's name.
fn project_name(folder: &str) -> String {
    let name: String = folder
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>()
        .split('-')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    let name = name.chars().take(63).collect::<String>().trim_end_matches('-').to_owned();
    if name.parse::<ProjectName>().is_ok() { name } else { "app".to_owned() }
}

/// A text in YAML, plain where it needs no quotes.
fn scalar(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/' | '_' | '-' | ':');
    let begins_plainly = text.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '.' | '/'));
    let is_word =
        !matches!(text.to_lowercase().as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "null");
    if begins_plainly && is_word && text.chars().all(is_plain) && !text.ends_with(':') {
        return text.to_owned();
    }
    scalar_text(text)
}

/// A text in YAML, in quotes: JSON's strings are YAML's.
fn scalar_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_become_names_of_projects() {
        for (folder, name) in [("Shop", "shop"), ("my_shop 2.0", "my-shop-2-0"), ("--", "app"), ("é", "app")]
        {
            assert_eq!(project_name(folder), name);
        }
    }

    #[test]
    fn texts_have_quotes_where_yaml_needs_them() {
        for (text, expected) in [
            ("shop.wsgi:app", "shop.wsgi:app"),
            ("../shop", "../shop"),
            (".", "."),
            ("no", "\"no\""),
            ("3.12", "\"3.12\""),
            ("a: b", "\"a: b\""),
            ("a:", "\"a:\""),
            ("", "\"\""),
        ] {
            assert_eq!(scalar(text), expected);
        }
    }
}
