//! Instances of the original, taken over: every job that can be, with its files and log; the others told.

use crate::fsck::checked;
use crate::instance::config;
use polyphemus_core::JobId;
use polyphemus_core::flow::Flow;
use polyphemus_server::app::App;
use polyphemus_server::care::{CareError, Finding, Imported, News, import};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

/// A job as the original left it on the disk.
fn job(source: &Path, id: &str, info: &str, files: &[(&str, &str)]) {
    let folder = source.join("jobs").join(id);
    fs::create_dir_all(folder.join("code")).unwrap();
    fs::write(folder.join("info.json"), info).unwrap();
    fs::write(
        folder.join("log.txt"),
        "2020-08-02T10:00:00 acquired in state make\n$ make\n",
    )
    .unwrap();
    let mut zip = zip::ZipWriter::new(fs::File::create(folder.join("code.zip")).unwrap());
    for (path, text) in files {
        zip.start_file(format!("design/{path}"), zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(text.as_bytes()).unwrap();
        fs::write(folder.join("code").join(path), text).unwrap();
    }
    zip.finish().unwrap();
}

const FILES: [(&str, &str); 2] = [
    ("Makefile", "exe:\n\ttouch exe\n"),
    ("main.cpp", "int main() {}\n"),
];

fn info(state: &str) -> String {
    format!(
        r#"{{"name": "sweep 7", "started": 1596362400.25, "state": "{state}", "platform": "zed",
            "config": {{"estimate": false, "skipexec": true, "make": true, "directives": "", "hwname": "GEMM 7",
                        "platform": "zed", "mode": "", "make_conf": {{"TARGET": "exe"}}}}}}"#
    )
}

async fn taken(source: &Path, instance: &Path) -> (Imported, BTreeMap<String, String>) {
    let mut told = BTreeMap::new();
    let mut tell = |news| {
        if let News::Found(Finding { concerns, what, .. }) = news {
            told.insert(concerns, what);
        }
    };
    let sums = import(source, &config(instance), &mut tell).await.unwrap();
    (sums, told)
}

fn id(text: &str) -> JobId {
    text.parse().unwrap()
}

/// What of the files' state a write would change.
fn state_of(folder: &Path) -> BTreeMap<std::path::PathBuf, (i64, i64, u64)> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for item in fs::read_dir(&folder).unwrap() {
            let path = item.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_dir() {
                folders.push(path.clone());
            }
            all.insert(path, (meta.mtime_nsec(), meta.ctime_nsec(), meta.size()));
        }
    }
    all
}

#[tokio::test]
async fn jobs_come_with_ids_names_times_states_options_logs_and_files() {
    let folder = tempfile::tempdir().unwrap();
    let (source, instance) = (folder.path().join("original"), folder.path().join("ours"));
    job(&source, "done_______", &info("done"), &FILES);
    fs::write(source.join("jobs/done_______/code/exe"), "built").unwrap();
    job(&source, "failed_____", &info("failed"), &FILES);
    job(&source, "makeing____", &info("makeing"), &FILES);
    fs::write(
        source.join("polyphemus.cfg"),
        "TOOLCHAIN = 'sdsoc'\nWHATEVER = 1\n",
    )
    .unwrap();
    let before = state_of(&source);
    let (sums, told) = taken(&source, &instance).await;
    assert_eq!(
        (sums.imported, sums.faulty, sums.unfinished),
        (3, 0, 1),
        "{told:?}"
    );
    assert_eq!(state_of(&source), before, "nothing is written there");

    let app = App::open(&config(&instance)).await.unwrap();
    let done = app.job(&id("done_______")).await.unwrap();
    assert_eq!((done.state.as_str(), done.title.as_str()), ("done", "GEMM 7"));
    assert_eq!((done.submitted_ms, done.flow), (1_596_362_400_250, Flow::Sdsoc));
    assert_eq!(done.options["skipexec"], "1");
    assert!(!done.options.contains_key("estimate"), "{:?}", done.options);
    assert_eq!(done.stages[0].make_conf["TARGET"], "exe");
    let files = app.job_files(&done.id).await.unwrap().files;
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["Makefile", "exe", "main.cpp"]);
    let upload = app.blobs().get_tree(&done.tree).await.unwrap();
    assert_eq!(upload.entries().len(), 2);
    let log = app.log_read(&done.id, 0, 1 << 20).await.unwrap();
    let log = String::from_utf8(log.into()).unwrap();
    assert!(
        log.starts_with("2020-08-02T10:00:00 acquired in state make\n$ make\n"),
        "{log}"
    );
    for (name, said) in [
        ("failed_____", "failed in the original"),
        ("makeing____", "unfinished in the original"),
    ] {
        let job = app.job(&id(name)).await.unwrap();
        assert_eq!(job.state.as_str(), "failed");
        let cause = job.stages[0].cause.clone().unwrap();
        assert!(cause.message.contains(said), "{cause}");
    }
    assert_eq!(app.job_page(&Default::default()).await.unwrap().jobs.len(), 3);
    app.close().await;
    drop(app);
    assert_eq!(checked(&instance, false).await.1, []);
}

