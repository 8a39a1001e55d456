//! What the running application's settings reveal, as its host recorded it after the last deploy
//! (`templates/app/monctl_metrics/settings_report.py`).

use std::net::IpAddr;

use serde::Deserialize;

use crate::spec::DomainName;

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
    /// `STATIC_ROOT` is set, so that a web server has the static files.
    #[serde(default)]
    static_root: bool,
    /// Folders of the settings that the host does not have.
    absent: Vec<String>,
}

impl SettingsReport {
    /// Parses a host's record.
    pub fn parse(text: &str) -> Option<Self> {
        // The record of another version of monctl; the next deploy writes one anew.
        serde_json::from_str(text).ok()
    }

    /// Warnings about settings that are not fit for users, each with its remedy. Under a domain, a web server serves
    /// static files.
    pub fn warnings(&self, domains: &[DomainName]) -> Vec<String> {
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
        found.extend(self.without_style(!domains.is_empty()));
        found.extend(domains.iter().filter(|domain| !self.accepts_host(domain.as_str())).map(|domain| {
            format!("`ALLOWED_HOSTS` refuses the domain `{domain}`: requests to it get 400; add it")
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

    fn without_style(&self, has_domain: bool) -> Option<String> {
        let path = self.unserved.as_ref().filter(|_| !(has_domain && self.static_root))?;
        let remedy = if has_domain {
            "set `STATIC_ROOT` in the settings, such as `STATIC_ROOT = BASE_DIR / \"staticfiles\"`, so that Caddy has its files"
        } else {
            "set `app.domain` in the spec, so that Caddy serves it, or add `whitenoise` to the requirements, and \
             `whitenoise.middleware.WhiteNoiseMiddleware` to `MIDDLEWARE`, after `SecurityMiddleware`"
        };
        Some(format!("pages will have no style: the application does not serve `{path}`; {remedy}"))
    }

    /// Whether `ALLOWED_HOSTS` accepts requests to an address.
    pub fn accepts(&self, address: IpAddr) -> bool {
        let host = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        self.accepts_host(&host)
    }

    /// Whether `ALLOWED_HOSTS` accepts a host, by Django's rules: a name that begins with a dot stands for a domain and
    /// all below it.
    fn accepts_host(&self, host: &str) -> bool {
        let accepts = |allowed: &String| {
            let allowed = allowed.to_ascii_lowercase();
            let host = host.to_ascii_lowercase();
            let is_below = allowed.starts_with('.') && (host.ends_with(&allowed) || host == allowed[1..]);
            allowed == "*" || allowed == host || is_below
        };
        self.allowed_hosts.iter().any(accepts)
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
        assert_eq!(report("").warnings(&[]), [""; 0]);
        let bad = SettingsReport {
            debug: true,
            insecure_key: true,
            unserved: Some("/static/a.css".into()),
            absent: vec!["/srv/monctl/dist".into()],
            ..report("")
        };
        let warnings = bad.warnings(&[]);
        let begins =
            ["DEBUG IS ON", "SECRET_KEY IS", "pages will have no style", "the settings name folders"];
        assert_eq!(warnings.len(), begins.len());
        for (warning, begin) in warnings.iter().zip(begins) {
            assert!(warning.starts_with(begin), "{warning}");
        }
        assert!(warnings[2].contains("`/static/a.css`") && warnings[3].contains("`/srv/monctl/dist`"));
    }

    #[test]
    fn under_a_domain_static_files_need_a_folder_and_the_name_must_be_allowed() {
        let unserved = SettingsReport { unserved: Some("/static/a.css".into()), ..report("") };
        let [shop, other] = ["shop.example.org", "www.example.net"].map(|name| [name.parse().unwrap()]);
        assert!(unserved.warnings(&[])[0].contains("`app.domain`"));
        assert!(unserved.warnings(&shop)[0].contains("set `STATIC_ROOT`"));
        let collected = SettingsReport { static_root: true, ..unserved };
        assert_eq!(collected.warnings(&shop), [""; 0]);
        assert!(collected.warnings(&other)[0].contains("refuses the domain `www.example.net`"));
        let below = SettingsReport { allowed_hosts: vec![".Example.net".into()], ..report("") };
        assert_eq!(below.warnings(&other), [""; 0]);
        assert!(!below.accepts_host("notexample.net") && below.accepts_host("example.net"));
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
