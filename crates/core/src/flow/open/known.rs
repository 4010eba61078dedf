//! What is known of a design before any step is written down, and what follows from it.

use super::cell;
use super::constraint::{self, Constraints};
use super::decision::Decisions;
use super::file;
use super::host::{self, Host};
use super::option::{Mode, Options, shown};
use super::part::{self, Family, Part, Signs};
use super::source::{Library, Reached};
use super::testbench::{self, Found, Testbench};
use super::top::{self, Top};
use crate::design::Design;
use crate::flow::PlanError;

/// What is known of the design before any step is written down.
pub(super) struct Known<'a> {
    pub(super) options: &'a Options,
    pub(super) top: Top<'a>,
    pub(super) sources: Reached<'a>,
    pub(super) testbench: Found<'a>,
    pub(super) host: Result<Option<Host>, PlanError>,
    pub(super) constraints: Result<Option<Constraints>, PlanError>,
    pub(super) part: Part,
}

impl<'a> Known<'a> {
    pub(super) fn find(
        options: &'a Options,
        design: &Design,
        library: &Library<'a>,
    ) -> Result<Self, PlanError> {
        let has = |family| {
            design
                .paths()
                .any(|path| path.ends_with(constraint::ending(family)))
        };
        let family = part::family(options, has(Family::Ecp5) && !has(Family::Ice40))?;
        let testbenches = testbench::files(options, library)?;
        let placed = constraint::all(design, family);
        let top = top::choose(options.top.as_deref(), library, &testbenches, &placed)?;
        let sources = library.reach(top.path, &top.name, None)?;
        check_names(&sources)?;
        check_encoding(design, &sources)?;
        let constraints = constraint::choose(options, design, family, &top.name, &top.ports);
        let pins = constraints
            .as_ref()
            .ok()
            .and_then(|found| found.as_ref()?.pins.as_ref());
        let signs = Signs {
            pins,
            ultra_plus_cells: cell::any_ultra_plus(&sources),
            family,
        };
        let part = part::choose(options, signs)?;
        let host = match host::choose(options, design) {
            // What the user named must be there; what is only found may go unused.
            Err(error) if options.host.is_some() => return Err(error),
            host => host,
        };
        let testbench = testbench::choose(options, library, &testbenches, &top)?;
        if let Found::One(testbench) = &testbench {
            check_encoding(design, &testbench.reached)?;
        }
        Ok(Self {
            options,
            testbench,
            host,
            sources,
            top,
            constraints,
            part,
        })
    }

    /// The mode: as given; else by what the design brings to judge it with.
    pub(super) fn mode(&self, library: &Library<'a>, decisions: &mut Decisions) -> Result<Mode, PlanError> {
        if let Some(mode) = self.options.mode {
            return Ok(mode);
        }
        let (mode, why) = match (&self.testbench, &self.host) {
            (Found::Unclear(error), _) => return Err(error.clone()),
            (Found::One(testbench), _) => match self.obstacle(testbench, library) {
                None => (Mode::HwEmu, "there is a testbench"),
                Some(obstacle) => {
                    decisions.note(obstacle.to_string());
                    (
                        Mode::SwEmu,
                        "there is a testbench, but its bitstream cannot be simulated",
                    )
                }
            },
            (Found::None, Err(error)) => return Err(error.clone()),
            (Found::None, Ok(Some(_))) => (Mode::Hw, "there is a host program"),
            (Found::None, Ok(None)) => (Mode::Hw, "there is neither a testbench nor a host program"),
        };
        decisions.take("mode", mode.as_str(), why);
        Ok(mode)
    }

    /// Why the bitstream cannot be simulated with this testbench.
    pub(super) fn obstacle(&self, testbench: &Testbench<'a>, library: &Library<'a>) -> Option<PlanError> {
        let refuse = |with: String, remedy: &str| {
            Some(PlanError::Contradiction {
                what: "mode `hw_emu`".into(),
                with,
                remedy: remedy.into(),
            })
        };
        if self.part.family() == Family::Ecp5 {
            return refuse(
                "the family ecp5".into(),
                "no tool turns an ECP5 bitstream back into logic; choose mode `sw_emu`, or `hw` with a real board",
            );
        }
        if let Some(lost) = cell::lost(&self.sources) {
            return Some(lost.refusal());
        }
        let unit = library.unit(testbench.path, &testbench.module)?;
        if unit.with_parameters.contains(&self.top.name) {
            return refuse(
                format!("{}, which gives `{}` parameters", testbench.path, self.top.name),
                "a bitstream has no parameters any more: set their defaults in the design, or choose mode `sw_emu`",
            );
        }
        let others = library
            .reach(testbench.path, &testbench.module, Some(&self.top.name))
            .ok()?;
        if others.files.contains(&self.top.path) {
            return refuse(
                format!(
                    "{}, which holds `{}` and what the testbench uses",
                    self.top.path, self.top.name
                ),
                "the bitstream's logic takes the place of that file: put the two into files of their own",
            );
        }
        None
    }

