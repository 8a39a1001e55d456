//! Slack at an address that the machines of a site reach.

use std::net::TcpStream;

#[path = "../support/slack.rs"]
mod double;
pub use double::{Slack, TOKEN};

use crate::site::{APP, Site};

impl Slack {
    pub fn start(site: &Site) -> Self {
        // The address from which this computer reaches the machines is the one at which they reach it.
        let here = TcpStream::connect((site.address(APP), 22)).unwrap().local_addr().unwrap().ip();
        Self::on((here, 0).into())
    }

    /// The part of a spec that names it; the secrets lie in files beside the spec.
    pub fn spec(&self) -> String {
        let api = self.api();
        format!(
            "slack: {{webhook_url: {{file: webhook}}, bot_token: {{file: token}}, api_url: '{api}', channel: '#alerts'}}"
        )
    }
}
