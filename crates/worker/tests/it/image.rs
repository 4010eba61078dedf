//! Images for Amazon's cards, end to end: the real client of AWS against an endpoint that answers as the
//! service does, stand-ins for the kit and the card.

use crate::server::{BOUND, Server, Worker};
use polyphemus_api::job::Job;
use polyphemus_core::cause::CauseKind;
use polyphemus_core::flow::FlowSettings;
use polyphemus_core::job::{JobId, JobState};
use polyphemus_core::stage::StageName;
use polyphemus_testkit::aws::{Aws, Fate, client};
use polyphemus_testkit::{stand_ins, wait};
use std::time::Duration;

const LEASE: Duration = Duration::from_secs(10);
/// Starts of the client take seconds on a machine at work.
const PATIENCE: Duration = Duration::from_secs(180);
const F1: (&str, &str) = ("toolchain", "f1");
const F2: (&str, &str) = ("toolchain", "f2");

fn settings() -> FlowSettings {
    FlowSettings {
        s3_bucket: Some("designs".into()),
        afi_check_interval_s: 1,
        xrt_setup: stand_ins().join("xrt/setup.sh").to_string_lossy().into_owned(),
        ..FlowSettings::default()
    }
}

/// A worker with the stand-ins, the real client, and this endpoint.
fn worker(server: &Server, aws: &Aws) -> Worker {
    Worker::start(&server.url(), |config| {
        let path = format!("{}:{}:/usr/bin:/bin", client().display(), stand_ins().display());
        config.path = Some(path);
        let venv = client().parent().expect("it is a folder").to_owned();
        config.read_only = vec![stand_ins(), venv];
        config.environment = aws.environment().into_iter().collect();
        let kit = stand_ins().join("kit").to_string_lossy().into_owned();
        config.environment.insert("AWS_FPGA_REPO_DIR".into(), kit);
        config.make_slots = 2;
    })
}

/// The quickest design that an image can be made of.
const CHECKPOINT: [(&str, &str); 1] = [(
    "Makefile",
    "all:\n\tmkdir -p build/checkpoints\n\techo checkpoint > build/checkpoints/a.Developer_CL.tar\n\
     \techo 'echo TEST PASSED' > exe\n\tchmod +x exe\n",
)];

async fn afi_stage(server: &Server, id: &JobId, state: &str) -> Job {
    let has = |job: &Job| {
        job.stages
            .iter()
            .any(|stage| stage.name == StageName::Afi && stage.state == state)
    };
    wait_for(server, id, state, has).await
}

async fn wait_for(server: &Server, id: &JobId, what: &str, fits: impl Fn(&Job) -> bool) -> Job {
    let client = server.client();
    wait::until(PATIENCE, what, || async {
        let job = client.job(id).await.map_err(|error| error.to_string())?;
        if fits(&job) {
            Ok(job)
        } else {
            Err(format!("{:?}", job.stages))
        }
    })
    .await
}

