//! How a role is asked to end: SIGTERM or SIGINT once, in peace; twice, at once.

use crate::Failure;
use crate::failure::Exit;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

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
