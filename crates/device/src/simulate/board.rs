//! The boards that can be simulated, one entry each, with the pins that their makers document.
use std::fmt::Write as _;

use super::SimulateError;
use crate::device::{Device, Family};

/// More than this of one kind on one machine is a slip of the pen.
const MAX_COUNT: usize = 64;

/// A board: the part on it and what its pins are wired to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Board {
    /// What users call it: `ice40-hx8k`.
    pub name: &'static str,
    pub title: &'static str,
    /// What a stage asks for: `fpga:ice40-hx8k`.
    pub label: &'static str,
    pub family: &'static str,
    /// nextpnr's and icetime's name of the part: `hx8k`.
    pub device: &'static str,
    pub package: &'static str,
    pub clock_hz: u32,
    pub clock_pin: &'static str,
    /// Input of the FPGA: what the host sends.
    pub uart_rx_pin: &'static str,
    /// Output of the FPGA: what the host receives.
    pub uart_tx_pin: &'static str,
    pub led_pins: &'static [&'static str],
    /// Inputs that the board holds high: buttons that pull down.
    pub idle_high_pins: &'static [&'static str],
    /// The name for `openFPGALoader -b` (`openFPGALoader --list-boards`, 0.10.0).
    pub loader: &'static str,
}

/// Sources: Lattice EB85 (HX8K breakout), EB82 (iCEstick), the iCEBreaker project's `icebreaker.pcf`.
pub const BOARDS: &[Board] = &[
    Board {
        name: "ice40-hx1k",
        title: "Lattice iCEstick (iCE40-HX1K)",
        label: "fpga:ice40-hx1k",
        family: "ice40",
        device: "hx1k",
        package: "tq144",
        clock_hz: 12_000_000,
        clock_pin: "21",
        uart_rx_pin: "9",
        uart_tx_pin: "8",
        led_pins: &["99", "98", "97", "96", "95"],
        idle_high_pins: &[],
        loader: "ice40_generic",
    },
    Board {
        name: "ice40-hx8k",
        title: "Lattice iCE40-HX8K breakout board",
        label: "fpga:ice40-hx8k",
        family: "ice40",
        device: "hx8k",
        package: "ct256",
        clock_hz: 12_000_000,
        clock_pin: "J3",
        uart_rx_pin: "B10",
        uart_tx_pin: "B12",
        led_pins: &["B5", "B4", "A2", "A1", "C5", "C4", "B3", "C3"],
        idle_high_pins: &[],
        loader: "ice40_generic",
    },
    Board {
        name: "ice40-up5k",
        title: "1BitSquared iCEBreaker (iCE40-UP5K)",
        label: "fpga:ice40-up5k",
        family: "ice40",
        device: "up5k",
        package: "sg48",
        clock_hz: 12_000_000,
        clock_pin: "35",
        uart_rx_pin: "6",
        uart_tx_pin: "9",
        led_pins: &["11", "37", "26", "27", "25", "23", "21"],
        idle_high_pins: &["10"],
        loader: "ice40_generic",
    },
];

/// The board of this name.
pub fn board(name: &str) -> Result<&'static Board, SimulateError> {
    BOARDS
        .iter()
        .find(|board| board.name == name)
        .ok_or_else(|| SimulateError::UnknownBoard {
            name: name.to_owned(),
            known: BOARDS
                .iter()
                .map(|board| board.name)
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// `--simulate NAME[:COUNT]` as devices `sim-NAME-0`, `sim-NAME-1`, …
pub fn parse(text: &str) -> Result<Vec<Device>, SimulateError> {
    let bad_count = || SimulateError::BadCount {
        text: text.to_owned(),
        max: MAX_COUNT,
    };
    let (name, count) = match text.split_once(':') {
        None => (text, 1),
        Some((name, count)) => (name, count.parse().map_err(|_| bad_count())?),
    };
    let board = board(name)?;
    if !(1..=MAX_COUNT).contains(&count) {
        return Err(bad_count());
    }
    Ok((0..count).map(|index| board.simulated(index)).collect())
}

impl Board {
    /// The virtual board number `index` as a device.
    pub fn simulated(&self, index: usize) -> Device {
        Device {
            // A need for the board is met by either; who must have a real one can be told apart.
            labels: vec![format!("{}=virtual", self.label)],
            ..Device::bare(Family::Virtual, format!("sim-{}-{index}", self.name), self.name)
        }
    }

    /// The constraints that give the pins of this board names of ours, in the one form that icebox_vlog reads.
    /// The user's constraints have no part in it: a board knows a design by its pins alone.
    pub fn pcf(&self) -> String {
        let mut text = format!(
            "set_io clk {}\nset_io uart_rx {}\nset_io uart_tx {}\n",
            self.clock_pin, self.uart_rx_pin, self.uart_tx_pin
        );
        for (kind, pins) in [("led", self.led_pins), ("idle", self.idle_high_pins)] {
            for (index, pin) in pins.iter().enumerate() {
                let _ = writeln!(text, "set_io {kind}_{index} {pin}");
            }
        }
        text
    }
}
