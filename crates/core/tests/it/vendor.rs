//! The vendors' flows: whole plans, and what is refused.

use crate::design::{design, options, planned};
use polyphemus_core::cause::CauseKind;
use polyphemus_core::design::Design;
use polyphemus_core::flow::{FlowSettings, check_offered, plan};
use polyphemus_core::label::Label;
use polyphemus_core::plan::{Plan, Step};
use std::fmt::Write as _;

const SDSOC: (&str, &str) = ("toolchain", "sdsoc");
const F1: (&str, &str) = ("toolchain", "f1");
const F2: (&str, &str) = ("toolchain", "f2");
const VITIS: (&str, &str) = ("toolchain", "vitis");

/// Of a server with a bucket.
fn with_bucket(design: &Design, given: &[(&str, &str)]) -> Plan {
    let settings = FlowSettings {
        s3_bucket: Some("designs".into()),
        ..FlowSettings::default()
    };
    plan(&options(given), design, &settings).expect("a plan")
}

/// Only what is run: stage, needs, and each command line.
fn commands(plan: &Plan) -> String {
    let mut told = String::new();
    for stage in &plan.stages {
        let needs: Vec<&str> = stage.needs.iter().map(|need| need.0.as_str()).collect();
        let _ = writeln!(told, "{} {}", stage.name, needs.join(" "));
        for step in &stage.steps {
            let (run, how) = match step {
                Step::Run(run) => (run, ""),
                Step::Poll(poll) => (&poll.ask, "again and again: "),
                Step::Load(_) => continue,
            };
            let env: String = run
                .env
                .iter()
                .map(|(name, value)| format!("{name}={value} "))
                .collect();
            let _ = writeln!(told, "    {how}{env}{}", run.argv.join(" "));
        }
    }
    told
}

fn vsadd() -> Design {
    design(&[
        ("vsadd.cpp", "void vsadd(int *a, int b) {}"),
        ("vsadd.h", "void vsadd(int *a, int b);"),
        ("main.cpp", "int main() {}"),
        ("zoom.cpp", ""),
        ("d.tcl", "set_directive_pipeline vsadd"),
        ("b.data", "1"),
        ("a.data", "2"),
        ("sub/c.data", "3"),
    ])
}

fn with_makefile() -> Design {
    design(&[("proj/Makefile", "exe:\n"), ("proj/main.cpp", "int main() {}")])
}

#[test]
fn sdsoc_is_built_by_the_originals_commands() {
    let given = [
        SDSOC,
        ("skipexec", "1"),
        ("directives", "d.tcl"),
        ("platform", "zc706"),
        ("sdsflags", "-dmclkid 1"),
        ("mode", "hw"),
    ];
    insta::assert_json_snapshot!(planned(&vsadd(), &given).expect("a plan"));
}

#[test]
fn sdsoc_estimates_with_every_command_and_copies_nothing() {
    insta::assert_json_snapshot!(planned(&vsadd(), &[SDSOC, ("estimate", "1")]).expect("a plan"));
}

#[test]
fn sdsoc_builds_by_a_makefile_where_there_is_one() {
    let given = [SDSOC, ("skipexec", "1"), ("directives", "$(shell id)")];
    insta::assert_json_snapshot!(planned(&with_makefile(), &given).expect("a plan"));
}

#[test]
fn f1_emulates_by_a_makefile() {
    insta::assert_json_snapshot!(planned(&with_makefile(), &[F1, ("mode", "hw_emu")]).expect("a plan"));
}

#[test]
fn f1_goes_on_to_the_image_and_the_card() {
    insta::assert_json_snapshot!(with_bucket(&with_makefile(), &[F1, ("mode", "hw")]));
}

