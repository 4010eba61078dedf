//! The virtual board: executes an iCE40 bitstream behind a pseudo-terminal, so that a host program cannot tell it
//! from a board. This module holds its data and its pure parts; the worker runs what [`recipe`] describes.
pub mod bindings;
pub mod board;
mod gates;
pub mod header;
pub mod limits;
pub mod pcf;
pub mod pty;
pub mod recipe;
pub mod summary;

pub use board::{BOARDS, Board, board, parse};
pub use header::Netlist;
pub use limits::limits;
pub use pcf::Pcf;
pub use pty::Pty;
pub use recipe::{Command, NewFile, Recipe, Step, Tools, Transform, netlist, virtual_board};
pub use summary::{Ready, Summary};

/// Why a bitstream cannot be executed here, by what the user can do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimulateError {
    #[error("there is no board {name:?} to simulate; there are: {known}")]
    UnknownBoard { name: String, known: String },
    #[error(
        "{text:?} does not say what to simulate; write NAME or NAME:COUNT with a count from 1 to {max}, as in ice40-hx8k:2"
    )]
    BadCount { text: String, max: usize },
    #[error("constraints line {line}: {problem}")]
    Pcf { line: usize, problem: String },
    #[error("the module name {name:?} cannot be used; name the top module with letters, digits and _ only")]
    ModuleName { name: String },
    #[error("the bitstream cannot be executed faithfully: {}", sentences.join(" "))]
    Limits { sentences: Vec<String> },
    #[error(
        "icebox_vlog wrote what is not understood: {problem}; its version may be another than fpga-icestorm of 2023-02"
    )]
    Netlist { problem: String },
}
