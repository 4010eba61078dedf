//! A day of an operator's life: look the machine over, serve, back up, lose the disk, restore, find damage.

use crate::served::{Served, run, said, text};
use crate::{PROGRAM, designs, job_of, start};
use polyphemus_testkit::wait;
use serde_json::Value;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const BOUND: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_was_backed_up_while_the_server_worked_goes_on_after_a_restore() {
    let mut server = start(&["--make-slots", "1"]);
    let folder = tempfile::tempdir().expect("a folder");
    let (backup, again) = (folder.path().join("backup"), folder.path().join("again"));
    let instance = server.instance();
    let (instance, backup, again) = (text(&instance), text(&backup), text(&again));
    the_doctor_looks_at_all(instance, &server.url());

    let quick = designs::slow(0);
    let done = job_of(&server, quick.path(), &["mode=sw_emu"], "done").await;
    let slow = designs::slow(600);
    let running = server.submit(slow.path(), &["mode=sw_emu"]);
    server.reached(&running, "make", "running", BOUND).await;
    let queued = server.submit(quick.path(), &["mode=sw_emu"]);
    said(&["backup", backup, "--instance", instance], 0);
    let told = said(&["fsck", "--instance", instance], 0);
    assert!(told.contains("all is as it should be"), "{told}");
    let second = said(&["backup", backup, "--instance", instance, "--json"], 0);
    let second: Value = serde_json::from_str(&second).expect("JSON");
    assert!(
        second["copied"].as_u64() <= Some(1),
        "at most the running job's log: {second}"
    );
    let file = server.file(&done.id, "result.txt").await;

    // After a restart the server has all of it still.
    server.kill();
    server.restart();
    assert_eq!(server.file(&done.id, "result.txt").await, file);
    for job in [&running, &queued] {
        // It may be between two states.
        if server.client().cancel(job).await.is_ok() {
            server.finished(job, BOUND).await;
        }
    }
    server.kill();
    a_backup_dies_in_the_middle(instance, backup);

    // The disk is lost with all that was on it.
    let restored = run(&["restore", backup, "--instance", again, "--json"]);
    let restored: Value = serde_json::from_slice(&restored.stdout).expect("JSON");
    assert_eq!(restored["newer_unfinished"], true, "{restored}");
    assert_eq!(restored["jobs"], 3, "{restored}");
    said(&["fsck", "--instance", again], 0);
    let server = Served::on(again, &["--make-slots", "1"]);
    let client = server.client();
    assert_eq!(
        client.job(&done.id).await.expect("it is there").state.as_str(),
        "done"
    );
    let (_, content) = server.get(&format!("/jobs/{}/files/code/result.txt", done.id));
    assert_eq!(content.as_bytes(), file);
    let (_, log) = server.get(&format!("/jobs/{running}/log.txt"));
    assert!(log.contains("restored from the backup of"), "{log}");
    client.cancel(&running).await.expect("it is queued or runs again");
    wait::until(BOUND, "the end of the queued job", || async {
        match client.job(&queued).await {
            Ok(job) if job.state.as_str() == "done" => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}

fn the_doctor_looks_at_all(instance: &str, url: &str) {
    let output = run(&["doctor", "--json", "--instance", instance, "--server", url]);
    let lines: Vec<Value> = serde_json::from_slice(&output.stdout).expect("doctor prints JSON");
    for of in [
        "settings",
        "instance",
        "database",
        "disk speed",
        "sandbox",
        "tool",
        "clock",
        "server",
        "workers",
    ] {
        assert!(
            lines.iter().any(|line| line["of"] == of),
            "doctor says nothing of {of}: {lines:#?}"
        );
    }
    for line in &lines {
        assert_eq!(line["health"] == "ok", line["remedy"].is_null(), "{line}");
    }
}

/// It is killed by the system while it writes a content that is larger than its files may be: at a point
/// that is always the same, without a chance to tidy up, as by kill -9.
fn a_backup_dies_in_the_middle(instance: &str, backup: &str) {
    let large = designs::folder(&[
        ("Makefile", "exe:\n\ttouch exe\n"),
        ("large", &"x".repeat(4_000_000)),
    ]);
    let server = Served::on(instance, &["--no-worker"]);
    said(
        &[
            "submit",
            text(large.path()),
            "-o",
            "mode=sw_emu",
            "--server",
            &server.url(),
        ],
        0,
    );
    let ended = Command::new("sh")
        .args([
            "-c",
            "ulimit -c 0 && ulimit -f 4096 && exec \"$@\"",
            "sh",
            PROGRAM,
        ])
        .args(["backup", backup, "--instance", instance])
        .stdin(Stdio::null())
        .output()
        .expect("there is sh");
    let told = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.signal().is_some(), "{:?}: {told}", ended.status);
}

#[tokio::test]
async fn damage_is_found_told_to_the_user_and_mended_by_handing_in_again() {
    // Large enough to be a file of its own, not in the journal of the small ones, from which it would be mended.
    let matters = "what matters\n".repeat(20_000);
    let mut server = start(&["--no-worker"]);
    let design = designs::folder(&[("Makefile", "exe:\n\ttouch exe\n"), ("data.txt", &matters)]);
    let id = server.submit(design.path(), &["mode=sw_emu"]);
    let files = server.client().files(&id).await.expect("the job has files").files;
    let data = files.iter().find(|file| file.path == "data.txt");
    let hash = data.expect("it is there").hash.to_string();
    server.kill();
    let folder = tempfile::tempdir().expect("a folder");
    let instance = folder.path().join("instance");
    copy(&server.instance(), &instance);
    let blob = instance.join("blobs").join(&hash[..2]).join(&hash[2..]);
    std::fs::write(&blob, matters.replace("matters", "damages")).expect("the blob is a file");
    let instance = text(&instance);
    let told = said(&["fsck", "--instance", instance], 1);
    assert!(
        told.contains(&hash) && told.contains("`data.txt` is damaged"),
        "{told}"
    );

    let damaged = Served::on(instance, &["--no-worker"]);
    let (status, told) = damaged.get(&format!("/jobs/{id}/files/code/data.txt"));
    assert_eq!(status, 500);
    assert!(
        told.contains("damaged") && told.contains("hand the design in again"),
        "{told}"
    );
    let refused = said(&["fsck", "--repair", "--instance", instance], 2);
    assert!(refused.contains("in use by a server"), "{refused}");
    drop(damaged);
    said(&["fsck", "--repair", "--instance", instance], 1);
    let mended = Served::on(instance, &["--no-worker"]);
    said(
        &[
            "submit",
            text(design.path()),
            "-o",
            "mode=sw_emu",
            "--server",
            &mended.url(),
        ],
        0,
    );
    let (_, content) = mended.get(&format!("/jobs/{id}/files/code/data.txt"));
    assert_eq!(content, matters);
    said(&["fsck", "--instance", instance], 0);
}

#[tokio::test]
async fn what_a_deleted_job_had_goes_by_gc_beside_the_server_and_without_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let instance = text(folder.path());
    std::fs::write(folder.path().join("polyphemus.cfg"), "BLOB_GRACE_SECONDS = 1\n")
        .expect("it can be written");
    let server = Served::on(instance, &["--no-worker"]);
    let design = designs::folder(&[
        ("Makefile", "exe:\n\ttouch exe\n"),
        ("large", &"x".repeat(200_000)),
    ]);
    let output = run(&[
        "submit",
        text(design.path()),
        "-o",
        "mode=sw_emu",
        "--server",
        &server.url(),
    ]);
    let id = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("an id");
    let gc = |arguments: &[&str]| -> Value {
        let told = run(&[&["gc", "--json", "--instance", instance], arguments].concat());
        assert_eq!(
            told.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&told.stderr)
        );
        serde_json::from_slice(&told.stdout).expect("JSON")
    };
    assert_eq!(gc(&["--dry-run"])["contents"], 0, "all of it is of a job");
    server
        .client()
        .delete(&id, true)
        .await
        .expect("it is cancelled and deleted");
    // Contents are told, and go, once they are older than the grace of a second.
    let told = wait::until(BOUND, "contents that are old enough", || {
        let told = gc(&["--dry-run"]);
        std::future::ready(if told["kept"] == 0 { Ok(told) } else { Err(told) })
    })
    .await;
    assert!(told["bytes"].as_u64() > Some(200_000), "{told}");
    assert_eq!(gc(&[]), told, "what was told went");
    drop(server);
    gc(&[]);
    said(&["fsck", "--instance", instance], 0);
}

#[test]
fn a_start_on_a_disk_that_can_only_be_read_is_refused_with_the_reason() {
    let disk = tempfile::tempdir().expect("a folder");
    let folder = text(disk.path());
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
        .args(["mount -t tmpfs -o ro none \"$0\" && exec \"$@\"", folder, PROGRAM])
        .args([
            "serve",
            "--no-worker",
            "--listen",
            "127.0.0.1:0",
            "--instance",
            folder,
        ])
        .output()
        .expect("there is unshare");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}");
    for part in [
        folder,
        "cannot be opened",
        "read-only",
        "when it can be written to",
    ] {
        assert!(told.contains(part), "{part} is not in: {told}");
    }
}

/// Copied with everything in it, as a disk's image is.
pub fn copy(folder: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(folder).arg(to).status();
    assert!(status.expect("there is cp").success());
}
