//! Generates real traffic on an application host, so that dashboards have data: requests of a visitor and a few of each
//! class of responses, with the safeguard and the undo of a drill.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::drill_host::{Site, beat};
use super::host_command::{HostFault, Order};
use crate::error::{Error, Result};
use crate::http::prometheus::Prometheus;

/// The name of its drill.
const NAME: &str = "dashboards";
/// Number of scrapes that cover it.
const SCRAPES: u32 = 2;
/// Number of requests sent meanwhile: each class of responses occurs more than once.
const REQUESTS: f64 = 80.0;
/// Requests per second, at least and at most.
const RATE: (f64, f64) = (4.0, 40.0);
/// Time for starting the requests, and for a failed scrape.
const MARGIN: Duration = Duration::from_secs(20);
/// How long the requests last at most while dashboards are queried.
const ASKING: Duration = Duration::from_mins(10);
/// How often Prometheus is polled.
const PAUSE: Duration = Duration::from_millis(200);

/// Begins to send requests to the application at `address`, which listens on `port`. Returns once Prometheus has scraped
/// its metrics twice and another `step` has passed, so that a curve with points that far apart shows them. The requests
/// go on until [`end_traffic`], or until [`keep_traffic`] is no longer awaited.
///
/// # Errors
/// If the host is not fit for it, or Prometheus does not scrape the application.
pub async fn begin_traffic(
    site: &impl Site,
    prometheus: &Prometheus,
    address: &str,
    port: u16,
    scrape_interval: Duration,
    step: Duration,
) -> Result<()> {
    let lasting = SCRAPES * scrape_interval;
    let patience = 2 * lasting + MARGIN;
    let limit = patience + step + ASKING;
    let cause = HostFault::Traffic { port, rate: rate(lasting) };
    site.start(&Order { name: NAME.into(), seconds: limit.as_secs(), cause }).await?;
    let drawn = async {
        scraped(prometheus, address, Instant::now() + patience).await?;
        sleep(step).await;
        Ok(())
    };
    let drawn = tokio::select! {
        drawn = drawn => drawn,
        never = beat(site, NAME) => match never {},
    };
    if drawn.is_err() {
        site.stop(NAME).await?;
    }
    drawn
}

/// Keeps the requests going for as long as it is awaited.
pub async fn keep_traffic(site: &impl Site) -> Infallible {
    beat(site, NAME).await
}

/// Ends the requests.
///
/// # Errors
/// If it cannot be confirmed that they have ended.
pub async fn end_traffic(site: &impl Site) -> Result<()> {
    Ok(site.stop(NAME).await?)
}

fn rate(lasting: Duration) -> u16 {
    let rate = (REQUESTS / lasting.as_secs_f64()).clamp(RATE.0, RATE.1).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let rate = rate as u16;
    rate
}

/// Returns once the application was scraped this many times from now on.
async fn scraped(prometheus: &Prometheus, address: &str, until: Instant) -> Result<()> {
    let query = format!("timestamp(up{{job=\"django-instance\",instance=~\"{address}:.+\"}} == 1)");
    let mut scrapes: Option<Scrapes> = None;
    while scrapes.is_none_or(|scrapes| scrapes.count < SCRAPES) {
        if Instant::now() >= until {
            return Err(Error::could_not_run(format!(
                "Prometheus does not scrape the application on {address}"
            ))
            .remedy("`monctl status` shows the targets"));
        }
        let Some(scrapes) = &mut scrapes else {
            // By the clock of the scrapes' timestamps.
            let now = prometheus.query("vector(time())").await?.into_iter().next();
            scrapes = now.map(|now| Scrapes { last: now.value, count: 0 });
            continue;
        };
        sleep(PAUSE).await;
        if let Some(sample) = prometheus.query(&query).await?.into_iter().next() {
            scrapes.see(sample.value);
        }
    }
    Ok(())
}

/// Scrapes since a moment. The timestamp of a scrape is its start: one that was running at that moment does not count,
/// since it may have missed the requests.
#[derive(Debug, Clone, Copy)]
struct Scrapes {
    /// The moment, and then the last scrape.
    last: f64,
    count: u32,
}

impl Scrapes {
    fn see(&mut self, timestamp: f64) {
        if timestamp > self.last {
            *self = Self { last: timestamp, count: self.count + 1 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_of_responses_occurs_more_than_once_and_no_host_is_flooded() {
        let rates = [1, 2, 10, 60, 600].map(|seconds| rate(SCRAPES * Duration::from_secs(seconds)));
        assert_eq!(rates, [40, 20, 4, 4, 4]);
    }

    #[test]
    fn a_scrape_that_began_before_the_requests_does_not_count() {
        let mut scrapes = Scrapes { last: 100.0, count: 0 };
        for (timestamp, count) in [(98.0, 0), (99.9, 0), (101.9, 1), (101.9, 1), (103.9, 2)] {
            scrapes.see(timestamp);
            assert_eq!(scrapes.count, count, "{timestamp}");
        }
    }
}