#[tokio::test]
async fn a_second_import_adds_only_what_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let (source, instance) = (folder.path().join("original"), folder.path().join("ours"));
    job(&source, "first______", &info("done"), &FILES);
    taken(&source, &instance).await;
    job(&source, "second_____", &info("done"), &FILES);
    // As an import that was killed before the job's rows leaves it.
    fs::write(instance.join("logs/second_____.log"), "half of").unwrap();
    let (sums, _) = taken(&source, &instance).await;
    assert_eq!((sums.imported, sums.known), (1, 1));
    let log = fs::read_to_string(instance.join("logs/second_____.log")).unwrap();
    assert!(log.starts_with("2020-08-02T10:00:00 acquired"), "{log}");
}

#[tokio::test]
async fn a_job_that_a_planner_can_plan_can_be_entered_again_and_another_says_why_not() {
    let folder = tempfile::tempdir().unwrap();
    let (source, instance) = (folder.path().join("original"), folder.path().join("ours"));
    let open = r#"{"state": "make", "config": {"make": true, "toolchain": "open", "mode": "sw_emu"}}"#;
    job(&source, "open_______", open, &FILES);
    let wrong = r#"{"state": "make", "config": {"make": true, "toolchain": "open", "mode": "swemu"}}"#;
    job(&source, "wrong______", wrong, &FILES);
    let (sums, told) = taken(&source, &instance).await;
    assert_eq!((sums.imported, sums.unfinished), (2, 2), "{told:?}");
    let app = App::open(&config(&instance)).await.unwrap();
    let job = app.retry(&id("open_______"), None).await.unwrap();
    assert_eq!(job.state.as_str(), "make");
    let error = app.retry(&id("wrong______"), None).await.unwrap_err();
    assert!(
        error.to_string().contains("cannot be done again here") && error.to_string().contains("swemu"),
        "{error}"
    );
    app.close().await;
}

#[tokio::test]
async fn faulty_jobs_are_told_one_by_one_and_the_rest_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (source, instance) = (folder.path().join("original"), folder.path().join("ours"));
    fs::write(folder.path().join("secret"), "of the host").unwrap();
    job(&source, "good_______", &info("done"), &FILES);
    for (id, info) in [
        ("empty______", ""),
        ("list_______", "[]"),
        ("null_______", "null"),
        ("nostate____", "{}"),
        ("broken_____", "{\"state\": \"do"),
    ] {
        job(&source, id, info, &FILES);
    }
    job(&source, "notutf8____", "", &FILES);
    fs::write(
        source.join("jobs/notutf8____/info.json"),
        b"{\"state\": \"\xff\"}",
    )
    .unwrap();
    job(&source, "link_info__", "", &FILES);
    fs::remove_file(source.join("jobs/link_info__/info.json")).unwrap();
    symlink("../../../secret", source.join("jobs/link_info__/info.json")).unwrap();
    fs::create_dir(source.join("jobs").join(std::ffi::OsStr::from_bytes(b"\xff\xfe"))).unwrap();
    fs::write(source.join("jobs/stray"), "").unwrap();

    job(&source, "hostile____", &info("done"), &FILES);
    let hostile = source.join("jobs/hostile____");
    symlink("/etc/passwd", hostile.join("code/passwd")).unwrap();
    symlink("../../../../secret", hostile.join("code/secret")).unwrap();
    symlink("Makefile", hostile.join("code/inside")).unwrap();
    fs::remove_file(hostile.join("log.txt")).unwrap();
    symlink("../../../secret", hostile.join("log.txt")).unwrap();
    fs::write(
        hostile.join("code").join(std::ffi::OsStr::from_bytes(b"a\xffb")),
        "x",
    )
    .unwrap();
    job(&source, "nocode_____", &info("done"), &FILES);
    fs::remove_dir_all(source.join("jobs/nocode_____/code")).unwrap();
    fs::write(source.join("jobs/nocode_____/code.zip"), "no archive").unwrap();
    job(&source, "linkcode___", &info("done"), &FILES);
    fs::remove_dir_all(source.join("jobs/linkcode___/code")).unwrap();
    symlink(folder.path(), source.join("jobs/linkcode___/code")).unwrap();

    let (sums, told) = taken(&source, &instance).await;
    assert_eq!((sums.imported, sums.faulty), (4, 9), "{told:#?}");
    let says = |job: &str, words: &str| {
        let told = &told[&format!("job {job} of the original")];
        assert!(told.contains(words), "{job}: {told}");
    };
    says("empty______", "is empty");
    says("list_______", "no object");
    says("nostate____", "no text `state`");
    says("broken_____", "no JSON");
    says("notutf8____", "not UTF-8");
    says("link_info__", "cannot be read");
    says("\\xff\\xfe", "no job's id");
    says("stray", "no folder");
    says("nocode_____", "no files");
    says("linkcode___", "no folder");
    let app = App::open(&config(&instance)).await.unwrap();
    let files = app.job_files(&id("hostile____")).await.unwrap().files;
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["Makefile", "inside", "main.cpp"], "only what lies inside");
    let log = app.log_read(&id("hostile____"), 0, 1 << 20).await.unwrap();
    assert!(!String::from_utf8_lossy(&log).contains("of the host"));
    assert_eq!(app.job_files(&id("linkcode___")).await.unwrap().files.len(), 2);
    app.close().await;
}

#[tokio::test]
async fn what_is_no_instance_of_the_original_is_refused_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let ours = folder.path().join("ours");
    let error = import(folder.path(), &config(&ours), &mut |_| {})
        .await
        .unwrap_err();
    assert!(matches!(error, CareError::NoOriginal { .. }), "{error}");
    assert!(!ours.exists());
}
