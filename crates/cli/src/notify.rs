//! What a role tells systemd (sd_notify(3)): that it is ready, that it lives, that it ends. Where no
//! service manager asks for it, nothing.

use std::convert::Infallible;
use std::future::Future;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// While a role ends, systemd is asked for so much more time, again and again.
const MORE_TIME: Duration = Duration::from_secs(30);

/// The line to the service manager.
#[derive(Debug)]
pub struct Notifier {
    to: Option<(UnixDatagram, SocketAddr)>,
    /// `None` where nobody watches.
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As the environment says. A line that cannot be had is told in the log: the role works all the same.
    pub fn from_environment() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let to = variable("NOTIFY_SOCKET").and_then(|name| match line_to(&name) {
            Ok(to) => Some(to),
            Err(error) => {
                tracing::warn!(%error, socket = name, "the service manager cannot be told anything");
                None
            }
        });
        // Set for this very process, or for whatever process is asked.
        let is_meant = variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let micros = variable("WATCHDOG_USEC").and_then(|micros| micros.parse().ok());
        let watchdog = micros.filter(|&micros| micros > 0 && is_meant && to.is_some());
        Self {
            to,
            watchdog: watchdog.map(Duration::from_micros),
        }
    }

    pub fn ready(&self) {
        self.say("READY=1");
    }

    /// Says that the role lives as long as `is_alive` says so, until this is dropped.
    pub async fn watch<F: Future<Output = Result<(), String>>>(
        &self,
        is_alive: impl Fn() -> F,
    ) -> Infallible {
        let Some(watchdog) = self.watchdog else {
            return std::future::pending().await;
        };
        let mut tick = interval(watchdog / 3);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            match is_alive().await {
                Ok(()) => self.say("WATCHDOG=1"),
                Err(why) => tracing::error!(
                    why,
                    "this process makes no progress; its service manager is to restart it"
                ),
            }
        }
    }

    /// Says that the role ends, and asks for time until this is dropped.
    pub async fn stopping(&self) -> Infallible {
        self.say("STOPPING=1");
        loop {
            self.say(&format!("EXTEND_TIMEOUT_USEC={}", MORE_TIME.as_micros()));
            tokio::time::sleep(MORE_TIME / 3).await;
        }
    }

    fn say(&self, what: &str) {
        if let Some((socket, to)) = &self.to
            && let Err(error) = socket.send_to_addr(what.as_bytes(), to)
        {
            tracing::warn!(%error, what, "the service manager was not told");
        }
    }
}

fn line_to(name: &str) -> std::io::Result<(UnixDatagram, SocketAddr)> {
    let to = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    Ok((UnixDatagram::unbound()?, to))
}
