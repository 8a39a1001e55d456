//! Fills the templates of monctl's rules as Prometheus does, for the few kinds in use. Anything else is an error, so
//! that every text of a catalogue rule is tested.

use std::collections::BTreeMap;

/// Labels, or annotations.
pub(super) type Texts = BTreeMap<String, String>;

/// A template filled with an alert's labels and the value of its expression.
///
/// # Errors
/// An unsupported action.
pub(super) fn filled(template: &str, labels: &Texts, value: f64) -> Result<String, String> {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) = after.split_once("}}").ok_or_else(|| format!("`{template}` has no end"))?;
        text.push_str(before);
        text.push_str(&action_of(action.trim(), labels, value)?);
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

fn action_of(action: &str, labels: &Texts, value: f64) -> Result<String, String> {
    let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
    if action == r#""{""# {
        return Ok("{".to_owned());
    }
    if let Some(digits) = digits(action) {
        return Ok(format!("{value:.digits$}"));
    }
    if action == r#"reReplaceAll ":[0-9]+$" "" $labels.instance"# {
        let instance = label("instance");
        let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        return Ok(match instance.rsplit_once(':') {
            Some((host, port)) if is_port(port) => host.to_owned(),
            _ => instance,
        });
    }
    match action.strip_prefix("$labels.") {
        Some(name) if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') => Ok(label(name)),
        _ => Err(format!("the rule tests do not support the template `{{{{ {action} }}}}`")),
    }
}

/// The number of decimals that a template shows of its value, if it shows it.
fn digits(action: &str) -> Option<usize> {
    // Other formats show no decimals.
    action.strip_prefix("printf \"%.")?.strip_suffix("f\" $value")?.parse().ok()
}

/// Whether the value is shown the same if rounding changes its last bits.
pub(super) fn is_steady(template: &str, value: f64) -> bool {
    let shown = template.split("{{").find_map(|part| digits(part.split("}}").next()?.trim()));
    // So many decimals are not rounded.
    let Some(digits) = shown.and_then(|digits| i32::try_from(digits).ok()) else { return true };
    let scaled = value * 10_f64.powi(digits);
    ((scaled - scaled.floor()) - 0.5).abs() > 0.01
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_filled_as_by_prometheus() {
        let labels: Texts =
            [("instance", "192.0.2.1:9100"), ("device", "eth0")].map(|(k, v)| (k.into(), v.into())).into();
        for (template, expected) in [
            ("plain 80%", "plain 80%"),
            ("{{ $labels.device }} on {{$labels.instance}}", "eth0 on 192.0.2.1:9100"),
            (r#"{{ printf "%.1f" $value }}%"#, "81.3%"),
            (r#"{{ printf "%.0f" $value }}"#, "81"),
            (r#"{{ "{" }}{{ "{" }} x }}"#, "{{ x }}"),
            ("{{ $labels.missing }}.", "."),
            (r#"{{ reReplaceAll ":[0-9]+$" "" $labels.instance }}"#, "192.0.2.1"),
        ] {
            assert_eq!(filled(template, &labels, 81.26).as_deref(), Ok(expected), "{template}");
        }
        for template in ["{{ humanize $value }}", "{{ $labels.a.b }}", "{{ x"] {
            assert!(filled(template, &labels, 1.0).is_err(), "{template}");
        }
    }

    #[test]
    fn values_between_two_shown_ones_are_not_steady() {
        let template = r#"{{ printf "%.1f" $value }}%"#;
        assert!(is_steady(template, 80.08) && is_steady("no value", 80.05));
        assert!(!is_steady(template, 80.05) && !is_steady(template, 80.049_999_9));
    }
}
