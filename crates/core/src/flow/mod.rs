//! Toolchains: each has one file and one pure function from a job's options and design to its plan.

mod afi;
mod card;
mod f1;
mod f2;
mod folder;
mod make;
pub mod open;
mod prefix;
mod sdsoc;
mod vendor;
mod vitis;

pub use vendor::INHERITED as VENDOR_VARIABLES;

use crate::design::Design;
use crate::label::Label;
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A toolchain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Flow {
    /// yosys, nextpnr and the open bitstream tools.
    #[default]
    Open,
    /// SDAccel on Amazon's F1.
    F1,
    /// The hardware development kit on Amazon's F2.
    F2,
    /// SDSoC on Zynq.
    Sdsoc,
    /// Vitis on Alveo.
    Vitis,
}

impl Flow {
    pub const ALL: [Flow; 5] = [Self::Open, Self::F1, Self::F2, Self::Sdsoc, Self::Vitis];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::F1 => "f1",
            Self::F2 => "f2",
            Self::Sdsoc => "sdsoc",
            Self::Vitis => "vitis",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.as_str() == text)
    }

    /// What the operator's `TOOLCHAIN` means: without it `open`; like the original, SDSoC for every
    /// text that names no other.
    pub fn of_setting(toolchain: Option<&str>) -> Self {
        toolchain.map_or(Self::Open, |text| Self::parse(text).unwrap_or(Self::Sdsoc))
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The options of a job as they were handed in: name → text.
pub type JobOptions = BTreeMap<String, String>;

/// What the operator has decided for all jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowSettings {
    /// Of jobs that name none (`TOOLCHAIN`).
    pub toolchain: Flow,
    /// What is put before each command of a tool (`HLS_COMMAND_PREFIX`).
    pub command_prefix: Vec<String>,
    /// The variables of a Makefile that its dry run is asked for, whatever their case
    /// (`MAKE_CONF_VARS`); without any there is no dry run.
    pub make_conf_vars: Vec<String>,
    /// Of SDSoC jobs that name none (`DEFAULT_PLATFORM`).
    pub default_platform: String,
    /// Of F1 jobs that name none (`DEFAULT_F1_MODE`).
    pub default_f1_mode: String,
    /// Of Vitis jobs that name none (`DEFAULT_VITIS_PLATFORM`).
    pub default_vitis_platform: String,
    /// Where images are made: the bucket and its folders (`S3_BUCKET`, `S3_DCP`, `S3_LOG`).
    pub s3_bucket: Option<String>,
    pub s3_dcp: String,
    pub s3_log: String,
    /// From one question after an image to the next, in seconds (`AFI_CHECK_INTERVAL`).
    pub afi_check_interval_s: u64,
    /// How long an image is waited for, in seconds (`AFI_TIMEOUT`).
    pub afi_time_limit_s: u64,
    /// The scripts that set up the tools, as paths on workers in which `$NAME` is a variable of theirs.
    pub f1_setup: String,
    pub f2_setup: String,
    pub f2_sdk_setup: String,
    pub vitis_setup: Vec<String>,
    pub xrt_setup: String,
    /// For the compilation of one source by a vendor's tool, in seconds (`COMPILE_TIMEOUT`).
    pub compile_time_limit_s: u64,
    /// For a whole make stage, in seconds (`SYNTHESIS_TIMEOUT`).
    pub make_time_limit_s: u64,
    /// For a whole run stage, in seconds.
    pub run_time_limit_s: u64,
    /// The program that a design's own Makefile builds (`EXECUTABLE_NAME`).
    pub executable_name: String,
}

