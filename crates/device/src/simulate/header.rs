//! Rewrites the header of icebox_vlog's output. It declares each port twice, in the module's header and in the body
//! (`module top (output led_0); … reg led_0 = 0;`): Icarus takes that, Verilator refuses it. The old form of header
//! (`module top (led_0); output led_0;`) allows it, and initial values stay as they are.
use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Pcf, SimulateError, gates::body_as_gates, pcf::is_identifier};

/// Logic that was read back from a bitstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Netlist {
    pub module: String,
    /// Sorted by name: icebox_vlog's order differs between runs.
    pub ports: Vec<Port>,
    /// Verilog that Verilator 5 and Icarus 11 take.
    pub verilog: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Port {
    pub name: String,
    pub direction: Direction,
    /// The bitstream uses this pin. An output that never changes from 0 leaves no trace either.
    pub used: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    Input,
    Output,
    Inout,
}

impl Direction {
    pub fn word(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Output => "output",
            Self::Inout => "inout",
        }
    }
}

impl Netlist {
    /// Reads the output of `icebox_vlog -s`, refuses what it does not understand, and refuses logic that hangs on
    /// a block that was lost on the way.
    pub fn parse(icebox_vlog: &str) -> Result<Self, SimulateError> {
        let wrong = |problem: &str| SimulateError::Netlist {
            problem: problem.to_owned(),
        };
        let start = icebox_vlog
            .match_indices("module ")
            .map(|(at, _)| at)
            .find(|at| *at == 0 || icebox_vlog.as_bytes()[at - 1] == b'\n')
            .ok_or_else(|| wrong("there is no module"))?;
        let text = &icebox_vlog[start + "module ".len()..];
        let (head, body) = text
            .split_once(");")
            .ok_or_else(|| wrong("the module's header has no end"))?;
        let (module, list) = head
            .split_once('(')
            .ok_or_else(|| wrong("the module has no ports"))?;
        let module = module.trim();
        if !is_identifier(module) {
            return Err(wrong("the module has no plain name"));
        }
        let unused = unmatched_ports(body);
        let mut ports = Vec::new();
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            ports.push(parse_port(item, &unused)?);
        }
        ports.sort();
        refuse_lost_drivers(&ports, body)?;
        let names: Vec<_> = ports.iter().map(|port| port.name.as_str()).collect();
        let mut verilog = format!("module {module} ({});\n", names.join(", "));
        for port in &ports {
            let _ = writeln!(verilog, "{} {};", port.direction.word(), port.name);
        }
        verilog.push_str(&body_as_gates(body));
        Ok(Self {
            module: module.to_owned(),
            ports,
            verilog,
        })
    }

    pub fn port(&self, name: &str) -> Option<&Port> {
        self.ports.iter().find(|port| port.name == name)
    }

    /// A module `top` around this one that has the user's ports, vectors included, so that the testbench of the
    /// sources fits. The netlist must come from [`Pcf::numbered`].
    ///
    /// A vector has one direction: output if any bit of it is. Its bits that left no trace are then 0, as on a board.
    pub fn with_users_ports(&self, top: &str, pcf: &Pcf) -> Result<String, SimulateError> {
        if !is_identifier(top) || top == self.module {
            return Err(SimulateError::ModuleName { name: top.to_owned() });
        }
        let mut names: Vec<&str> = Vec::new();
        for port in &pcf.ports {
            if !names.contains(&port.name.as_str()) {
                names.push(&port.name);
            }
        }
        // Escaped, so that a name that is a word of Verilog is a name all the same.
        let list: Vec<_> = names.iter().map(|name| format!("\\{name} ")).collect();
        let mut wrapper = format!("\nmodule \\{top} ({});\n", list.join(", "));
        let mut connections = Vec::new();
        for name in &names {
            self.declare(name, pcf, &mut wrapper, &mut connections)?;
        }
        let _ = writeln!(
            wrapper,
            "{} bitstream (\n  {}\n);\nendmodule",
            self.module,
            connections.join(",\n  ")
        );
        Ok(format!("{}{wrapper}", self.verilog))
    }

    /// Writes the declaration of one port of the user's, and the connections of its bits.
    fn declare(
        &self,
        name: &str,
        pcf: &Pcf,
        wrapper: &mut String,
        connections: &mut Vec<String>,
    ) -> Result<(), SimulateError> {
        let mut bits = Vec::new();
        for (number, placed) in pcf
            .ports
            .iter()
            .enumerate()
            .filter(|(_, placed)| placed.name == name)
        {
            let inner = format!("port_{number}");
            let port = self.port(&inner).ok_or_else(|| SimulateError::Netlist {
                problem: format!("the port {} is missing", placed.text()),
            })?;
            bits.push((placed.index, port));
        }
        let directions = || {
            bits.iter()
                .filter(|(_, port)| port.used)
                .map(|(_, port)| port.direction)
        };
        let direction = if directions().any(|one| one == Direction::Inout) {
            Direction::Inout
        } else if directions().any(|one| one == Direction::Output) {
            Direction::Output
        } else {
            Direction::Input
        };
        let range = match bits.iter().filter_map(|(index, _)| *index).max() {
            None => String::new(),
            Some(highest) => format!("[{highest}:0] "),
        };
        let _ = writeln!(wrapper, "{} {range}\\{name} ;", direction.word());
        for (index, port) in bits {
            let outer = match index {
                None => format!("\\{name} "),
                Some(index) => format!("\\{name} [{index}]"),
            };
            if port.used {
                connections.push(format!(".{}({outer})", port.name));
            } else if direction == Direction::Output {
                let _ = writeln!(wrapper, "assign {outer} = 1'b0;");
            }
        }
        Ok(())
    }
}

