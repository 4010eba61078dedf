//! How a role is asked to end: SIGTERM or SIGINT once, in peace; twice, at once.

use crate::Failure;
use crate::failure::Exit;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// What asks to stop often does so twice at once: `timeout(1)` signals the program and its group, and
/// a terminal's Ctrl-C reaches a program and the `make` that passes it on.
const ONE_WISH: Duration = Duration::from_secs(1);

/// A token that the first signal cancels. The second one ends the program there and then; what
/// supervises a stage's processes ends them when the program is gone.
pub fn on_signals() -> Result<CancellationToken, Failure> {
    let failed = |error| Failure::local("signals cannot be heard", error);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        one_of(&mut terminate, &mut interrupt).await;
        tracing::info!("stopping; a second signal stops at once");
        cancelled.cancel();
        let wish_ends = tokio::time::Instant::now() + ONE_WISH;
        while tokio::time::timeout_at(wish_ends, one_of(&mut terminate, &mut interrupt))
            .await
            .is_ok()
        {}
        one_of(&mut terminate, &mut interrupt).await;
        tracing::warn!("stopped at once");
        std::process::exit(i32::from(Exit::Interrupted as u8));
    });
    Ok(token)
}

async fn one_of(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