/// Until the state of images was asked for so often.
async fn asked(aws: &Aws, times: usize) {
    wait::until(PATIENCE, "questions after images", || async {
        let seen = aws.describes();
        if seen >= times { Ok(()) } else { Err(seen) }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_f1_project_goes_through_all_four_modes_up_to_the_card() {
    let server = Server::start_with(LEASE, settings()).await;
    let aws = Aws::start();
    aws.errors_first(&["RequestLimitExceeded"]);
    let worker = worker(&server, &aws);
    let makefile = "XCLBIN = xclbin/sum.$(MODE).f1.xclbin\nall: $(XCLBIN) exe\nexe: host.cpp\n\txcpp -o $@ $< -lxilinxopencl\n\
                    $(XCLBIN): sum.xo\n\tmkdir -p xclbin\n\txocc -t $(TARGET) --platform $(DEVICE) $(REPORT) -l --nk sum:1 -o $@ $<\n\
                    sum.xo: sum.cpp\n\txocc -t $(TARGET) --platform $(DEVICE) -c -k sum -o $@ $<\n\
                    TARGET = $(if $(filter estimate,$(MODE)),sw_emu,$(MODE))\n\
                    REPORT = $(if $(filter estimate,$(MODE)),--report_level estimate)\n";
    let host = "#include <cstdio>\n#include <cstdlib>\nint main() { auto *mode = getenv(\"XCL_EMULATION_MODE\"); \
                std::printf(\"TEST PASSED in %s\\n\", mode ? mode : getenv(\"XILINX_XRT\") ? \"hardware\" : \"nothing\"); }\n";
    let files = [
        ("Makefile", makefile),
        ("sum.cpp", "void sum() {}\n"),
        ("host.cpp", host),
    ];
    for (mode, verdict) in [
        ("sw_emu", Some("sw_emu")),
        ("hw_emu", Some("hw_emu")),
        ("estimate", None),
    ] {
        let id = server.submit(&files, &[F1, ("mode", mode)]).await;
        let job = server.finished(&id).await;
        assert_eq!(job.state, JobState::Done, "{}", server.log(&id).await);
        let line = job
            .stages
            .last()
            .unwrap()
            .verdict
            .clone()
            .map(|verdict| verdict.line);
        assert_eq!(line, verdict.map(|mode| format!("TEST PASSED in {mode}")));
    }

    let id = server.submit(&files, &[F1, ("mode", "hw")]).await;
    wait::until(PATIENCE, "a pending image", || async {
        let log = server.log(&id).await;
        if log.contains("AFI status: pending") {
            Ok(())
        } else {
            Err(log)
        }
    })
    .await;
    assert_eq!(
        server.client().job(&id).await.unwrap().state,
        JobState::GeneratingAfi
    );
    aws.fate(Fate::Available);
    let job = server.finished_within(&id, PATIENCE).await;
    let log = server.log(&id).await;
    assert_eq!(job.state, JobState::Done, "{log}");
    let image = &aws.images()[0];
    assert_eq!(job.stages[1].values["afi"], image.afi);
    assert_eq!(job.stages[1].values["agfi"], image.agfi);
    assert_eq!(image.token, format!("polyphemus-{id}-afi-0"));
    assert_eq!(image.input, format!("designs/DCPs/{}.tar", image.token));
    assert!(aws.object(&image.input).is_some_and(|tar| tar.len() > 1024));
    assert!(log.contains("RequestLimitExceeded"), "{log}");
    assert!(log.contains("AFI status: available"), "{log}");
    let card = server.file(&id, "xclbin/sum.hw.f1.awsxclbin").await;
    assert!(String::from_utf8_lossy(&card).contains(&image.agfi));
    assert_eq!(
        job.stages[2].verdict.clone().unwrap().line,
        "TEST PASSED in hardware"
    );
    assert_eq!(job.stages[2].device.as_deref(), Some("aws-slot-0"));
    assert!(!log.contains("AKIDEXAMPLE") && !log.contains("secret"), "{log}");
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_cannot_be_ends_the_job_at_once_with_the_words_of_aws() {
    let server = Server::start_with(LEASE, settings()).await;
    let aws = Aws::start();
    let worker = worker(&server, &aws);
    let failed = "UNKNOWN_BITSTREAM_GENERATE_ERROR: An unknown error occurred";
    for (fate, kind, line) in [
        (
            Fate::Failed(failed.into()),
            CauseKind::Image,
            "AFI status: failed UNKNOWN_BITSTREAM_GENERATE_ERROR",
        ),
        (Fate::Unavailable, CauseKind::Image, "AFI status: unavailable"),
        (Fate::Unknown, CauseKind::Image, "InvalidFpgaImageID.NotFound"),
        (
            Fate::Error("RequestExpired".into()),
            CauseKind::Access,
            "RequestExpired",
        ),
        (
            Fate::Error("UnauthorizedOperation".into()),
            CauseKind::Access,
            "UnauthorizedOperation",
        ),
    ] {
        aws.fate(fate);
        let id = server.submit(&CHECKPOINT, &[F2]).await;
        let job = server.finished_within(&id, PATIENCE).await;
        let cause = job.stages[1].cause.clone().unwrap();
        assert_eq!(cause.kind, kind, "{cause:?}");
        assert!(cause.line.clone().unwrap().contains(line), "{cause:?}");
        assert_eq!((job.state, job.stages[1].attempts), (JobState::Failed, 1));
    }
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_hangs_ends_at_its_deadline_and_can_be_waited_for_on() {
    let settings = FlowSettings {
        afi_time_limit_s: 1,
        ..settings()
    };
    let server = Server::start_with(LEASE, settings).await;
    let aws = Aws::start();
    let worker = worker(&server, &aws);
    let id = server.submit(&CHECKPOINT, &[F2]).await;
    let job = server.finished_within(&id, PATIENCE).await;
    let cause = job.stages[1].cause.clone().unwrap();
    assert_eq!(cause.kind, CauseKind::TimeLimit, "{cause:?}");
    assert!(cause.message.contains("retry"), "{cause:?}");

    aws.fate(Fate::Available);
    server.client().retry(&id, Some(StageName::Afi)).await.unwrap();
    let job = server.finished_within(&id, PATIENCE).await;
    assert_eq!(job.state, JobState::Done, "{}", server.log(&id).await);
    assert_eq!((aws.images().len(), aws.creates()), (1, 2));

    // One that AWS has failed is asked for anew.
    aws.fate(Fate::Failed("CLK_ILLEGAL".into()));
    server.client().retry(&id, Some(StageName::Afi)).await.unwrap();
    let job = server.finished_within(&id, PATIENCE).await;
    assert_eq!(job.stages[1].cause.clone().unwrap().kind, CauseKind::Image);
    assert_eq!(aws.images().len(), 2);
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_leaves_its_pending_image_to_the_next() {
    let server = Server::start_with(Duration::from_secs(3), settings()).await;
    let aws = Aws::start();
    let first = worker(&server, &aws);
    let id = server.submit(&CHECKPOINT, &[F2]).await;
    asked(&aws, 1).await;
    first.vanish().await;
    let second = worker(&server, &aws);
    let again = |job: &Job| job.stages[1].attempts == 2 && job.stages[1].state == "running";
    wait_for(&server, &id, "a second attempt", again).await;
    aws.fate(Fate::Available);
    let job = server.finished_within(&id, PATIENCE).await;
    assert_eq!(job.state, JobState::Done, "{}", server.log(&id).await);
    assert_eq!((aws.images().len(), aws.creates()), (1, 2));
    assert_eq!(job.stages[1].values["afi"], aws.images()[0].afi);
    second.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_pending_images_and_a_long_build_hold_up_no_other_job() {
    let server = Server::start_with(LEASE, settings()).await;
    let aws = Aws::start();
    let worker = worker(&server, &aws);
    let mut pending = Vec::new();
    for _ in 0..10 {
        pending.push(server.submit(&CHECKPOINT, &[F2]).await);
    }
    for id in &pending {
        afi_stage(&server, id, "running").await;
    }
    // Of two places for builds one is taken for long.
    let long = server.submit_script("echo begun; tail -f /dev/null").await;
    server.logged(&long, "begun").await;
    let quick = server.submit_script("true").await;
    let job = server.finished_within(&quick, BOUND).await;
    assert_eq!(job.state, JobState::Done, "{}", server.log(&quick).await);
    for id in &pending {
        let job = server.client().job(id).await.unwrap();
        assert_eq!(job.state, JobState::GeneratingAfi);
    }
    for id in pending.iter().chain([&long]) {
        server.client().cancel(id).await.unwrap();
    }
    for id in pending.iter().chain([&long]) {
        server.finished_within(id, PATIENCE).await;
    }
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_f2_design_is_built_by_the_kit_and_loaded_on_the_card() {
    let server = Server::start_with(LEASE, settings()).await;
    let aws = Aws::start();
    aws.fate(Fate::Available);
    let worker = worker(&server, &aws);
    let host = "#include <fpga_mgmt.h>\n#include <cstdio>\nint main() { std::puts(fpga_mgmt_init() ? \"FAIL\" : \"TEST PASSED\"); }\n";
    let logic = |text| [("design/cl_sum.sv", text), ("main.cpp", host)];
    let id = server.submit(&logic("module cl_sum; endmodule\n"), &[F2]).await;
    let job = server.finished_within(&id, PATIENCE).await;
    let log = server.log(&id).await;
    assert_eq!(job.state, JobState::Done, "{log}");
    assert!(
        log.contains(&format!("fpga-load-local-image -S 0 -I {}", aws.images()[0].agfi)),
        "{log}"
    );
    assert_eq!(job.stages[2].verdict.clone().unwrap().line, "TEST PASSED");

    let slow = logic("// stand-in: slow\nmodule cl_sum; endmodule\n");
    let id = server.submit(&slow, &[F2]).await;
    let job = server.finished_within(&id, PATIENCE).await;
    let cause = job.stages[0].cause.clone().unwrap();
    assert_eq!(cause.kind, CauseKind::TimingNotMet, "{cause:?}");
    assert!(cause.line.unwrap().contains(".VIOLATED"));
    assert_eq!(aws.images().len(), 1);

    let allowed = [F2, ("allow_timing_violation", "1")];
    let id = server.submit(&slow, &allowed).await;
    assert_eq!(server.finished_within(&id, PATIENCE).await.state, JobState::Done);
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_answer_for_long_is_waited_for() {
    let server = Server::start_with(LEASE, settings()).await;
    let aws = Aws::start();
    aws.fate(Fate::Hang);
    let worker = worker(&server, &aws);
    let id = server.submit(&CHECKPOINT, &[F2]).await;
    asked(&aws, 1).await;
    assert_eq!(
        server.client().job(&id).await.unwrap().state,
        JobState::GeneratingAfi
    );
    aws.fate(Fate::Available);
    let job = server.finished_within(&id, PATIENCE).await;
    assert_eq!(job.state, JobState::Done, "{}", server.log(&id).await);
    worker.end().await;
}