#[test]
fn every_vendors_flow_runs_these_commands() {
    let logic = design(&[("design/cl_sum.sv", ""), ("main.cpp", "")]);
    let configured = design(&[
        ("vadd.cpp", ""),
        ("main.cpp", ""),
        ("link.cfg", ""),
        ("compile.cfg", ""),
    ]);
    let u200 = (
        "platform",
        "/opt/xilinx/platforms/xilinx_u200_xdma_201820_1/xilinx_u200_xdma_201820_1.xpfm",
    );
    let cases = [
        (vsadd(), vec![F1]),
        (vsadd(), vec![F1, ("mode", "estimate")]),
        (vsadd(), vec![F1, ("mode", "hw")]),
        (logic.clone(), vec![F2, ("hdkflags", "--aws_clk_gen")]),
        (
            logic,
            vec![F2, ("allow_timing_violation", "1"), ("skipexec", "1")],
        ),
        (with_makefile(), vec![F2]),
        (configured.clone(), vec![VITIS]),
        (configured.clone(), vec![VITIS, ("mode", "hw"), u200]),
        (
            configured.clone(),
            vec![VITIS, ("mode", "sw_emu"), ("skipexec", "1")],
        ),
        (configured, vec![VITIS, ("mode", "estimate")]),
        (
            with_makefile(),
            vec![VITIS, ("mode", "hw_emu"), ("directives", "$(shell id)")],
        ),
    ];
    let mut told = String::new();
    for (design, given) in cases {
        let _ = writeln!(told, "{given:?}\n{}", commands(&with_bucket(&design, &given)));
    }
    insta::assert_snapshot!(told);
}

#[test]
fn software_emulation_is_refused_where_no_workers_vitis_has_it() {
    let plan = with_bucket(&vsadd(), &[VITIS, ("mode", "sw_emu")]);
    let offered = |labels: &[&str]| {
        let labels: Vec<Label> = labels.iter().map(|&label| Label(label.to_owned())).collect();
        check_offered(&plan, &labels).map_err(|error| error.to_string())
    };
    assert_eq!(offered(&[]), Ok(()), "a worker may come");
    assert_eq!(offered(&["tool:vitis=2023.2", "tool:vitis-sw_emu"]), Ok(()));
    let refused = offered(&["tool:vitis=2025.1"]).expect_err("it cannot be had");
    assert!(
        refused.contains("tool:vitis=2025.1") && refused.contains("hw_emu"),
        "{refused}"
    );
}

#[test]
fn the_words_of_aws_tell_why_there_is_no_image() {
    let plan = with_bucket(&with_makefile(), &[F1, ("mode", "hw")]);
    let Some(Step::Poll(poll)) = plan.stages[1].steps.last() else {
        panic!("{plan:?}");
    };
    let is = |pattern: &str, line: &str| regex::Regex::new(pattern).expect("it is one").is_match(line);
    let kind = |line: &str| {
        let mut rules = poll.ask.failures.iter();
        let rule = rules
            .find(|rule| rule.exit_code.is_none() && rule.line.as_ref().is_some_and(|one| is(one, line)));
        rule.map(|rule| rule.kind)
    };
    let said = |code: &str| {
        format!("An error occurred ({code}) when calling the DescribeFpgaImages operation: text")
    };
    for (line, expected) in [
        (
            "AFI status: failed UNKNOWN_BITSTREAM_GENERATE_ERROR".to_owned(),
            CauseKind::Image,
        ),
        ("AFI status: unavailable ".to_owned(), CauseKind::Image),
        (said("InvalidFpgaImageID.NotFound"), CauseKind::Image),
        (said("RequestExpired"), CauseKind::Access),
        (said("ExpiredToken"), CauseKind::Access),
        (said("UnauthorizedOperation"), CauseKind::Access),
        (
            "Unable to locate credentials. You can configure credentials by running \"aws configure\"."
                .to_owned(),
            CauseKind::Access,
        ),
        (said("RequestLimitExceeded"), CauseKind::WorkerTrouble),
        (said("InvalidParameterValue"), CauseKind::Image),
    ] {
        assert_eq!(kind(&line), Some(expected), "{line}");
    }
    for line in [
        "AFI status: pending ",
        &said("RequestLimitExceeded"),
        "Could not connect to the endpoint URL: \"http://x/\"",
    ] {
        assert!(is(&poll.pending, line), "{line}");
    }
    assert!(is(&poll.done, "AFI status: available ") && !is(&poll.pending, &said("RequestExpired")));
}

#[test]
fn f1_estimates_behind_a_prefix_without_asking_for_make() {
    let settings = FlowSettings {
        command_prefix: vec!["onxilinx.sh".into()],
        ..FlowSettings::default()
    };
    let plan = plan(&options(&[F1, ("mode", "estimate")]), &with_makefile(), &settings).expect("a plan");
    assert_eq!(plan.stages.len(), 1);
    assert_eq!(
        plan.stages[0]
            .needs
            .iter()
            .map(|need| need.0.as_str())
            .collect::<Vec<_>>(),
        ["tool:aws-fpga"]
    );
    let Step::Run(run) = &plan.stages[0].steps[0] else {
        panic!("{plan:?}");
    };
    assert_eq!(run.argv[0], "bash");
    assert_eq!(run.argv[3..], ["bash", "onxilinx.sh", "make", "MODE=estimate"]);
}

