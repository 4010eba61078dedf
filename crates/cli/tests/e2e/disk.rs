//! The disk of the instance is swapped away while the server works: full, then read-only. The instance
//! is on a small filesystem in a mount namespace of the server's own.

use crate::{PROGRAM, designs};
use polyphemus_api::ClientError;
use polyphemus_api::client::Body;
use polyphemus_api::job::JobQuery;
use polyphemus_core::job::JobId;
use polyphemus_testkit::{TestServer, TestWorker, wait};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const BOUND: Duration = Duration::from_secs(120);
/// How many lines the job prints that runs meanwhile.
const LINES: u32 = 60;

/// A server whose instance is a filesystem of 96 MiB, and its worker on another disk.
struct OnItsOwnDisk {
    server: TestServer,
    worker: TestWorker,
    _program: TempDir,
}

impl OnItsOwnDisk {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("polyphemus");
        // The server's process is what `unshare` becomes: its number names the namespace, too.
        let script = format!(
            "#!/bin/sh\n\
             [ \"$1\" = serve ] || exec {PROGRAM} \"$@\"\n\
             for word; do [ \"$last\" = --instance ] && instance=$word; last=$word; done\n\
             mkdir -p \"$instance\"\n\
             exec unshare --user --map-root-user --mount sh -c \
             'mount -t tmpfs -o size=96m disk \"$0\" && exec \"$@\"' \"$instance\" {PROGRAM} \"$@\"\n"
        );
        fs::write(&program, script).expect("the script");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it can be run");
        let program = program.to_str().expect("a name in UTF-8");
        let server = TestServer::start(program, &["--no-worker", "--lease-seconds", "60"]);
        let worker = server.worker(&["--name", "elsewhere", "--make-slots", "1"]);
        Self {
            server,
            worker,
            _program: folder,
        }
    }

    /// The instance as the server sees it.
    fn instance(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.server.pid()));
        let instance = self.server.instance();
        root.join(instance.strip_prefix("/").expect("an absolute path"))
    }

    fn filler(&self) -> PathBuf {
        self.instance().join("filler")
    }

    /// Fills the disk but for so many bytes.
    fn fill_but(&self, left_bytes: u64) {
        let mut filler = fs::File::create(self.filler()).expect("the filler");
        let part = vec![7; 4096];
        let mut length = 0u64;
        while filler.write(&part).is_ok_and(|written| written == part.len()) {
            length += part.len() as u64;
        }
        filler
            .set_len(length.saturating_sub(left_bytes))
            .expect("it can be cut");
    }

    fn free(&self) {
        fs::remove_file(self.filler()).expect("the filler is there");
    }

    fn mount(&self, arguments: &[&str]) {
        let done = Command::new("nsenter")
            .args(["--user", "--mount", "--preserve-credentials", "--target"])
            .arg(self.server.pid().to_string())
            .args(arguments)
            .arg(self.server.instance())
            .output()
            .expect("nsenter runs");
        assert!(done.status.success(), "{arguments:?}: {done:?}");
    }

    fn make_read_only(&self) {
        let instance = self.server.instance();
        let instance = instance.to_str().expect("a name in UTF-8");
        self.mount(&["mount", "--bind", instance]);
        self.mount(&["mount", "-o", "remount,bind,ro"]);
    }

    fn make_writable(&self) {
        self.mount(&["umount"]);
    }

    /// A job that prints its lines one by one, once it has printed the first.
    async fn running(&self) -> JobId {
        let makefile = format!(
            "all:\n\t@for n in $$(seq {LINES}); do echo \"line $$n\"; sleep 0.05; done; echo made > made.txt\n"
        );
        let design = designs::folder(&[("Makefile", &makefile)]);
        let id = self.server.submit(design.path(), &["make=1", "mode=estimate"]);
        wait::until(BOUND, "the first line", || async {
            match self.server.log(&id).await {
                log if log.contains("\nline 1\n") => Ok(()),
                log => Err(log),
            }
        })
        .await;
        id
    }

    /// The job's processes are gone; what they did is still to be handed in.
    async fn stage_ended(&self) {
        wait::until(BOUND, "the end of the job's processes", || {
            let mut left = self.worker.processes();
            left.retain(|found| found.is_at_work);
            std::future::ready(if left.is_empty() {
                Ok(())
            } else {
                Err(format!("{left:?}"))
            })
        })
        .await;
    }

    async fn is_done_in_one_attempt(&self, id: &JobId) {
        let job = self.server.finished(id, BOUND).await;
        let log = self.server.log(id).await;
        assert_eq!(job.state.as_str(), "done", "{:?}\n{log}", job.stages);
        assert_eq!(job.stages[0].attempts, 1, "nothing was done again: {log}");
        let lines: Vec<u32> = log
            .lines()
            .filter_map(|line| line.strip_prefix("line ")?.parse().ok())
            .collect();
        assert_eq!(lines, (1..=LINES).collect::<Vec<_>>(), "{log}");
        assert_eq!(self.server.file(id, "made.txt").await, b"made\n");
    }

    async fn handed_in(&self, content: Vec<u8>) -> Result<JobId, ClientError> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let stored =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        for (name, content) in [("Makefile", b"all:\n\t@true\n".to_vec()), ("content", content)] {
            zip.start_file(name, stored).expect("an entry");
            zip.write_all(&content).expect("its content");
        }
        let archive = zip.finish().expect("an archive").into_inner();
        let options = [("make", "1"), ("mode", "estimate")];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let client = self.server.client();
        let submitted = client
            .submit("design.zip", Body::from(archive), None, &options.into())
            .await;
        submitted.map(|submitted| submitted.id)
    }

    async fn count(&self) -> usize {
        let page = self.server.client().jobs(&JobQuery::default()).await;
        page.expect("the list is shown").jobs.len()
    }

    fn unfinished(&self) -> usize {
        let left = fs::read_dir(self.instance().join("blobs/unfinished"));
        left.expect("the folder").count()
    }
}

