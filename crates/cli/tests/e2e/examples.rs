//! Every example does what its README says, in every mode that it has.

use crate::{example, job_of, stage, start};
use polyphemus_core::CauseKind;

#[tokio::test]
async fn blinky_goes_through_every_mode() {
    let server = start(&["--simulate", "ice40-hx8k"]);
    let folder = example("blinky");

    let job = job_of(&server, &folder, &["mode=estimate"], "done").await;
    let make = stage(&job, "make");
    assert_eq!(make.bitstream, None);
    let clocks: Vec<_> = make.reports.iter().flat_map(|report| &report.clocks).collect();
    assert!(clocks.iter().any(|clock| clock.achieved_mhz > 50.0), "{clocks:?}");
    let cells: Vec<_> = make
        .reports
        .iter()
        .flat_map(|report| &report.utilisation)
        .collect();
    let logic = cells
        .iter()
        .find(|cell| cell.resource == "ICESTORM_LC")
        .expect("logic cells are counted");
    assert!(logic.used > 0 && logic.available == Some(7680), "{logic:?}");

    job_of(&server, &folder, &["mode=sw_emu"], "done").await;

    let job = job_of(&server, &folder, &["mode=hw_emu"], "done").await;
    assert!(
        stage(&job, "run")
            .verdict
            .as_ref()
            .is_some_and(|verdict| verdict.passed)
    );
    let path = stage(&job, "make")
        .bitstream
        .clone()
        .expect("a bitstream was built");
    // The size of every hx8k bitstream that icepack makes.
    assert_eq!(server.file(&job.id, &path).await.len(), 135_100);

    let job = job_of(&server, &folder, &["mode=hw"], "done").await;
    assert!(
        stage(&job, "run")
            .device
            .as_ref()
            .is_some_and(|device| device.contains("ice40-hx8k"))
    );
}

#[tokio::test]
async fn the_vector_adder_answers_over_the_serial_port_of_a_virtual_board() {
    let server = start(&["--simulate", "ice40-hx1k"]);
    let job = job_of(
        &server,
        &example("vadd"),
        &["mode=hw", "device=hx1k", "package=tq144"],
        "done",
    )
    .await;
    let verdict = stage(&job, "run")
        .verdict
        .clone()
        .expect("the host program judges");
    assert!(
        verdict.passed && verdict.line.contains("TEST PASSED"),
        "{verdict:?}"
    );
    assert!(server.log(&job.id).await.contains("TEST PASSED"));
}

#[tokio::test]
async fn sha256_brings_its_own_makefile_for_all_modes() {
    let server = start(&["--simulate", "ice40-hx8k", "--make-slots", "2"]);
    for mode in ["mode=estimate", "mode=sw_emu", "mode=hw_emu", "mode=hw"] {
        let job = job_of(&server, &example("sha256"), &[mode], "done").await;
        assert_eq!(
            job.decisions.get("workflow").map(|w| w.contains("Makefile")),
            Some(true),
            "{:?}",
            job.decisions
        );
        if mode != "mode=estimate" {
            assert!(
                stage(&job, "run")
                    .verdict
                    .as_ref()
                    .is_some_and(|verdict| verdict.passed),
                "{mode}"
            );
        }
    }
}

#[tokio::test]
async fn each_instructive_failure_names_its_cause() {
    let server = start(&["--make-slots", "2"]);
    for (name, options, failed_stage, kind) in [
        (
            "fails/syntax_error",
            &["mode=estimate"][..],
            "make",
            CauseKind::SourceError,
        ),
        (
            "fails/testbench_fails",
            &["mode=sw_emu"],
            "run",
            CauseKind::TestFailed,
        ),
        (
            "fails/misses_timing",
            &["mode=estimate", "freq=100"],
            "make",
            CauseKind::TimingNotMet,
        ),
        (
            "fails/does_not_fit",
            &["mode=estimate", "device=hx1k", "package=tq144"],
            "make",
            CauseKind::DoesNotFit,
        ),
    ] {
        let job = job_of(&server, &example(name), options, "failed").await;
        let cause = stage(&job, failed_stage)
            .cause
            .clone()
            .expect("a failed stage has a cause");
        assert_eq!(cause.kind, kind, "{name}: {cause:?}");
        let line = cause.line.expect("the line of the log that says so");
        assert!(
            server.log(&job.id).await.contains(&line),
            "{name}: `{line}` is in the log"
        );
        if kind == CauseKind::TimingNotMet {
            let clocks = stage(&job, "make")
                .reports
                .iter()
                .flat_map(|report| &report.clocks)
                .collect::<Vec<_>>();
            assert!(
                clocks.iter().any(|clock| clock.met() == Some(false)),
                "the numbers are there all the same"
            );
        }
    }
}
