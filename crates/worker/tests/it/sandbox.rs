//! Ways out of a sandboxed step, each tried and each closed.

use crate::step::Bench;
use polyphemus_worker::Sandbox;
use polyphemus_worker::process::End;
use polyphemus_worker::sandbox::SandboxError;
use polyphemus_worker::workspace::WorkerFolder;

#[tokio::test(flavor = "multi_thread")]
async fn a_step_writes_in_its_workspace_and_home_and_nowhere_else() {
    let bench = Bench::new(Sandbox::Required).await;
    let script = "pwd; echo $HOME; touch /job/a /tmp/b ~/c && echo can; \
                  for f in /usr/x /etc/x /x /bin/x /lib/x /dev/x /proc/x; do touch $f 2>/dev/null && echo wrote $f; done; \
                  mkdir /home/other /root 2>/dev/null; true";
    let (finished, output) = bench.sh(script).await;
    assert_eq!(finished.end, End::Exited { code: 0 }, "{output}");
    let wrote: Vec<&str> = output.lines().filter(|line| line.starts_with("wrote")).collect();
    // The /dev of the sandbox is in memory and its own.
    assert!(wrote.iter().all(|line| *line == "wrote /dev/x"), "{output}");
    assert!(output.starts_with("/job\n/home/job\ncan\n"), "{output}");
    assert!(bench.attempt.job().join("a").is_file());
    for path in ["/usr/x", "/etc/x", "/x", "/dev/x", "/home/other"] {
        assert!(!std::path::Path::new(path).exists(), "{path}");
    }
}

/// Inside, the real root is an ordinary user, but the kernel asks for the real one.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_changes_no_setting_of_the_kernel() {
    let bench = Bench::new(Sandbox::Required).await;
    // Each is written as it is, so that nothing changes where it can be.
    let script = "for f in kernel/core_pattern kernel/panic vm/swappiness kernel/hostname; do \
                  v=$(cat /proc/sys/$f) && (echo \"$v\" > /proc/sys/$f) 2>/dev/null && echo wrote $f; done; \
                  unshare --user --map-root-user sh -c 'cat /proc/sys/kernel/panic > /proc/sys/kernel/panic' 2>/dev/null \
                  && echo wrote as root; true";
    let (finished, output) = bench.sh(script).await;
    assert_eq!((finished.end, output.as_str()), (End::Exited { code: 0 }, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_sees_nothing_of_the_machine_but_its_programs() {
    let bench = Bench::new(Sandbox::Required).await;
    let secret = bench.folder.path().join("secret");
    std::fs::write(&secret, "another job's file").unwrap();
    let other = bench.folder.attempt("other-make-1").unwrap();
    std::fs::write(other.job().join("theirs"), "x").unwrap();
    let script = format!(
        "cat {} {}/theirs /etc/shadow /etc/hostname /proc/1/environ 2>/dev/null; ls /root /home /var /srv /mnt {} 2>/dev/null; \
         hostname; id -u; grep CapEff /proc/self/status",
        secret.display(),
        other.job().display(),
        bench.folder.shared().display(),
    );
    let (_, output) = bench.sh(&script).await;
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(
        lines.iter().map(|line| line.trim()).collect::<Vec<_>>(),
        ["/home:", "job", "polyphemus", "1000", "CapEff:\t0000000000000000"],
        "{output}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_sees_no_process_of_the_machine_and_cannot_signal_one() {
    let bench = Bench::new(Sandbox::Required).await;
    let (_, output) = bench
        .sh(&format!(
            "ls /proc | grep -c '^[0-9]'; kill -0 {} 2>/dev/null && echo reached",
            std::process::id()
        ))
        .await;
    let count: u32 = output.lines().next().unwrap().parse().unwrap();
    assert!(count <= 6, "{output}");
    assert!(!output.contains("reached"), "{output}");
}

const CONNECT: &str = "python3 -c 'import socket,sys
try:
    socket.create_connection((\"127.0.0.1\", int(sys.argv[1])), 2); print(\"connected\")
except OSError as e: print(\"refused\")' ";

#[tokio::test(flavor = "multi_thread")]
async fn a_step_reaches_the_network_only_where_it_may() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!("{CONNECT}{port}; test -e /etc/resolv.conf && echo names");
    let mut bench = Bench::new(Sandbox::Required).await;
    let (_, output) = bench.sh(&script).await;
    assert_eq!(output, "refused\n");
    bench.access.network = true;
    let (_, output) = bench.sh(&script).await;
    assert!(output.starts_with("connected\n"), "{output}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_has_a_clean_environment() {
    let bench = Bench::new(Sandbox::Required).await;
    let (_, output) = bench.sh("env | sort | cut -d= -f1 | tr '\\n' ' '").await;
    assert_eq!(output, "HOME LANG LC_ALL LOGNAME PATH PWD TMPDIR TZ USER ");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_cannot_learn_from_its_sandbox_where_it_lies_on_the_machine() {
    let bench = Bench::new(Sandbox::Required).await;
    let (_, output) = bench
        .sh("cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo; readlink /proc/self/fd/*")
        .await;
    let (commands, open) = output.split_once('\n').unwrap();
    let folder = bench.folder.shared().to_string_lossy();
    assert!(
        commands.contains("bwrap") && !commands.contains(&*folder),
        "{commands}"
    );
    // The sandbox' own arguments came by a descriptor.
    assert!(
        open.contains("/dev/null") && !open.contains("memfd") && !open.contains(&*folder),
        "{open}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_names_in_etc_is_seen_beside_the_rest_of_it() {
    let bench = Bench::with(|config| {
        config.sandbox = Sandbox::Required;
        config.read_only = vec!["/etc/hostname".into()];
    })
    .await;
    let (_, output) = bench
        .sh("cat /etc/hostname; grep -c ^job: /etc/passwd; ls /etc/shadow 2>&1")
        .await;
    let host = std::fs::read_to_string("/etc/hostname").unwrap();
    assert!(
        output.starts_with(&format!("{host}1\n")) && output.contains("No such file"),
        "{output}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_names_is_seen_or_hidden() {
    let extra = tempfile::tempdir().unwrap();
    std::fs::write(extra.path().join("tool"), "seen").unwrap();
    std::fs::create_dir(extra.path().join("secret")).unwrap();
    std::fs::write(extra.path().join("secret/key"), "key").unwrap();
    let bench = Bench::with(|config| {
        config.sandbox = Sandbox::Required;
        config.read_only = vec![extra.path().to_owned()];
        config.hidden = vec![extra.path().join("secret")];
    })
    .await;
    let path = extra.path().display();
    let (_, output) = bench
        .sh(&format!(
            "cat {path}/tool {path}/secret/key 2>/dev/null; touch {path}/new 2>/dev/null || echo fixed"
        ))
        .await;
    assert_eq!(output, "seenfixed\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_must_have_a_sandbox_says_what_is_missing() {
    let temporary = tempfile::tempdir().unwrap();
    let mut config = polyphemus_worker::Config::new("http://127.0.0.1:1", "w", temporary.path());
    config.path = Some("/nonexistent".into());
    let folder = WorkerFolder::open(&config.folder, "w").unwrap();
    let sandbox = polyphemus_worker::sandbox::Sandbox::new(&config, &folder)
        .await
        .unwrap();
    assert!(
        sandbox
            .reason_without()
            .unwrap()
            .contains("bubblewrap is not installed")
    );
    config.sandbox = Sandbox::Required;
    let refused = polyphemus_worker::sandbox::Sandbox::new(&config, &folder).await;
    assert!(matches!(refused, Err(SandboxError::Required(_))));
}