fn refused(submitted: Result<JobId, ClientError>) -> (u16, String) {
    match submitted {
        Err(ClientError::Refused { status, detail }) => (status, detail.message),
        other => panic!("it should be refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_disk_that_is_full_in_the_middle_costs_no_job_and_takes_none() {
    let on = OnItsOwnDisk::start();
    let id = on.running().await;
    on.fill_but(0);
    let (status, why) = refused(on.handed_in(vec![1; 1000]).await);
    assert_eq!(status, 507, "{why}");
    assert!(
        why.contains("disk is full") && why.contains("space was freed"),
        "{why}"
    );
    assert_eq!(on.count().await, 1, "the list is shown, and nothing is half-made");
    on.stage_ended().await;
    on.free();
    on.is_done_in_one_attempt(&id).await;

    // Full while an upload comes in: what is small still fits.
    on.fill_but(3 << 20);
    let large = (0..8u32 << 20).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]);
    let (status, why) = refused(on.handed_in(large.collect()).await);
    assert_eq!(status, 507, "{why}");
    assert_eq!((on.count().await, on.unfinished()), (1, 0));
    let small = on.handed_in(vec![2; 1000]).await.expect("there is room for this");
    on.free();
    let job = on.server.finished(&small, BOUND).await;
    assert_eq!(job.state.as_str(), "done", "{:?}", job.stages);
}

#[tokio::test]
async fn a_disk_that_is_read_only_in_the_middle_is_told_and_costs_no_job() {
    let on = OnItsOwnDisk::start();
    let id = on.running().await;
    on.make_read_only();
    let (status, why) = refused(on.handed_in(vec![1; 1000]).await);
    assert_eq!(status, 503, "{why}");
    assert!(why.contains("read-only") && why.contains("operator"), "{why}");
    assert_eq!(on.count().await, 1, "the list is shown, and nothing is half-made");
    on.stage_ended().await;
    on.make_writable();
    on.is_done_in_one_attempt(&id).await;
    let next = on
        .handed_in(vec![1; 1000])
        .await
        .expect("it can be written to again");
    let job = on.server.finished(&next, BOUND).await;
    assert_eq!(job.state.as_str(), "done", "{:?}", job.stages);
}
