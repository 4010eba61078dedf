//! The original's options, as the vendors' flows take them.

use crate::flow::{JobOptions, PlanError, is_on};
use std::collections::BTreeMap;

/// Every option, in the order in which users are told of them.
const KNOWN: [&str; 9] = [
    "mode",
    "platform",
    "directives",
    "sdsflags",
    "make",
    "estimate",
    "skipexec",
    "hwname",
    "toolchain",
];
const MODES: [&str; 4] = ["sw_emu", "hw_emu", "hw", "estimate"];
const LONGEST: usize = 1000;

/// What the user asked for; empty where nothing was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::flow) struct Options {
    pub(in crate::flow) mode: String,
    pub(in crate::flow) platform: String,
    pub(in crate::flow) directives: String,
    /// Further arguments of `sds++`, split at blanks.
    pub(in crate::flow) sdsflags: Vec<String>,
    /// Whether to use the design's Makefile; `None` where nothing was said.
    pub(in crate::flow) make: Option<bool>,
    pub(in crate::flow) estimate: bool,
    pub(in crate::flow) skip_run: bool,
}

impl Options {
    /// `own` are the options that only this flow has.
    pub(super) fn read(given: &JobOptions, own: &[&'static str]) -> Result<Self, PlanError> {
        let known: Vec<&str> = own.iter().chain(&KNOWN).copied().collect();
        if let Some(name) = given.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(PlanError::UnknownOption {
                name: shown(name),
                known,
            });
        }
        let text = |name: &str| given.get(name).map_or("", String::as_str);
        let mode = text("mode");
        if !mode.is_empty() && !MODES.contains(&mode) {
            let expected = "the modes are `sw_emu`, `hw_emu`, `hw` and `estimate`";
            return Err(bad_value("mode", mode, expected));
        }
        Ok(Self {
            mode: mode.to_owned(),
            platform: line("platform", text("platform"))?.to_owned(),
            directives: line("directives", text("directives"))?.to_owned(),
            sdsflags: words("sdsflags", text("sdsflags"))?,
            make: given
                .get("make")
                .filter(|make| !make.is_empty())
                .map(|_| is_on(given, "make")),
            estimate: is_on(given, "estimate"),
            skip_run: is_on(given, "skipexec"),
        })
    }

    /// Notes on options that were given and that the flow has no use for.
    pub(in crate::flow) fn without_use(&self, names: &[&str], why: &str) -> Vec<String> {
        let flags = self.sdsflags.join(" ");
        let given = BTreeMap::from([
            ("mode", self.mode.as_str()),
            ("platform", &self.platform),
            ("directives", &self.directives),
            ("sdsflags", &flags),
            ("estimate", if self.estimate { "1" } else { "" }),
        ]);
        let unused = names.iter().filter_map(|name| Some((name, given.get(name)?)));
        unused
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("option `{name}` (`{}`) has no use here: {why}", shown(value)))
            .collect()
    }
}

/// A value as a message may repeat it: cut, and with nothing that moves a terminal.
pub(in crate::flow) fn shown(value: &str) -> String {
    let cut: String = value.chars().take(80).collect();
    cut.escape_debug().to_string()
}

fn bad_value(name: &str, value: &str, expected: &str) -> PlanError {
    PlanError::BadValue {
        name: name.to_owned(),
        value: shown(value),
        expected: expected.to_owned(),
    }
}

/// One argument that no program takes for an option.
fn line<'v>(name: &str, value: &'v str) -> Result<&'v str, PlanError> {
    let fits = value.len() <= LONGEST && !value.chars().any(char::is_control) && !value.starts_with('-');
    fits.then_some(value).ok_or_else(|| {
        bad_value(
            name,
            value,
            "one line of at most 1000 bytes is expected that does not begin with `-`",
        )
    })
}

/// Arguments, each of which reaches the tool as it is.
pub(in crate::flow) fn words(name: &str, value: &str) -> Result<Vec<String>, PlanError> {
    let fits = value.len() <= LONGEST && !value.chars().any(|c| c.is_control() || "'\"\\".contains(c));
    if !fits {
        let expected = "one line of at most 1000 bytes without quotes and backslashes is expected";
        return Err(bad_value(name, value, expected));
    }
    Ok(value.split_whitespace().map(str::to_owned).collect())
}
