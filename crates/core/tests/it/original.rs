//! The original's options and settings: taken as it took them, whatever the flow makes of them.

use crate::design::{design, options};
use polyphemus_core::design::Design;
use polyphemus_core::flow::{Flow, FlowSettings, PlanError, plan};
use polyphemus_core::plan::{Plan, Step};

const MAKEFILE: &str = "exe: main.cpp\n\tg++ -o $(TARGET) main.cpp\n";

fn project() -> Design {
    design(&[("Makefile", MAKEFILE), ("main.cpp", "int main() {}")])
}

fn programs(plan: &Plan) -> Vec<String> {
    let steps = plan.stages.iter().flat_map(|stage| &stage.steps);
    let runs = steps.filter_map(|step| match step {
        Step::Run(run) => Some(run.argv.join(" ")),
        _ => None,
    });
    runs.collect()
}

#[test]
fn every_option_of_the_original_is_taken_for_a_makefile_project() {
    let given = options(&[
        ("make", "1"),
        ("skipexec", "true"),
        ("hwname", "a name"),
        ("estimate", "false"), // The original: only the empty text and `0` are off.
        ("directives", "d.tcl"),
        ("platform", "zc706"),
        ("mode", "hw_emu"),
    ]);
    let plan = plan(&given, &project(), &FlowSettings::default()).unwrap();
    assert_eq!(
        programs(&plan),
        ["make MODE=estimate ESTIMATE=1 TARGET=exe PLATFORM=zc706 DIRECTIVES=d.tcl"]
    );
    assert_eq!(
        plan.notes,
        ["option `mode` (`hw_emu`) has no use beside `estimate=1`, which goes before it: nothing is run"]
    );
}

#[test]
fn options_that_are_empty_or_zero_are_off() {
    let given = options(&[
        ("make", "1"),
        ("skipexec", "0"),
        ("hwname", ""),
        ("estimate", ""),
        ("directives", ""),
        ("platform", ""),
        ("mode", ""),
    ]);
    let plan = plan(&given, &project(), &FlowSettings::default()).unwrap();
    assert_eq!(
        programs(&plan),
        ["make MODE=sw_emu ESTIMATE=0 TARGET=exe", "./exe"]
    );
}

#[test]
fn the_prefix_stands_before_tools_and_not_before_what_the_job_has_built() {
    let settings = FlowSettings {
        command_prefix: vec!["onxilinx.sh".into(), "-v".into()],
        ..FlowSettings::default()
    };
    let made = plan(&options(&[]), &project(), &settings).unwrap();
    assert_eq!(
        programs(&made),
        ["onxilinx.sh -v make MODE=sw_emu ESTIMATE=0 TARGET=exe", "./exe"]
    );
    let plain = plan(&options(&[]), &project(), &FlowSettings::default()).unwrap();
    assert_eq!(
        made.stages[0].needs, plain.stages[0].needs,
        "a prefix needs no label"
    );

    let verilog = design(&[
        ("top.v", "module top(input clk, output led); endmodule"),
        ("top_tb.v", "module top_tb; top dut(); initial $finish; endmodule"),
    ]);
    let built_in = plan(&options(&[("mode", "sw_emu")]), &verilog, &settings).unwrap();
    let programs = programs(&built_in);
    assert_eq!(programs[0], "mkdir -p build");
    assert!(
        programs[1].starts_with("onxilinx.sh -v iverilog "),
        "{programs:?}"
    );
    assert!(programs[2].starts_with("onxilinx.sh -v vvp "), "{programs:?}");
}

#[test]
fn without_variables_to_look_for_there_is_no_dry_run() {
    let dry_run = |settings: &FlowSettings| {
        let makefile = format!("TARGET_FREQ = 300\n{MAKEFILE}");
        let project = design(&[("Makefile", &makefile), ("main.cpp", "int main() {}")]);
        let plan = plan(&options(&[]), &project, settings).unwrap();
        match &plan.stages[0].steps[0] {
            Step::Run(run) => run.dry_run.clone(),
            other => panic!("{other:?}"),
        }
    };
    let by_default = dry_run(&FlowSettings::default()).unwrap();
    assert_eq!(by_default.arguments, ["--dry-run", "--print-data-base"]);
    assert_eq!(by_default.time_limit_s, 60);
    let none = FlowSettings {
        make_conf_vars: Vec::new(),
        ..FlowSettings::default()
    };
    assert_eq!(dry_run(&none), None);
}

#[test]
fn the_toolchain_of_the_settings_holds_where_a_job_names_none() {
    let settings = |text| FlowSettings {
        toolchain: Flow::of_setting(text),
        ..FlowSettings::default()
    };
    assert_eq!(settings(None).toolchain, Flow::Open);
    assert_eq!(settings(Some("vivado")).toolchain, Flow::Sdsoc);
    let f2 = settings(Some("f2"));
    let refused = plan(&options(&[]), &project(), &f2);
    assert!(
        matches!(refused, Err(PlanError::Contradiction { .. })),
        "{refused:?}"
    );
    let chosen = plan(&options(&[("toolchain", "open")]), &project(), &f2);
    assert_eq!(chosen.expect("a plan").flow, Flow::Open);
}
