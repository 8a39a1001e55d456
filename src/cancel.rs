//! A flag that is raised once, by Ctrl-C or SIGTERM, and that work in any room can wait for.
//!
//! `main` raises it; commands that have something to clean up wait for it. The others are dropped at their
//! next await point.

use tokio::sync::watch;

/// Cheap to clone; all clones see the same flag.
#[derive(Debug, Clone)]
pub struct Cancel(watch::Sender<bool>);

impl Default for Cancel {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Cancel {
    /// Raises the flag, for good.
    pub fn raise(&self) {
        self.0.send_replace(true);
    }

    /// Whether the flag is up.
    pub fn is_raised(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the flag is up. May be dropped and called again.
    pub async fn raised(&self) {
        // `self.0` is a sender that lives as long as this call, so the channel cannot close meanwhile.
        drop(self.0.subscribe().wait_for(|raised| *raised).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_raised_flag_wakes_every_clone_and_stays() {
        let cancel = Cancel::default();
        let clone = cancel.clone();
        let waiter = tokio::spawn(async move { clone.raised().await });
        assert!(!cancel.is_raised());
        cancel.raise();
        waiter.await.unwrap();
        cancel.raised().await;
        assert!(cancel.is_raised());
    }
}
