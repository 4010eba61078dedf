//! The options of the open flow: each is taken from the job's texts here, checked, and typed.

use crate::flow::{JobOptions, PlanError, is_on};

/// Every option of the flow, in the order in which users are told of them.
pub(super) const KNOWN: [&str; 19] = [
    "mode",
    "top",
    "family",
    "device",
    "package",
    "pcf",
    "freq",
    "seed",
    "testbench",
    "host",
    "bitstream",
    "make",
    "estimate",
    "skipexec",
    "allow_timing_violation",
    "hwname",
    "toolchain",
    "platform",
    "directives",
];

/// The wish of a design that names no clock, in MHz: the oscillator of most iCE40 boards.
const DEFAULT_FREQ_MHZ: &str = "12";

/// nextpnr reads the seed as a signed 32-bit number and refuses what lies above it.
const MOST_SEED: u32 = i32::MAX as u32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Estimate,
    SwEmu,
    HwEmu,
    Hw,
}

impl Mode {
    const ALL: [Mode; 4] = [Self::Estimate, Self::SwEmu, Self::HwEmu, Self::Hw];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Estimate => "estimate",
            Self::SwEmu => "sw_emu",
            Self::HwEmu => "hw_emu",
            Self::Hw => "hw",
        }
    }
}

/// What the user asked for; `None` where nothing was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) mode: Option<Mode>,
    pub(super) top: Option<String>,
    pub(super) family: Option<String>,
    pub(super) device: Option<String>,
    pub(super) package: Option<String>,
    pub(super) pcf: Option<String>,
    pub(super) freq_mhz: Option<String>,
    pub(super) seed: Option<u32>,
    pub(super) testbench: Option<String>,
    pub(super) host: Option<String>,
    pub(super) bitstream: Option<String>,
    /// Whether to use the design's Makefile.
    pub(super) make: Option<bool>,
    pub(super) skip_run: bool,
    pub(super) allow_timing_violation: bool,
    pub(super) platform: Option<String>,
    pub(super) directives: Option<String>,
    /// The mode that was given beside `estimate=1`, which goes before it.
    pub(super) overruled_mode: Option<String>,
}

impl Options {
    /// Reads and checks every option. Where the design lies in a `folder`, its files may be named as
    /// they are seen from there or from outside.
    pub(super) fn read(given: &JobOptions, folder: Option<&str>) -> Result<Self, PlanError> {
        if let Some(name) = given.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(PlanError::UnknownOption {
                name: shown(name),
                known: KNOWN.to_vec(),
            });
        }
        let text = |name: &str| {
            given
                .get(name)
                .map(String::as_str)
                .filter(|value| !value.is_empty())
        };
        let inside = |value| {
            folder
                .and_then(|folder| strip_folder(value, folder))
                .unwrap_or(value)
        };
        let path = |name: &'static str| text(name).map(|value| path(name, inside(value))).transpose();
        let line = |name: &'static str| text(name).map(|value| line(name, value)).transpose();
        Ok(Self {
            mode: mode(text("mode"), is_on(given, "estimate"))?,
            top: text("top").map(|value| identifier("top", value)).transpose()?,
            family: text("family").map(str::to_ascii_lowercase),
            device: text("device").map(str::to_ascii_lowercase),
            package: text("package").map(str::to_ascii_lowercase),
            pcf: path("pcf")?,
            freq_mhz: text("freq").map(freq).transpose()?,
            seed: text("seed").map(seed).transpose()?,
            testbench: path("testbench")?,
            host: path("host")?,
            bitstream: path("bitstream")?,
            make: text("make").map(|_| is_on(given, "make")),
            skip_run: is_on(given, "skipexec"),
            allow_timing_violation: is_on(given, "allow_timing_violation"),
            platform: line("platform")?,
            directives: line("directives")?,
            overruled_mode: text("mode")
                .filter(|mode| is_on(given, "estimate") && *mode != Mode::Estimate.as_str())
                .map(str::to_owned),
        })
    }

    /// The wish for the clock, and whether it was taken for the user.
    pub(super) fn freq_or_default(&self) -> (&str, bool) {
        match &self.freq_mhz {
            Some(freq) => (freq, false),
            None => (DEFAULT_FREQ_MHZ, true),
        }
    }
}

