//! What `render` promises: the reference, any text unharmed, masks for secrets. promtool and amtool are the
//! judges.

#![allow(clippy::unwrap_used, reason = "a helper's failure is the test's failure")]

use monctl::host::HostName;
use monctl::render::{Addresses, Bundle};
use monctl::spec::Spec;
use serde_json::{Value, json};

fn reference() -> Spec {
    serde_saphyr::from_str(include_str!("../examples/reference/monctl.yaml")).unwrap()
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

fn rendered(bundle: &Bundle, name: &str) -> Value {
    yaml(&bundle.get(name).unwrap().masked())
}

#[test]
fn the_reference_spec_renders_the_reference_files() {
    let addresses: Addresses = [(HostName::app(1), "203.0.113.7".parse().unwrap())].into_iter().collect();
    let bundle = Bundle::render(&reference(), &addresses).unwrap();
    let address = |text: &str| text.replace("<DJANGO_EC2_IP>", "203.0.113.7");

    let prometheus = include_str!("fixtures/reference/prometheus.yml");
    assert_eq!(rendered(&bundle, "prometheus.yml"), yaml(&address(prometheus)));
    let rules = include_str!("fixtures/reference/alert_rules.yml");
    assert_eq!(rendered(&bundle, "alert_rules.yml"), yaml(rules));

    let mut expected = yaml(include_str!("fixtures/reference/alertmanager.yml"));
    let slack = expected.pointer_mut("/receivers/0/slack_configs/0").unwrap().as_object_mut().unwrap();
    slack.remove("api_url");
    slack.insert("api_url_file".into(), json!("/etc/monctl/monitoring/slack-webhook-url"));
    assert_eq!(rendered(&bundle, "alertmanager.yml"), expected);
}
