//! Whether the servers of `app.services` can be the application's only ones.

use super::super::app::{App, EnvValue};
use super::super::finding::SpecFinding;
use super::super::secret_ref::SecretRef;

pub(super) fn check(app: &App, findings: &mut Vec<SpecFinding>) {
    if app.services.is_empty() {
        return;
    }
    if app.count > 1 {
        let message = format!(
            "each of the {} application hosts would have servers with data of its own; leave `services` out and name \
             servers that all hosts reach in `app.env`, such as `DATABASE_URL`",
            app.count
        );
        findings.push(SpecFinding::new("app.services", message));
    }
    for (index, service) in app.services.iter().enumerate() {
        let name = service.name();
        let at = format!("app.services.{index}");
        if app.services[..index].contains(service) {
            findings.push(SpecFinding::new(at.clone(), format!("`{name}` is listed twice; leave one out")));
        }
        for (variable, value) in app.env.iter().filter(|(key, _)| service.variables().contains(&key.as_str()))
        {
            let is_of_file = matches!(value, EnvValue::Secret(SecretRef::EnvFile));
            let key = if is_of_file { "app.env_file".to_owned() } else { format!("app.env.{variable}") };
            let message = format!(
                "`{variable}` is set here, and the service `{name}` sets it, too; leave it out to use the server that \
                 monctl installs, or take `{name}` out of `app.services` to use your own"
            );
            findings.push(SpecFinding::new(key, message).about(at.clone()));
        }
    }
}
