//! The options of a job that the form on the list page has fields for; any other goes into its text
//! field. Empty fields are not sent on.

/// A field for one option.
#[derive(Debug, Clone, Copy)]
pub(super) struct OptionField {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) example: &'static str,
}

const fn field(name: &'static str, title: &'static str, example: &'static str) -> OptionField {
    OptionField { name, title, example }
}

/// Options with a text.
pub(super) const TEXTS: [OptionField; 9] = [
    field("top", "Top module", "blinky"),
    field("device", "Device", "hx8k"),
    field("package", "Package", "ct256"),
    field("pcf", "Constraints", "pins.pcf"),
    field("freq", "Clock, MHz", "48"),
    field("seed", "Seed", "1"),
    field("testbench", "Testbench", "tb.v"),
    field("platform", "Platform", ""),
    field("directives", "Directives", "directives.tcl"),
];

/// Options that are on or off.
pub(super) const SWITCHES: [OptionField; 3] = [
    field("make", "Build with the design's Makefile", ""),
    field("estimate", "Estimate only", ""),
    field("skipexec", "Do not run what was built", ""),
];
