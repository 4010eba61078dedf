//! The vendors' flows end to end, with stand-ins for the tools that compile what they are given.

use crate::server::{Server, Worker};
use polyphemus_api::job::Job;
use polyphemus_core::cause::CauseKind;
use polyphemus_core::flow::FlowSettings;
use polyphemus_core::job::JobState;
use polyphemus_device::{Device, Family};
use polyphemus_testkit::stand_ins;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const LEASE: Duration = Duration::from_secs(10);
const HEADER: &str = "const int N = 32;\nvoid vsadd(int *a, int b);\n";
const HARDWARE: &str =
    "#include \"vsadd.h\"\nvoid vsadd(int *a, int b) { for (int i = 0; i < N; i++) a[i] += b; }\n";
const HOST: &str = r#"#include "vsadd.h"
#include "sds_lib.h"
#include <cstdio>
int main() {
    int *a = static_cast<int *>(sds_alloc(N * sizeof(int)));
    for (int i = 0; i < N; i++) a[i] = i;
    vsadd(a, 5);
    int wrong = 0;
    for (int i = 0; i < N; i++) wrong += a[i] != i + 5;
    sds_free(a);
    std::puts(wrong ? "TEST FAILED" : "TEST PASSED");
    return wrong ? -1 : 0;
}
"#;

/// A worker that has the stand-ins, and AWS' kit whose script says this.
fn worker(server: &Server, kit: &Path) -> Worker {
    Worker::start(&server.url(), |config| {
        config.path = Some(format!("{}:/usr/bin:/bin", stand_ins().display()));
        config.read_only = vec![stand_ins()];
        let folder = kit.to_string_lossy().into_owned();
        config.environment = [("AWS_FPGA_REPO_DIR".to_owned(), folder)].into();
    })
}

fn kit(script: &str) -> TempDir {
    let folder = tempfile::Builder::new()
        .prefix("polyphemus-kit-")
        .tempdir()
        .unwrap();
    std::fs::write(folder.path().join("sdaccel_setup.sh"), script).unwrap();
    std::fs::write(folder.path().join("f1.xpfm"), "").unwrap();
    folder
}

