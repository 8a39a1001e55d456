//! What the running application's settings reveal, as its host recorded it after the last deploy
//! (`templates/app/monctl_metrics/settings_report.py`).

use std::net::IpAddr;

use serde::Deserialize;

/// Where a host records it.
pub const SETTINGS_REPORT: &str = "/etc/monctl/app/settings-report.json";

/// What the settings in use reveal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct SettingsReport {
    /// `DEBUG` is on.
    debug: bool,
    /// `SECRET_KEY` is one that `startproject` generated.
    insecure_key: bool,
    /// `ALLOWED_HOSTS`, as it takes effect.
    allowed_hosts: Vec<String>,
    /// The path of a static file that the application does not serve.
    unserved: Option<String>,
    /// Folders of the settings that the host does not have.
    absent: Vec<String>,
}

impl SettingsReport {
    /// Parses a host's record.
    pub fn parse(text: &str) -> Option<Self> {
        // The record of another version of monctl; the next deploy writes one anew.
        serde_json::from_str(text).ok()
    }

    /// Warnings about settings that are not fit for users, each with its remedy.
    pub fn warnings(&self) -> Vec<String> {
        let mut found = Vec::new();
        if self.debug {
            found.push(
                "DEBUG IS ON: EVERY ERROR PAGE SHOWS YOUR CODE AND SETTINGS TO VISITORS; set `DEBUG = False` in the settings \
                 in use"
                    .to_owned(),
            );
        }
        if self.insecure_key {
            found.push(
                "SECRET_KEY IS THE GENERATED ONE (`django-insecure-…`): ANYONE WHO KNOWS YOUR CODE CAN FORGE SESSIONS; read it \
                 from the environment, and set a new one in `app.env`"
                    .to_owned(),
            );
        }
        found.extend(self.unserved.as_ref().map(|path| {
            format!(
                "pages will have no style: the application does not serve `{path}`; add `whitenoise` to the requirements, and \
                 `whitenoise.middleware.WhiteNoiseMiddleware` to `MIDDLEWARE`, after `SecurityMiddleware`"
            )
        }));
        if !self.absent.is_empty() {
            let names: Vec<String> = self.absent.iter().map(|path| format!("`{path}`")).collect();
            found.push(format!(
                "the settings name folders that the host does not have: {}; what lies outside `app.path`, or is ignored by git \
                 and not in `app.include`, is not copied",
                names.join(", ")
            ));
        }
        found
    }

    /// Whether `ALLOWED_HOSTS` accepts requests to an address, by Django's rules.
    pub fn accepts(&self, address: IpAddr) -> bool {
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        self.allowed_hosts.iter().any(|allowed| allowed == "*" || allowed.eq_ignore_ascii_case(&host))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(changes: &str) -> SettingsReport {
        SettingsReport::parse(&format!(
            r#"{{"debug": false, "insecure_key": false, "allowed_hosts": ["shop.example.org", "10.0.0.2", "[FD00::7]"],
                "unserved": null, "absent": []{changes}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn settings_that_are_fit_for_users_have_no_warning_and_others_name_the_remedy() {
        assert_eq!(report("").warnings(), [""; 0]);
        let bad = SettingsReport {
            debug: true,
            insecure_key: true,
            unserved: Some("/static/a.css".into()),
            absent: vec!["/srv/monctl/dist".into()],
            ..report("")
        };
        let warnings = bad.warnings();
        let begins =
            ["DEBUG IS ON", "SECRET_KEY IS", "pages will have no style", "the settings name folders"];
        assert_eq!(warnings.len(), begins.len());
        for (warning, begin) in warnings.iter().zip(begins) {
            assert!(warning.starts_with(begin), "{warning}");
        }
        assert!(warnings[2].contains("`/static/a.css`") && warnings[3].contains("`/srv/monctl/dist`"));
    }

    #[test]
    fn an_address_is_accepted_as_django_accepts_it() {
        for (address, is_accepted) in
            [("10.0.0.2", true), ("10.0.0.3", false), ("fd00::7", true), ("fd00::8", false)]
        {
            assert_eq!(report("").accepts(address.parse().unwrap()), is_accepted, "{address}");
        }
        let all = SettingsReport { allowed_hosts: vec!["*".into()], ..report("") };
        assert!(all.accepts("10.0.0.3".parse().unwrap()));
    }

    #[test]
    fn a_damaged_record_is_none() {
        assert_eq!(SettingsReport::parse("{}"), None);
        assert_eq!(SettingsReport::parse("x"), None);
    }
}