impl Default for FlowSettings {
    fn default() -> Self {
        let names = [
            "device",
            "platform",
            "estimate",
            "target",
            "directives",
            "target_freq",
        ];
        Self {
            toolchain: Flow::Open,
            command_prefix: Vec::new(),
            make_conf_vars: names.map(str::to_owned).to_vec(),
            default_platform: "zed".into(),
            default_f1_mode: "sw_emu".into(),
            default_vitis_platform: "xilinx_u250_gen3x16_xdma_4_1_202210_1".into(),
            s3_bucket: None,
            s3_dcp: "DCPs".into(),
            s3_log: "SDAccel_log".into(),
            afi_check_interval_s: 300,
            afi_time_limit_s: 21_600,
            f1_setup: "$AWS_FPGA_REPO_DIR/sdaccel_setup.sh".into(),
            f2_setup: "$AWS_FPGA_REPO_DIR/hdk_setup.sh".into(),
            f2_sdk_setup: "$AWS_FPGA_REPO_DIR/sdk_setup.sh".into(),
            vitis_setup: Vec::new(),
            xrt_setup: "/opt/xilinx/xrt/setup.sh".into(),
            compile_time_limit_s: 120,
            make_time_limit_s: 20_000,
            run_time_limit_s: 9_000,
            executable_name: "exe".into(),
        }
    }
}

/// Why no plan can be made of a job: what the user asked for and cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    #[error("there is no option `{name}`; the options are {}", known.join(", "))]
    UnknownOption { name: String, known: Vec<&'static str> },
    #[error("option `{name}` cannot be `{value}`: {expected}")]
    BadValue {
        name: String,
        value: String,
        expected: String,
    },
    #[error(
        "option `{name}` names `{path}`, but the design has no such file{}",
        hint(candidates)
    )]
    NotInDesign {
        name: &'static str,
        path: String,
        candidates: Vec<String>,
    },
    #[error("the design has no {what}: {remedy}")]
    Missing { what: String, remedy: String },
    #[error("the design has several {what} ({}): choose one with the option `{option}`", candidates.join(", "))]
    Ambiguous {
        what: String,
        candidates: Vec<String>,
        option: &'static str,
    },
    #[error("`{unit}` is defined in {}: leave out all but one, or put the one to use beside its user", files.join(" and in "))]
    DefinedTwice { unit: String, files: Vec<String> },
    #[error(
        "the file `{path}` cannot be named to a tool, since its name {why}: rename it with letters, digits and `_ . - + = ,`"
    )]
    UnsafeName { path: String, why: String },
    #[error("{what} cannot be had with {with}: {remedy}")]
    Contradiction {
        what: String,
        with: String,
        remedy: String,
    },
}

/// The plan of a job. An unknown `toolchain` is an error of the option of that name.
pub fn plan(options: &JobOptions, design: &Design, settings: &FlowSettings) -> Result<Plan, PlanError> {
    let plan = match toolchain(options, settings)? {
        Flow::Open => open::plan(options, design, settings)?,
        Flow::F1 => vendor::plan(options, design, settings, &[], f1::plan)?,
        Flow::Sdsoc => vendor::plan(options, design, settings, &[], sdsoc::plan)?,
        Flow::F2 => vendor::plan(
            options,
            design,
            settings,
            &f2::OPTIONS,
            |read, design, settings| f2::plan(options, read, design, settings),
        )?,
        Flow::Vitis => vendor::plan(options, design, settings, &[], vitis::plan)?,
    };
    Ok(prefix::put(plan, settings))
}

/// Whether tools that workers offer now can do a plan's work, as far as their versions tell.
pub fn check_offered(plan: &Plan, labels: &[Label]) -> Result<(), PlanError> {
    vitis::check_offered(plan, labels)
}

fn toolchain(options: &JobOptions, settings: &FlowSettings) -> Result<Flow, PlanError> {
    match options.get("toolchain").map(String::as_str) {
        None | Some("") => Ok(settings.toolchain),
        Some(text) => Flow::parse(text).ok_or_else(|| PlanError::BadValue {
            name: "toolchain".into(),
            value: text.chars().take(80).collect(),
            expected: format!(
                "the toolchains are {}",
                Flow::ALL.map(|flow| format!("`{flow}`")).join(", ")
            ),
        }),
    }
}

/// Whether an option that is given as `value` is on: the original's rule, by which only the empty
/// text and `0` are off.
pub fn is_on(options: &JobOptions, name: &str) -> bool {
    options
        .get(name)
        .is_some_and(|value| !value.is_empty() && value != "0")
}

fn hint(candidates: &[String]) -> String {
    if candidates.is_empty() {
        String::new()
    } else {
        format!("; it has {}", candidates.join(", "))
    }
}
