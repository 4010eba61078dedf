//! A worker in a process of its own does the same job with the same result, byte for byte.

use crate::{BOUND, example, start};
use polyphemus_testkit::TestServer;
use std::collections::BTreeMap;

/// The files of a finished blinky, by path, with the hash of their content. Logs tell the time that
/// each step took, so they are the only files that may differ.
async fn files_of(server: &TestServer) -> BTreeMap<String, String> {
    let id = server.submit(&example("blinky"), &["mode=hw_emu"]);
    let job = server.finished(&id, BOUND).await;
    assert_eq!(job.state.as_str(), "done", "{:?}", job.stages);
    let files = server.client().files(&id).await.expect("the job's files").files;
    let kept = files.into_iter().filter(|file| !file.path.ends_with(".log"));
    kept.map(|file| (file.path, file.hash.to_string())).collect()
}

#[tokio::test]
async fn the_result_is_the_same_wherever_it_is_made() {
    let embedded = start(&[]);
    let here = files_of(&embedded).await;
    assert!(here.keys().any(|path| path.ends_with(".bin")), "{here:?}");

    let remote = start(&["--no-worker"]);
    let _worker = remote.worker(&["--name", "elsewhere"]);
    assert_eq!(here, files_of(&remote).await);
}