/// An option's value as a message may repeat it: cut, and with nothing that moves a terminal.
pub(super) fn shown(value: &str) -> String {
    let cut: String = value.chars().take(80).collect();
    cut.escape_debug().to_string()
}

pub(super) fn bad_value(name: &str, value: &str, expected: impl Into<String>) -> PlanError {
    PlanError::BadValue {
        name: name.to_owned(),
        value: shown(value),
        expected: expected.into(),
    }
}

pub(super) fn is_identifier(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.len() <= 128
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// What keeps a path from being named to a program; `None` when nothing does.
///
/// The names go to yosys within a script, where `;` and blanks part commands, a leading `+/` is
/// yosys' own folder and `~/` the home folder; elsewhere a leading `-` is an option.
pub(super) fn unsafe_in_path(path: &str) -> Option<String> {
    if let Some(bad) = path
        .chars()
        .find(|&c| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '+' | '/' | '=' | ',')))
    {
        return Some(format!("has `{}` in it", bad.escape_debug()));
    }
    let first = path.chars().next()?;
    if !(first.is_alphanumeric() || matches!(first, '_' | '.')) {
        return Some(format!("begins with `{first}`"));
    }
    let odd = path.split('/').any(|part| part.is_empty() || part == "..");
    odd.then(|| "is no plain path below the design's folder".to_owned())
}

fn mode(given: Option<&str>, estimate: bool) -> Result<Option<Mode>, PlanError> {
    let mode = match given {
        None => None,
        Some(word) => Some(
            Mode::ALL
                .into_iter()
                .find(|mode| mode.as_str() == word)
                .ok_or_else(|| {
                    bad_value(
                        "mode",
                        word,
                        "the modes are `estimate`, `sw_emu`, `hw_emu` and `hw`",
                    )
                })?,
        ),
    };
    Ok(if estimate { Some(Mode::Estimate) } else { mode })
}

fn identifier(name: &str, value: &str) -> Result<String, PlanError> {
    if is_identifier(value) {
        Ok(value.to_owned())
    } else {
        Err(bad_value(
            name,
            value,
            "a module's name is expected: letters, digits and `_`, not beginning with a digit",
        ))
    }
}

fn path(name: &str, value: &str) -> Result<String, PlanError> {
    let plain = value.strip_prefix("./").unwrap_or(value);
    match unsafe_in_path(plain) {
        None if !plain.is_empty() => Ok(plain.to_owned()),
        None => Err(bad_value(name, value, "a file of the design is expected")),
        Some(why) => Err(bad_value(
            name,
            value,
            format!("a file of the design is expected, but this {why}"),
        )),
    }
}

fn strip_folder<'v>(path: &'v str, folder: &str) -> Option<&'v str> {
    path.strip_prefix("./")
        .unwrap_or(path)
        .strip_prefix(folder)?
        .strip_prefix('/')
}

fn line(name: &str, value: &str) -> Result<String, PlanError> {
    let fits = value.len() <= 1000 && !value.chars().any(char::is_control);
    if fits && !value.starts_with('-') {
        Ok(value.to_owned())
    } else {
        Err(bad_value(
            name,
            value,
            "one line of at most 1000 bytes is expected that does not begin with `-`",
        ))
    }
}

fn freq(value: &str) -> Result<String, PlanError> {
    let plain = value.len() <= 12 && value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let mhz: Option<f64> = if plain { value.parse().ok() } else { None };
    match mhz {
        Some(mhz) if (0.001..=1000.0).contains(&mhz) => Ok(value.to_owned()),
        _ => Err(bad_value(
            "freq",
            value,
            "a number of MHz from 0.001 to 1000 is expected, as `12` or `48.5`",
        )),
    }
}

fn seed(value: &str) -> Result<u32, PlanError> {
    let number = if value.bytes().all(|b| b.is_ascii_digit()) {
        value.parse().ok()
    } else {
        None
    };
    number.filter(|&seed| seed <= MOST_SEED).ok_or_else(|| {
        bad_value(
            "seed",
            value,
            format!("a whole number from 0 to {MOST_SEED} is expected"),
        )
    })
}