    pub(super) fn constraints(
        &self,
        mode: Mode,
        decisions: &mut Decisions,
    ) -> Result<Option<&str>, PlanError> {
        let found = self.constraints.as_ref().map_err(Clone::clone)?;
        let ending = constraint::ending(self.part.family());
        match found {
            Some(constraints) => {
                file::check_name(&constraints.path)?;
                if self.options.pcf.is_none() {
                    decisions.take("pcf", &constraints.path, "found in the design");
                }
                Ok(Some(&constraints.path))
            }
            None if mode == Mode::Estimate => {
                decisions.note(format!(
                    "the design has no {ending} file, so the pins were chosen by nextpnr: the numbers are an estimate \
                     for any board"
                ));
                Ok(None)
            }
            None => Err(PlanError::Missing {
                what: format!("constraints file ({ending})"),
                remedy: format!(
                    "a bitstream for a board needs one that gives each port of `{}` its pin; the modes `estimate` \
                     and `sw_emu` do without",
                    self.top.name
                ),
            }),
        }
    }

    pub(super) fn testbench(
        &self,
        mode: Mode,
        decisions: &mut Decisions,
    ) -> Result<&Testbench<'a>, PlanError> {
        match &self.testbench {
            Found::One(testbench) => {
                check_names(&testbench.reached)?;
                if !testbench.named {
                    decisions.take("testbench", testbench.path, "by its name");
                }
                if !testbench
                    .reached
                    .calls_any_of(&["$finish", "$stop", "$fatal", "$exit"])
                {
                    decisions.note(format!(
                        "{} never calls `$finish`: if its clock does not stop by itself, the simulation runs until \
                         the job's time limit, and then has failed",
                        testbench.path
                    ));
                }
                Ok(testbench)
            }
            Found::Unclear(error) => Err(error.clone()),
            Found::None => Err(PlanError::Missing {
                what: format!("testbench that has an instance of `{}`", self.top.name),
                remedy: format!(
                    "mode `{}` simulates one: hand it in as `{}_tb.v`, or name it with the option `testbench`",
                    mode.as_str(),
                    self.top.name
                ),
            }),
        }
    }

    pub(super) fn tell(&self, decisions: &mut Decisions) {
        if let Some(why) = self.top.why {
            decisions.take("top", &self.top.name, why);
        }
        decisions.take(
            "sources",
            &self.sources.files.join(" "),
            "what the top module uses",
        );
    }

    pub(super) fn tell_part(&self, decisions: &mut Decisions) {
        if let Some(why) = self.part.why_device {
            decisions.take("device", self.part.device.name, why);
        }
        if let Some(why) = self.part.why_package {
            decisions.take("package", self.part.package, why);
        }
        if self.options.allow_timing_violation {
            decisions.note("a clock that is too slow does not fail this job: compare the numbers yourself");
        }
        if self.part.device.name == "up5k" {
            decisions.note(
                "on the UP5K, DSP blocks and SPRAM are used only where the sources name `SB_MAC16` or \
                 `SB_SPRAM256KA`: neither comes back from a bitstream",
            );
        }
    }
}

fn check_names(reached: &Reached<'_>) -> Result<(), PlanError> {
    let files = reached.files.iter().copied();
    let folders = reached.include_folders.iter().map(String::as_str);
    files.chain(folders).try_for_each(file::check_name)
}

/// Icarus Verilog 11 takes a byte-order mark for a part of the first word and then finds no module.
fn check_encoding(design: &Design, reached: &Reached<'_>) -> Result<(), PlanError> {
    let mut files = reached.files.iter().copied();
    match files.find(|path| design.text(path).is_some_and(|text| text.starts_with('\u{feff}'))) {
        None => Ok(()),
        Some(path) => Err(PlanError::Contradiction {
            what: "a build".into(),
            with: format!("a byte-order mark at the beginning of `{}`", shown(path)),
            remedy: "save that file as UTF-8 without one".into(),
        }),
    }
}
