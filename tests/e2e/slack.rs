//! Slack behind a loopback port of a site's monitoring host.

use std::net::TcpStream;

use crate::site::{APP, MONITORING, Site};
pub use crate::support::slack::{Slack, TOKEN};

impl Slack {
    pub fn start(site: &Site) -> Self {
        // The address from which this computer reaches the machines is the one at which they reach it.
        let here = TcpStream::connect((site.address(APP), 22)).unwrap().local_addr().unwrap().ip();
        let mut slack = Self::on((here, 0).into());
        // Webhooks go by `https` or to the host itself: what is posted there is passed on to this computer.
        let address = slack.url.strip_prefix("http://").unwrap().to_owned();
        let port = address.rsplit_once(':').unwrap().1;
        let (activate, proxy) = ("systemd-socket-activate", "/usr/lib/systemd/systemd-socket-proxyd");
        site.on(
            MONITORING,
            &format!(
                "systemd-run --quiet --collect --unit=slack-{port} {activate} --listen=127.0.0.1:{port} {proxy} {address}"
            ),
        );
        slack.url = format!("http://127.0.0.1:{port}");
        slack
    }

    /// The part of a spec that names it; the secrets lie in files beside the spec.
    pub fn spec(&self) -> String {
        let api = self.api();
        format!(
            "slack: {{webhook_url: {{file: webhook}}, bot_token: {{file: token}}, api_url: '{api}', channel: '#alerts'}}"
        )
    }
}
