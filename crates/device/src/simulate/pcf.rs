//! Reads the constraints of nextpnr-ice40 (`.pcf`): which port is on which pin.
//!
//! A name in it is the user's text. Only identifiers, with one index at most, come through, so that nothing of it
//! can become Verilog or C++ further on.
use std::fmt::Write as _;

use super::SimulateError;

/// Ports and pins, in the order of the file; each port once, each pin once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pcf {
    pub ports: Vec<PlacedPort>,
}

/// `led[3]` on pin `A1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedPort {
    pub name: String,
    pub index: Option<u16>,
    pub pin: String,
}

impl Pcf {
    /// Reads `set_io [options] PORT PIN`, `set_frequency …`, comments (`#`) and empty lines. The last `set_io` of a
    /// port counts, as it does for nextpnr; two ports on one pin are an error.
    pub fn parse(text: &str) -> Result<Self, SimulateError> {
        let mut placed: Vec<(usize, PlacedPort)> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let problem = |problem| SimulateError::Pcf {
                line: index + 1,
                problem,
            };
            let Some(port) = parse_line(line).map_err(problem)? else {
                continue;
            };
            placed.retain(|(_, old)| (&old.name, old.index) != (&port.name, port.index));
            placed.push((index + 1, port));
        }
        for (index, (line, port)) in placed.iter().enumerate() {
            check_against(&placed[..index], port)
                .map_err(|problem| SimulateError::Pcf { line: *line, problem })?;
        }
        Ok(Self {
            ports: placed.into_iter().map(|(_, port)| port).collect(),
        })
    }

    /// The pin of a port written as in the file: `clk` or `led[3]`.
    pub fn pin(&self, port: &str) -> Option<&str> {
        self.ports
            .iter()
            .find(|placed| placed.text() == port)
            .map(|placed| placed.pin.as_str())
    }

    /// The port on a pin.
    pub fn port(&self, pin: &str) -> Option<&PlacedPort> {
        self.ports.iter().find(|placed| placed.pin == pin)
    }

    /// The same placement under names of ours, `port_0` for the first port and so on: icebox_vlog knows no options
    /// and would take a user's name for one of its own nets.
    pub fn numbered(&self) -> String {
        let mut text = String::new();
        for (index, port) in self.ports.iter().enumerate() {
            let _ = writeln!(text, "set_io port_{index} {}", port.pin);
        }
        text
    }
}

impl PlacedPort {
    /// As written in the file.
    pub fn text(&self) -> String {
        match self.index {
            None => self.name.clone(),
            Some(index) => format!("{}[{index}]", self.name),
        }
    }
}

/// One pin carries one port, and a port is either a vector or not.
fn check_against(earlier: &[(usize, PlacedPort)], port: &PlacedPort) -> Result<(), String> {
    for (line, other) in earlier {
        if other.pin == port.pin {
            return Err(format!(
                "{} is put on pin {}, where line {line} has put {}; give each port a pin of its own",
                port.text(),
                port.pin,
                other.text()
            ));
        }
        if other.name == port.name && other.index.is_some() != port.index.is_some() {
            return Err(format!(
                "{} is {} in line {line}; a port either has an index everywhere or nowhere",
                port.text(),
                other.text()
            ));
        }
    }
    Ok(())
}

fn parse_line(line: &str) -> Result<Option<PlacedPort>, String> {
    let mut words = line.split('#').next().unwrap_or("").split_whitespace();
    match words.next() {
        None | Some("set_frequency") => return Ok(None),
        Some("set_io") => {}
        Some(other) => {
            return Err(format!(
                "{other:?} is not a command; there are set_io and set_frequency"
            ));
        }
    }
    let mut places = Vec::new();
    while let Some(word) = words.next() {
        match word {
            "-nowarn" | "--warn-no-port" => {}
            "-pullup" | "-pullup_resistor" => {
                words.next().ok_or_else(|| format!("{word} needs a value"))?;
            }
            _ if word.starts_with('-') => return Err(format!("set_io has no option {word:?}")),
            _ => places.push(word),
        }
    }
    let [port, pin] = places[..] else {
        return Err(format!(
            "set_io needs a port and a pin, it has {} words",
            places.len()
        ));
    };
    let (name, index) = parse_port(port)?;
    if pin.len() > 8 || !pin.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(format!("{pin:?} is not a pin; pins are written as 21 or B10"));
    }
    Ok(Some(PlacedPort {
        name,
        index,
        pin: pin.to_owned(),
    }))
}

fn parse_port(text: &str) -> Result<(String, Option<u16>), String> {
    let wrong = || {
        format!(
            "{text:?} is not a name that can be used for a port; use letters, digits and _, and one index at most, as in led[3]"
        )
    };
    let (name, index) = match text.split_once('[') {
        None => (text, None),
        Some((name, rest)) => {
            let digits = rest.strip_suffix(']').ok_or_else(wrong)?;
            if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(wrong());
            }
            (name, Some(digits.parse().map_err(|_| wrong())?))
        }
    };
    if is_identifier(name) {
        Ok((name.to_owned(), index))
    } else {
        Err(wrong())
    }
}

/// A Verilog identifier in its plain form, of a length that every tool takes.
pub fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    name.len() <= 200
        && bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
