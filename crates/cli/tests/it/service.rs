//! The roles as services of systemd: what they tell it, and that the units that we give are sound.

use crate::program::{PROGRAM, command};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BOUND: Duration = Duration::from_secs(60);

/// A role, with this test as its service manager.
struct Service {
    child: Child,
    line: UnixDatagram,
}

impl Service {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let path = folder.join("notify");
        let line = UnixDatagram::bind(&path).expect("a socket");
        line.set_read_timeout(Some(Duration::from_millis(100)))
            .expect("a bound");
        let log = fs::File::create(folder.join("err")).expect("a log");
        let child = command(arguments)
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "300000")
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("it runs");
        Self { child, line }
    }

    fn next(&self) -> Option<String> {
        let mut buffer = [0; 256];
        let length = self.line.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    fn until(&self, what: &str) {
        let begin = Instant::now();
        while self.next().as_deref() != Some(what) {
            assert!(begin.elapsed() < BOUND, "it never said {what}");
        }
    }

    /// Whether it says nothing for ten times as long as its watchdog waits.
    fn falls_silent(&self) -> bool {
        let begin = Instant::now();
        let mut heard = Instant::now();
        while begin.elapsed() < BOUND {
            if self.next().is_some() {
                heard = Instant::now();
            }
            if heard.elapsed() > Duration::from_secs(3) {
                return true;
            }
        }
        false
    }

    fn end(mut self) {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        assert!(asked.is_ok_and(|asked| asked.success()));
        self.until("STOPPING=1");
        self.until("EXTEND_TIMEOUT_USEC=30000000");
        assert!(self.child.wait().expect("it ends").success());
    }
}

#[test]
fn a_server_feeds_its_watchdog_only_while_it_is_healthy() {
    let folder = tempfile::tempdir().expect("a folder");
    let instance = folder.path().join("instance");
    let named = instance.to_str().expect("a plain name");
    let service = Service::start(
        folder.path(),
        &[
            "serve",
            "--no-worker",
            "--listen",
            "127.0.0.1:0",
            "--instance",
            named,
        ],
    );
    service.until("READY=1");
    service.until("WATCHDOG=1");
    fs::rename(instance.join("blobs"), instance.join("away")).expect("the folder is moved");
    assert!(service.falls_silent(), "it goes on as if nothing had happened");
    fs::rename(instance.join("away"), instance.join("blobs")).expect("the folder is moved");
    service.until("WATCHDOG=1");
    service.end();
    let log = fs::read_to_string(folder.path().join("err")).expect("the log");
    assert!(
        log.contains("makes no progress") && log.contains("/blobs cannot be written"),
        "{log}"
    );
}

#[test]
fn a_worker_is_ready_and_alive_without_its_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let instance = folder.path().join("instance");
    let service = Service::start(
        folder.path(),
        &["worker", instance.to_str().expect("a plain name")],
    );
    service.until("READY=1");
    service.until("WATCHDOG=1");
    service.end();
}

#[test]
fn the_units_are_sound() {
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/systemd");
    let has_verifier = Command::new("systemd-analyze").arg("--version").output().is_ok();
    let folder = tempfile::tempdir().expect("a folder");
    let mut copies: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(units).expect("the units are there").flatten() {
        let text = fs::read_to_string(entry.path()).expect("a unit is text");
        for needed in [
            "Type=notify",
            "WatchdogSec=",
            "KillMode=mixed",
            "UMask=0077",
            "ExecStart=/usr/bin/polyphemus ",
        ] {
            assert!(
                text.contains(needed),
                "{needed} is not in {:?}",
                entry.file_name()
            );
        }
        let name = entry.file_name().to_string_lossy().replace("@.", "@lab.");
        let copy = folder.path().join(name);
        fs::write(
            &copy,
            text.replace("/usr/bin/polyphemus ", &format!("{PROGRAM} ")),
        )
        .expect("a copy");
        copies.push(copy);
    }
    assert_eq!(copies.len(), 3);
    // Only where systemd is installed; the machine that this is developed on has it.
    if has_verifier {
        let output = Command::new("systemd-analyze")
            .arg("verify")
            .args(&copies)
            .output();
        let output = output.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        let of_ours: Vec<&str> = said.lines().filter(|line| line.contains("polyphemus")).collect();
        assert!(output.status.success() && of_ours.is_empty(), "{said}");
    }
}
