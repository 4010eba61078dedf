//! The vendors' flows: whole plans, and what is refused.

use crate::design::{design, options, planned};
use polyphemus_core::cause::CauseKind;
use polyphemus_core::design::Design;
use polyphemus_core::flow::{FlowSettings, plan};
use polyphemus_core::plan::Step;
use std::fmt::Write as _;

const SDSOC: (&str, &str) = ("toolchain", "sdsoc");
const F1: (&str, &str) = ("toolchain", "f1");

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
        (with_makefile(), vec![F1, ("make", "0")]),
        (vsadd(), vec![F1]),
        (with_makefile(), vec![("toolchain", "f2")]),
        (with_makefile(), vec![("toolchain", "vitis")]),
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
