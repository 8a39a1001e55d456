//! A little real traffic on an application host, so that dashboards have something to show: requests of a visitor and
//! a few of each class of answers, under the guard and with the undo of a drill.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::drill_host::{Site, beat};
use super::host_command::{Cause, Order};
use crate::error::{Error, Result};
use crate::http::prometheus::Prometheus;

/// The name of its drill.
const NAME: &str = "dashboards";
/// So many scrapes see it.
const SCRAPES: u32 = 2;
/// So many requests are sent meanwhile: each class of answers is among them more than once.
const REQUESTS: f64 = 80.0;
/// Requests per second, at least and at most.
const RATE: (f64, f64) = (4.0, 40.0);
/// What starting the requests, and a scrape that fails, may take.
const MARGIN: Duration = Duration::from_secs(20);
/// How often Prometheus is asked.
const PAUSE: Duration = Duration::from_millis(200);

/// Sends requests to the application at `address`, which listens on `port`, until Prometheus has scraped its metrics twice and another `step` has
/// passed, so that a curve whose points are so far apart shows them.
///
/// # Errors
/// Where the host is in no state for it, or Prometheus does not scrape the application.
pub async fn traffic(
    site: &impl Site,
    prometheus: &Prometheus,
    address: &str,
    port: u16,
    scrape_interval: Duration,
    step: Duration,
) -> Result<()> {
    let lasting = SCRAPES * scrape_interval;
    let patience = 2 * lasting + MARGIN;
    let limit = patience + step;
    let cause = Cause::Traffic { port, rate: rate(lasting) };
    site.start(&Order { name: NAME.into(), seconds: limit.as_secs(), cause }).await?;
    let drawn = async {
        scraped(prometheus, address, Instant::now() + patience).await?;
        sleep(step).await;
        Ok(())
    };
    let seen = tokio::select! {
        seen = drawn => seen,
        never = beat(site, NAME) => match never {},
    };
    site.stop(NAME).await?;
    seen
}

fn rate(lasting: Duration) -> u16 {
    let rate = (REQUESTS / lasting.as_secs_f64()).clamp(RATE.0, RATE.1).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let rate = rate as u16;
    rate
}

/// Returns once the application was scraped so often; a scrape that was there before is none of them.
async fn scraped(prometheus: &Prometheus, address: &str, until: Instant) -> Result<()> {
    let query = format!("timestamp(up{{job=\"django-instance\",instance=~\"{address}:.+\"}} == 1)");
    let (mut last, mut changes) = (None, 0);
    while changes < SCRAPES {
        if Instant::now() >= until {
            return Err(Error::could_not_run(format!(
                "Prometheus does not scrape the application on {address}"
            ))
            .remedy("`monctl status` shows the targets"));
        }
        sleep(PAUSE).await;
        let Some(sample) = prometheus.query(&query).await?.into_iter().next() else { continue };
        changes += u32::from(last.is_some_and(|last| last < sample.value));
        last = Some(sample.value);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_of_answers_is_sent_more_than_once_and_no_host_is_flooded() {
        let rates = [1, 2, 10, 60, 600].map(|seconds| rate(SCRAPES * Duration::from_secs(seconds)));
        assert_eq!(rates, [40, 20, 4, 4, 4]);
    }
}
