//! The memory of a step, limited where this machine can, and its absence told where it cannot.

use crate::step::Bench;
use polyphemus_worker::Sandbox;
use polyphemus_worker::cgroup::{CgroupLimits, Cgroups};
use polyphemus_worker::process::End;

const HOG: &str = "exec python3 -c 'x = bytearray(300_000_000); print(len(x))'";

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_takes_more_memory_than_it_may_is_killed() {
    let cgroups = match Cgroups::detect() {
        Ok(cgroups) => cgroups,
        Err(reason) => {
            // Such a machine is no reason to test nothing: it must be able to say why.
            assert!(!reason.is_empty());
            return;
        }
    };
    for sandbox in [Sandbox::Off, Sandbox::Required] {
        let mut bench = Bench::new(sandbox).await;
        let limits = CgroupLimits {
            memory_bytes: Some(100 << 20),
            processes: 100,
        };
        let name = format!("test-{}-{sandbox:?}", std::process::id());
        let cgroup = cgroups.create(&name, limits).unwrap();
        bench.cgroups = cgroup.folders();
        let (finished, output) = bench.sh(HOG).await;
        assert_eq!(finished.end, End::Signalled { signal: 9 }, "{output}");
        assert!(cgroup.oom_kills() > 0);
        let folders = cgroup.folders();
        drop(cgroup);
        assert!(folders.iter().all(|folder| !folder.exists()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_worker_left_is_killed_and_removed() {
    let Ok(cgroups) = Cgroups::detect() else {
        return assert!(Cgroups::detect().is_err_and(|reason| !reason.is_empty()));
    };
    let limits = CgroupLimits {
        memory_bytes: Some(100 << 20),
        processes: 100,
    };
    let name = format!("dead{}-x", std::process::id());
    let cgroup = cgroups.create(&name, limits).unwrap();
    let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let folders = cgroup.folders();
    std::mem::forget(cgroup);
    for folder in &folders {
        std::fs::write(folder.join("cgroup.procs"), child.id().to_string()).unwrap();
    }
    let reaper = std::thread::spawn(move || child.wait().unwrap());
    cgroups.remove_leftovers(&format!("dead{}-", std::process::id()));
    assert!(!reaper.join().unwrap().success());
    assert!(folders.iter().all(|folder| !folder.exists()));
}
