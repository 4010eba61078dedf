//! Waiting for a state with a bound and a text that says how far it came; no test sleeps.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

/// How often a condition is looked at.
const PERIOD: Duration = Duration::from_millis(20);

/// Looks until there is an answer. `Err` of the condition is what is seen meanwhile; after `bound`
/// it becomes the panic's text.
pub async fn until<T, E, F>(bound: Duration, what: &str, mut look: impl FnMut() -> F) -> T
where
    E: Display,
    F: Future<Output = Result<T, E>>,
{
    let begin = Instant::now();
    loop {
        match look().await {
            Ok(answer) => return answer,
            Err(seen) if begin.elapsed() > bound => {
                panic!("waited {} s for {what}; last seen: {seen}", bound.as_secs())
            }
            Err(_) => tokio::time::sleep(PERIOD).await,
        }
    }
}
