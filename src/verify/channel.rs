//! The Slack channel itself, read by a bot: the message that lies there is the proof that it was delivered.
//!
//! The monitoring host asks, with curl: it is the host that reaches Slack anyway, whatever stands between. The token
//! goes there on standard input and stays nowhere.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use super::inbox::Slot;
use crate::error::{Error, Result};
use crate::http::slack::history::{self, Channel, Refusal};
use crate::remote::Remote;
use crate::secret::Secret;

/// How often the channel is read: Slack allows 50 times a minute.
const PERIOD: Duration = Duration::from_millis(1_500);
/// A bot that asks too often waits so long.
const PENITENCE: Duration = Duration::from_secs(10);
/// A workspace's list of channels ends long before.
const MOST_PAGES: usize = 50;

/// A bot that reads.
#[derive(Debug)]
pub struct Reader<'a> {
    /// Who asks.
    pub monitoring: &'a Remote,
    /// Where, such as `https://slack.com/api`.
    pub api_url: String,
    /// The bot's token.
    pub token: Secret,
}

impl Reader<'_> {
    /// The channel of this name or id; where none is named, the only one that the bot is in.
    ///
    /// # Errors
    /// Where Slack refuses, or the bot is in no such channel.
    pub async fn find(&self, name: Option<&str>) -> Result<Channel> {
        let channels = match self.channels(true).await? {
            Err(Refusal { word, .. }) if word == "missing_scope" => self.channels(false).await?,
            answer => answer,
        };
        let channels = channels.map_err(|refusal| refused(&refusal))?;
        let wanted = name.map(|name| name.trim_start_matches('#'));
        let matches =
            |channel: &&Channel| wanted.is_none_or(|name| channel.name == name || channel.id == name);
        let mut found = channels.iter().filter(matches);
        match (found.next(), found.next()) {
            (Some(channel), None) => Ok(channel.clone()),
            (None, _) => Err(refused(&Refusal { word: "not_in_channel".into(), needed: String::new() })),
            (Some(_), Some(_)) => Err(Error::could_not_run("the bot is in several channels")
                .remedy("say which one the webhook posts to: `notify.slack.channel`")),
        }
    }

    async fn channels(&self, with_private: bool) -> Result<Result<Vec<Channel>, Refusal>> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        for _ in 0..MOST_PAGES {
            match history::channels(&self.ask(&history::channels_path(with_private, &cursor)).await?) {
                Ok((channels, next)) => {
                    all.extend(channels);
                    cursor = next;
                }
                Err(refusal) => return Ok(Err(refusal)),
            }
            if cursor.is_empty() {
                break;
            }
        }
        Ok(Ok(all))
    }

    /// Reads the channel again and again and puts what is new into the slot. Ends only with an error.
    ///
    /// # Errors
    /// Where Slack refuses for good, or the connection breaks.
    pub async fn follow(&self, channel: &Channel, since: jiff::Timestamp, slot: &Slot) -> Result<()> {
        let path = history::messages_path(&channel.id, since.as_second());
        let mut known = BTreeSet::new();
        loop {
            match history::messages(&self.ask(&path).await?) {
                Ok(found) => {
                    for found in found.into_iter().filter(|found| known.insert(found.stamp.clone())) {
                        slot.put(found.message, found.marks);
                    }
                    sleep(PERIOD).await;
                }
                Err(refusal) if refusal.is_passing() => sleep(PENITENCE).await,
                Err(refusal) => return Err(refused(&refusal)),
            }
        }
    }

    /// The body of an answer.
    async fn ask(&self, path: &str) -> Result<String> {
        let words = ["curl", "--silent", "--show-error", "--max-time", "10", "--config", "-"];
        let config = format!(
            "url = \"{}/{path}\"\nheader = \"Authorization: Bearer {}\"\n",
            self.api_url.trim_end_matches('/'),
            self.token.expose()
        );
        let output = self.monitoring.run(&words, config.as_bytes()).await?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(Error::could_not_run(format!("Slack does not answer: {}", output.stderr.trim()))
            .at(self.monitoring.host().to_string())
            .remedy("let the monitoring host reach Slack's API, or leave `notify.slack.bot_token` out"))
    }
}

fn refused(refusal: &Refusal) -> Error {
    let (meaning, remedy) = refusal.meaning();
    Error::could_not_run(meaning).remedy(remedy)
}