async fn sdsoc(server: &Server, files: &[(&str, &str)], options: &[(&str, &str)]) -> Job {
    let mut given = vec![("toolchain", "sdsoc")];
    given.extend(options);
    let id = server.submit(files, &given).await;
    server.finished(&id).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_sdsoc_design_becomes_what_goes_to_the_board() {
    let server = Server::start(LEASE).await;
    let kit = kit("");
    let worker = worker(&server, kit.path());
    let files = [
        ("vsadd.cpp", HARDWARE),
        ("vsadd.h", HEADER),
        ("main.cpp", HOST),
        ("in.data", "42"),
        ("d.tcl", ""),
    ];

    let job = sdsoc(&server, &files, &[("skipexec", "1"), ("directives", "d.tcl")]).await;
    let log = server.log(&job.id).await;
    assert_eq!((job.state, job.stages.len()), (JobState::Done, 1), "{log}");
    assert!(log.contains("$ sds++ -sds-pf zed -sds-hw vsadd vsadd.cpp -hls-tcl d.tcl -sds-end -clkid 3"));
    assert_eq!(server.file(&job.id, "sd_card/in.data").await, b"42");
    assert_eq!(
        server.file(&job.id, "sd_card/exe").await,
        server.file(&job.id, "exe").await
    );

    let job = sdsoc(&server, &files, &[("estimate", "1")]).await;
    let log = server.log(&job.id).await;
    assert_eq!(job.state, JobState::Done, "{log}");
    assert!(!server.file(&job.id, "_sds/est/perf.est").await.is_empty());
    assert!(server.client().file(&job.id, "sd_card/in.data").await.is_err());

    let job = sdsoc(&server, &files, &[("estimate", "1"), ("platform", "zde")]).await;
    let cause = job.stages[0].cause.clone().unwrap();
    assert!(
        cause.message.contains("correct the option `platform`"),
        "{cause:?}"
    );

    let broken = [("vsadd.cpp", "void vsadd("), ("main.cpp", HOST)];
    let job = sdsoc(&server, &broken, &[("estimate", "1")]).await;
    let cause = job.stages[0].cause.clone().unwrap();
    assert_eq!(cause.kind, CauseKind::SourceError, "{cause:?}");
    assert!(cause.line.unwrap().starts_with("vsadd.cpp:1:"));

    let makefile = "exe:\n\tsds++ -sds-pf $(PLATFORM) -sds-hw vsadd vsadd.cpp -sds-end vsadd.cpp main.cpp \
                    -Ixx -o $(TARGET) $(if $(filter 1,$(ESTIMATE)),-perf-est-hw-only)\n";
    let host = "#include \"vsadd.h\"\nint main() { int a[N]; vsadd(a, 1); }";
    let files = [
        ("p/Makefile", makefile),
        ("p/vsadd.cpp", HARDWARE),
        ("p/vsadd.h", HEADER),
        ("p/main.cpp", host),
    ];
    let job = sdsoc(&server, &files, &[("skipexec", "1"), ("platform", "zc706")]).await;
    let log = server.log(&job.id).await;
    assert_eq!(job.state, JobState::Done, "{log}");
    assert_eq!(job.stages[0].make_conf["PLATFORM"], "zc706");
    assert!(
        log.contains("$ make ESTIMATE=0 PLATFORM=zc706 TARGET=exe\n"),
        "{log}"
    );
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_without_licence_waits_for_one() {
    let server = Server::start(LEASE).await;
    let kit = kit("");
    let worker = worker(&server, kit.path());
    let files = [("vsadd.cpp", "// stand-in: no licence\n"), ("main.cpp", HOST)];
    let given = [("toolchain", "sdsoc"), ("estimate", "1")];
    let id = server.submit(&files, &given).await;
    server.logged(&id, "failed: no licence was available").await;
    let job = server
        .until(&id, "the stage to wait", |job| job.stages[0].state == "queued")
        .await;
    assert_eq!(job.stages[0].attempts, 1);
    server.client().cancel(&id).await.unwrap();
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_f1_project_is_emulated_in_the_environment_of_its_kit() {
    let server = Server::start(LEASE).await;
    let kit = kit("echo noise\nexport AWS_PLATFORM=$PWD/f1.xpfm SDACCEL_DIR=$PWD\n");
    let worker = worker(&server, kit.path());
    let makefile = "exe: vadd.xclbin host.cpp\n\tg++ -o exe host.cpp\nvadd.xclbin: vadd.cpp\n\
                    \txocc -t $(MODE) --platform $(DEVICE) -c -k vadd -o vadd.xo vadd.cpp\n\
                    \txocc -t $(MODE) --platform $(DEVICE) -l --nk vadd:1 -o $@ vadd.xo\n";
    let host = "#include <cstdio>\n#include <cstdlib>\nint main() { std::printf(\"TEST PASSED in %s with %s\\n\", \
                getenv(\"XCL_EMULATION_MODE\"), getenv(\"SDACCEL_DIR\") ? \"kit\" : \"nothing\"); }\n";
    let files = [
        ("Makefile", makefile),
        ("vadd.cpp", "void vadd() {}"),
        ("host.cpp", host),
    ];
    let id = server
        .submit(
            &files,
            &[("toolchain", "f1"), ("mode", "hw_emu"), ("platform", "zed")],
        )
        .await;
    let job = server.finished(&id).await;
    let log = server.log(&id).await;
    assert_eq!((job.state, job.stages.len()), (JobState::Done, 2), "{log}");
    assert_eq!(
        job.stages[1].verdict.clone().unwrap().line,
        "TEST PASSED in hw_emu with kit"
    );
    assert!(
        job.stages[0].make_conf["DEVICE"].ends_with("/f1.xpfm"),
        "{:?}",
        job.stages[0]
    );
    assert!(!log.contains("noise"), "{log}");
    assert!(
        job.notes
            .iter()
            .any(|note| note.contains("option `platform` (`zed`)")),
        "{:?}",
        job.notes
    );
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kit_that_sets_no_platform_is_the_workers_trouble() {
    let server = Server::start(LEASE).await;
    let kit = kit("false\n");
    let worker = worker(&server, kit.path());
    let id = server
        .submit(&[("Makefile", "exe:\n")], &[("toolchain", "f1")])
        .await;
    server.logged(&id, "sdaccel_setup.sh set no AWS_PLATFORM").await;
    server
        .logged(&id, "failed: the worker could not do its part: the dry run")
        .await;
    server.client().cancel(&id).await.unwrap();
    worker.end().await;
}

const KERNEL: &str =
    "extern \"C\" void vadd(int *a, int *b, int n) { for (int i = 0; i < n; i++) a[i] += b[i]; }\n";
const XRT_HOST: &str = r#"#include "xrt/xrt_device.h"
#include "xrt/xrt_bo.h"
#include "xrt/xrt_kernel.h"
#include <cstdio>
int main(int, char **argv) {
    xrt::device device(0);
    auto uuid = device.load_xclbin(argv[1]);
    xrt::kernel vadd(device, uuid, "vadd");
    xrt::bo a(device, 64, vadd.group_id(0)), b(device, 64, vadd.group_id(1));
    for (int i = 0; i < 16; i++) { a.map<int *>()[i] = i; b.map<int *>()[i] = 1; }
    a.sync(XCL_BO_SYNC_BO_TO_DEVICE);
    vadd(a, b, 16).wait();
    int wrong = 0;
    for (int i = 0; i < 16; i++) wrong += a.map<int *>()[i] != i + 1;
    std::puts(wrong ? "TEST FAILED" : "TEST PASSED");
    return wrong;
}
"#;
const SHELL: &str = "xilinx_u250_gen3x16_xdma_4_1_202210_1";

/// A worker with Vitis and a card of this shell.
fn vitis(server: &Server) -> Worker {
    Worker::start(&server.url(), |config| {
        config.path = Some(format!("{}:/usr/bin:/bin", stand_ins().display()));
        config.read_only = vec![stand_ins()];
        let xrt = stand_ins().join("xrt").to_string_lossy().into_owned();
        config.environment = [("XILINX_XRT".to_owned(), xrt)].into();
        config.devices = vec![Device {
            labels: vec![format!("fpga:{SHELL}")],
            ..Device::bare(Family::Xrt, "card", SHELL)
        }];
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vitis_design_runs_in_emulation_and_on_a_card_with_its_shell() {
    let settings = FlowSettings {
        xrt_setup: stand_ins().join("xrt/setup.sh").to_string_lossy().into_owned(),
        ..FlowSettings::default()
    };
    let server = Server::start_with(LEASE, settings).await;
    let worker = vitis(&server);
    let files = [
        ("vadd.cpp", KERNEL),
        ("main.cpp", XRT_HOST),
        ("link.cfg", "[connectivity]\n"),
    ];
    for mode in ["hw_emu", "hw", "sw_emu"] {
        let id = server
            .submit(&files, &[("toolchain", "vitis"), ("mode", mode)])
            .await;
        let job = server.finished(&id).await;
        let log = server.log(&id).await;
        assert_eq!(job.state, JobState::Done, "{log}");
        assert_eq!(job.stages[1].verdict.clone().unwrap().line, "TEST PASSED");
        assert_eq!(
            job.stages[1].device.as_deref(),
            (mode == "hw").then_some("card"),
            "{log}"
        );
        assert!(log.contains("--config link.cfg"), "{log}");
    }
    let slow = [
        ("vadd.cpp", &*format!("// stand-in: slow\n{KERNEL}")),
        ("main.cpp", XRT_HOST),
    ];
    let id = server
        .submit(&slow, &[("toolchain", "vitis"), ("mode", "hw")])
        .await;
    let cause = server.finished(&id).await.stages[0].cause.clone().unwrap();
    assert_eq!(cause.kind, CauseKind::TimingNotMet, "{cause:?}");
    worker.end().await;
}