#[test]
fn what_cannot_be_had_is_refused_with_a_sentence() {
    let only = |name: &str| design(&[(name, "int main() {}")]);
    let skip = ("skipexec", "1");
    let cases: Vec<(Design, Vec<(&str, &str)>)> = vec![
        (vsadd(), vec![SDSOC]),
        (only("main.cpp"), vec![SDSOC, skip]),
        (only("vsadd.cpp"), vec![SDSOC, skip]),
        (design(&[("vs-add.cpp", ""), ("main.cpp", "")]), vec![SDSOC, skip]),
        (vsadd(), vec![SDSOC, skip, ("directives", "none.tcl")]),
        (vsadd(), vec![SDSOC, skip, ("platform", "-o/etc/passwd")]),
        (vsadd(), vec![SDSOC, skip, ("sdsflags", "-DX='a b'")]),
        (vsadd(), vec![SDSOC, skip, ("mode", "hw_emo")]),
        (vsadd(), vec![SDSOC, skip, ("seed", "1")]),
        (vsadd(), vec![SDSOC, skip, ("make", "1")]),
        (with_makefile(), vec![F1, ("mode", "hw")]),
        (only("vsadd.cpp"), vec![F1]),
        (only("cl_a.v"), vec![F2]),
        (design(&[("design/top.v", ""), ("README", "")]), vec![F2]),
        (
            design(&[("design/cl_a.v", ""), ("design/cl_b.sv", ""), ("README", "")]),
            vec![F2],
        ),
        (with_makefile(), vec![F2, ("mode", "hw_emu")]),
        (vsadd(), vec![F2, ("cl", "a;b")]),
        (
            vsadd(),
            vec![
                VITIS,
                ("mode", "hw"),
                ("platform", "xilinx_aws-vu47p-f2_202410_1"),
            ],
        ),
        (vsadd(), vec![VITIS, ("allow_timing_violation", "1")]),
    ];
    let mut told = String::new();
    for (design, given) in cases {
        let error = planned(&design, &given).expect_err("it cannot be had");
        let _ = writeln!(told, "{given:?}\n    {error}");
    }
    insta::assert_snapshot!(told);
}

#[test]
fn a_tools_own_words_tell_why_it_failed() {
    let plan = planned(&vsadd(), &[SDSOC, ("skipexec", "1")]).expect("a plan");
    let Step::Run(run) = &plan.stages[0].steps[0] else {
        panic!("{plan:?}");
    };
    let kind = |line: &str| {
        let fits = |pattern: &String| regex::Regex::new(pattern).expect("it is one").is_match(line);
        let mut rules = run.failures.iter();
        let rule = rules.find(|rule| rule.line.as_ref().is_some_and(fits));
        rule.map(|rule| rule.kind)
    };
    for (line, expected) in [
        (
            "ERROR: [Common 17-345] A valid license was not found for feature 'Synthesis' and/or device 'xcvu9p'.",
            Some(CauseKind::Licence),
        ),
        (
            "ERROR: [Common 17-348] Failed to get the license for feature 'Implementation'",
            Some(CauseKind::Licence),
        ),
        (
            "ERROR: [DRC UTLZ-1] Resource utilization: BRAM over-utilized in Top Level Design",
            Some(CauseKind::DoesNotFit),
        ),
        (
            "ERROR: [Place 30-640] Place Check : This design requires more RAMB18 cells than are available",
            Some(CauseKind::DoesNotFit),
        ),
        (
            "terminate called after throwing an instance of 'std::bad_alloc'",
            Some(CauseKind::OutOfMemory),
        ),
        (
            "ERROR: Design failed to meet timing.",
            Some(CauseKind::TimingNotMet),
        ),
        ("vsadd.cpp:3:1: error: expected ';'", Some(CauseKind::SourceError)),
        (
            "make: *** No rule to make target 'x.cpp', needed by 'exe'.  Stop.",
            Some(CauseKind::SourceError),
        ),
        ("INFO: [Timing 38-35] Done setting XDC timing constraints.", None),
        ("WARNING: 0 errors", None),
    ] {
        assert_eq!(kind(line), expected, "{line}");
    }
}
