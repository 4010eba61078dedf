//! The crate's integration tests: with the real tools where a bitstream is concerned, on folders of their own else.
mod discovery;
mod limits;
mod lock;
mod netlist;
mod toolchain;
mod virtual_board;
