//! Retries until a deadline, with growing pauses and jitter: the only retry policy of this crate.
//! The caller decides which operations may be retried.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::{Error, Result};

/// Time budget for the attempts at one operation.
///
/// ```ignore
/// let mut patience = Patience::new(Duration::from_secs(60));
/// loop {
///     match attempt().await {
///         Ok(done) => return Ok(done),
///         Err(error) => patience.again(error).await?,
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Patience {
    limit: Duration,
    deadline: Instant,
    pause: Duration,
    longest: Duration,
}

impl Patience {
    /// Pauses from 50 ms up to 1 s, each twice the one before, until `limit` has passed from now.
    pub fn new(limit: Duration) -> Self {
        Self {
            limit,
            deadline: Instant::now() + limit,
            pause: Duration::from_millis(50),
            longest: Duration::from_secs(1),
        }
    }

    /// Sets other pauses than the default ones.
    #[must_use]
    pub fn pausing(mut self, first: Duration, longest: Duration) -> Self {
        (self.pause, self.longest) = (first, longest);
        self
    }

    /// Looks at a state until it is the wanted one, with the same pause before each look.
    pub fn every(pause: Duration, limit: Duration) -> Self {
        Self::new(limit).pausing(pause, pause)
    }

    /// Waits for the next attempt.
    ///
    /// # Errors
    /// Returns the error of the last attempt once there is no time for another one.
    pub async fn again(&mut self, error: Error) -> Result<()> {
        if self.is_over() {
            return Err(error);
        }
        self.pause().await;
        Ok(())
    }

    /// Whether there is no time for another attempt.
    pub fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Waits for the next attempt, but not longer than the time that is left.
    pub async fn pause(&mut self) {
        let left = self.deadline.saturating_duration_since(Instant::now());
        sleep(jittered(self.pause).min(left)).await;
        self.pause = (self.pause * 2).min(self.longest);
    }

    /// How long all attempts may take together.
    pub fn limit(&self) -> Duration {
        self.limit
    }
}

/// Between half of the pause and all of it, so that operations that failed together are not retried together.
/// A fresh `RandomState` is the standard library's source of randomness.
fn jittered(pause: Duration) -> Duration {
    let permille = u32::try_from(RandomState::new().hash_one(()) % 1001).unwrap_or(0);
    let half = pause / 2;
    half + half * permille / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_error_is_returned_at_the_deadline() {
        let begin = Instant::now();
        let limit = Duration::from_millis(100);
        let mut patience = Patience::new(limit).pausing(Duration::from_millis(10), Duration::from_millis(20));
        let mut tries = 0;
        let error = loop {
            tries += 1;
            if let Err(error) = patience.again(Error::failed(format!("try {tries}"))).await {
                break error;
            }
        };
        assert_eq!(error.message(), format!("try {tries}"));
        assert!(begin.elapsed() >= limit);
        assert!((2..=20).contains(&tries), "{tries} tries in 100 ms");
    }

    #[test]
    fn pauses_differ_and_stay_within_their_bounds() {
        let pause = Duration::from_millis(100);
        let pauses: Vec<Duration> = (0..50).map(|_| jittered(pause)).collect();
        assert!(pauses.iter().all(|one| (pause / 2..=pause).contains(one)), "{pauses:?}");
        assert!(pauses.iter().any(|one| *one != pauses[0]), "no jitter");
    }
}
