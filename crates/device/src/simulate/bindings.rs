//! Writes the C++ header that ties the board's clock, UART and LEDs to the ports of the verilated netlist. It holds
//! words of [`super::Board`] only, nothing of the user's.
use std::fmt::Write as _;

use super::header::{Direction, Netlist};
use super::{Board, SimulateError};

/// The module that is made of the bitstream; Verilator's class is `V` and this.
pub const MODULE: &str = "bitstream";

/// The text of `bindings.h`, for a netlist that was made with [`Board::pcf`].
pub fn bindings(board: &Board, netlist: &Netlist) -> Result<String, SimulateError> {
    let pins = Pins { netlist };
    let mut text = String::from("// Made for one bitstream; do not edit.\n#include \"Vbitstream.h\"\n");
    let _ = writeln!(text, "constexpr const char *BOARD = \"{}\";", board.name);
    let _ = writeln!(text, "constexpr double CLOCK_HZ = {}.0;", board.clock_hz);
    let notes = notes(board, &pins)?;
    let _ = writeln!(text, "constexpr int NOTE_COUNT = {};", notes.len());
    let _ = writeln!(text, "constexpr const char *NOTES[] = {{{}}};", quoted(&notes));
    let _ = writeln!(text, "constexpr int LED_COUNT = {};", board.led_pins.len());
    let _ = writeln!(
        text,
        "constexpr const char *LEDS[] = {{{}}};",
        quoted(board.led_pins)
    );
    let _ = writeln!(
        text,
        "inline void set_clock(Vbitstream &top, int level) {{ {} }}",
        pins.set("clk", "level")?
    );
    let _ = writeln!(
        text,
        "inline void set_rx(Vbitstream &top, int level) {{ {} }}",
        pins.set("uart_rx", "level")?
    );
    let _ = writeln!(
        text,
        "inline int get_tx(Vbitstream &top) {{ return {}; }}",
        pins.get("uart_tx", "1")?
    );
    let mut leds = String::from("0u");
    for index in 0..board.led_pins.len() {
        let _ = write!(
            leds,
            " | unsigned({}) << {index}",
            pins.get(&format!("led_{index}"), "0")?
        );
    }
    let _ = writeln!(
        text,
        "inline unsigned get_leds(Vbitstream &top) {{ return {leds}; }}"
    );
    let mut idle = String::new();
    for index in 0..board.idle_high_pins.len() {
        idle.push_str(&pins.set(&format!("idle_{index}"), "1")?);
    }
    let _ = writeln!(
        text,
        "inline void set_idle_inputs(Vbitstream &top) {{ (void)top; {idle} }}"
    );
    Ok(text)
}

struct Pins<'a> {
    netlist: &'a Netlist,
}

impl Pins<'_> {
    fn direction(&self, port: &str) -> Result<Option<Direction>, SimulateError> {
        match self.netlist.port(port) {
            Some(port) => Ok(port.used.then_some(port.direction)),
            None => Err(SimulateError::Netlist {
                problem: format!("the port {port} is missing"),
            }),
        }
    }

    /// The statement that drives a pin; a pin that the design drives itself is left alone.
    fn set(&self, port: &str, level: &str) -> Result<String, SimulateError> {
        Ok(match self.direction(port)? {
            Some(Direction::Input | Direction::Inout) => format!("top.{port} = {level};"),
            Some(Direction::Output) | None => "(void)top;".to_owned(),
        })
    }

    /// The expression that reads a pin, `otherwise` where the design does not drive it.
    fn get(&self, port: &str, otherwise: &str) -> Result<String, SimulateError> {
        Ok(match self.direction(port)? {
            Some(Direction::Output | Direction::Inout) => format!("(top.{port} & 1)"),
            Some(Direction::Input) | None => otherwise.to_owned(),
        })
    }
}

/// What a person at the board would wonder about: said when the board starts.
fn notes(board: &Board, pins: &Pins<'_>) -> Result<Vec<String>, SimulateError> {
    let mut notes = Vec::new();
    if !matches!(pins.direction("clk")?, Some(Direction::Input | Direction::Inout)) {
        notes.push(format!(
            "the design has no input on pin {}, the board's clock",
            board.clock_pin
        ));
    }
    if !matches!(
        pins.direction("uart_rx")?,
        Some(Direction::Input | Direction::Inout)
    ) {
        notes.push(format!(
            "the design does not read pin {}, what the host sends",
            board.uart_rx_pin
        ));
    }
    if !matches!(
        pins.direction("uart_tx")?,
        Some(Direction::Output | Direction::Inout)
    ) {
        notes.push(format!(
            "the design does not drive pin {}, what the host receives",
            board.uart_tx_pin
        ));
    }
    Ok(notes)
}

/// An array may not be empty in C++, hence the last element.
fn quoted(words: &[impl AsRef<str>]) -> String {
    words
        .iter()
        .map(|word| format!("\"{}\", ", word.as_ref()))
        .collect::<String>()
        + "\"\""
}