fn parse_port(item: &str, unused: &BTreeSet<&str>) -> Result<Port, SimulateError> {
    let wrong = || SimulateError::Netlist {
        problem: format!("{item:?} is not a port"),
    };
    let (direction, name) = item.split_once(' ').ok_or_else(wrong)?;
    let direction = match direction {
        "input" => Direction::Input,
        "output" => Direction::Output,
        "inout" => Direction::Inout,
        _ => return Err(wrong()),
    };
    let name = name.trim();
    if !is_identifier(name) {
        return Err(wrong());
    }
    Ok(Port {
        name: name.to_owned(),
        direction,
        used: !unused.contains(name),
    })
}

/// icebox_vlog ends with a warning for each placed port that the bitstream has no trace of.
fn unmatched_ports(body: &str) -> BTreeSet<&str> {
    body.lines()
        .filter_map(|line| line.strip_prefix("// Warning: unmatched port '"))
        .map(|rest| rest.trim_end_matches('\'').trim())
        .collect()
}

/// A net that is read and that nothing drives was driven by a block that icebox_vlog does not know.
fn refuse_lost_drivers(ports: &[Port], body: &str) -> Result<(), SimulateError> {
    let mut driven: BTreeSet<&str> = ports
        .iter()
        .filter(|port| port.direction != Direction::Output)
        .map(|port| port.name.as_str())
        .collect();
    let mut read = BTreeSet::new();
    for line in body.lines() {
        let line = strip_comment(line.trim());
        if let Some(names) = line.strip_prefix("reg ") {
            driven.extend(
                names
                    .split([',', ';'])
                    .filter_map(|one| one.split('=').next())
                    .map(str::trim),
            );
        } else if let Some((target, value)) =
            line.strip_prefix("assign ").and_then(|rest| rest.split_once('='))
        {
            driven.insert(target.trim());
            read.extend(nets(value));
        } else if let Some(pins) = line.strip_prefix(".RDATA(") {
            driven.extend(nets(pins));
        } else if line.starts_with("always") || line.starts_with('.') {
            read.extend(nets(line));
        }
    }
    let lost = read.difference(&driven).count();
    if lost == 0 {
        return Ok(());
    }
    let sentence = format!(
        "{lost} of its signals come from a block that cannot be read back from a bitstream: use logic instead, or run it on a board."
    );
    Err(SimulateError::Limits {
        sentences: vec![sentence],
    })
}

/// icebox_vlog names nets that are not ports `n1`, `n2`, …
fn nets(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '\''))
        .filter(|word| {
            word.strip_prefix('n')
                .is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        })
}

fn strip_comment(line: &str) -> &str {
    let line = line
        .strip_prefix("/*")
        .and_then(|rest| rest.split_once("*/"))
        .map_or(line, |(_, rest)| rest);
    line.split("//").next().unwrap_or("").trim()
}
