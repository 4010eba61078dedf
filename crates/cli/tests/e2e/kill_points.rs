//! kill -9 at every named point between two durable effects (`polyphemus_fault::POINTS`): whoever is
//! told so dies there, is started again, and everything must be as if nothing had happened.

mod check;
mod design;
mod life;

use check::Expected;
use futures::{StreamExt as _, stream};
use life::{Dies, Life};
use polyphemus_fault::POINTS;
use std::sync::Arc;

/// Lives at the same time.
const AT_ONCE: usize = 3;
/// Points that are passed many times, and on which occasions beside the first somebody dies there:
/// behind submissions come claims, then ends, next stages, a cancel, a new name, a retry.
const OFTEN: [&str; 2] = ["store.before_commit", "change.committed"];
const OCCASIONS: [u32; 2] = [4, 9];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_is_killed_at_any_point_loses_nothing_and_leaves_nothing() {
    let expected = Arc::new(undisturbed().await);
    let deaths = deaths();
    let lives = deaths.into_iter().map(|dies| {
        let expected = expected.clone();
        async move {
            let name = dies.to_string();
            let lived = tokio::spawn(async move { lived(dies, &expected).await }).await;
            lived.err().map(|panic| format!("{name}: {panic}"))
        }
    });
    let failed: Vec<String> = stream::iter(lives)
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(
        failed.is_empty(),
        "{} lives went wrong:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

/// Every point once, by whoever passes it, and some on later occasions.
fn deaths() -> Vec<Dies> {
    let first = POINTS.iter().map(|&point| match point {
        point if point.starts_with("worker.") => Dies::worker(point, 1),
        "blobs.deleted" => Dies::collecting(point),
        "blobs.segment_settled" => Dies::full_of_files(point),
        point => Dies::server(point, 1),
    });
    let again = OFTEN
        .iter()
        .flat_map(|&point| OCCASIONS.map(|occasion| Dies::server(point, occasion)));
    // A worker of its own has contents of its own.
    let cached = ["blobs.content_synced", "blobs.renamed"].map(|point| Dies::worker(point, 1));
    first.chain(again).chain(cached).collect()
}

/// What everybody should end up with.
async fn undisturbed() -> Expected {
    let mut life = Life::begin(&Dies::nowhere()).await;
    life.live().await.expect("nobody dies");
    life.expected().await
}

async fn lived(dies: Dies, expected: &Expected) {
    let mut life = Life::begin(&dies).await;
    let ended = life.live().await;
    assert!(
        ended.is_err(),
        "nobody came by the point, so that nobody died there"
    );
    life.resurrect().await;
    life.check(expected).await;
}
