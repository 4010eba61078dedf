//! What cannot be executed from a bitstream is said, with bitstreams of the real tools that have it.
use polyphemus_device::simulate::{self, SimulateError, Tools, limits};
use tempfile::TempDir;

use crate::toolchain::{bitstream, carry_out, fixture, run};

/// The sentences for `limits.v` with its BLOCK.
fn sentences(board: &str, block: u8) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let board = simulate::board(board).unwrap();
    let pcf = folder.path().join("pins.pcf");
    let mut pins = format!(
        "set_io clk {}\nset_io rx {}\nset_io tx {}\n",
        board.clock_pin, board.uart_rx_pin, board.uart_tx_pin
    );
    if block == 6 {
        pins.push_str("set_io r 39\nset_io g 40\nset_io b 41\n");
    }
    std::fs::write(&pcf, pins).unwrap();
    let settings = format!("chparam -set BLOCK {block} limits;");
    bitstream(
        folder.path(),
        board,
        &[fixture("limits.v")],
        "limits",
        &settings,
        &pcf,
    );
    run(folder.path(), &["iceunpack", "design.bin", "unpacked.asc"]);
    limits(&std::fs::read_to_string(folder.path().join("unpacked.asc")).unwrap())
}

#[test]
fn plain_logic_has_no_limits() {
    for board in simulate::BOARDS {
        assert_eq!(sentences(board.name, 0), [""; 0], "{}", board.name);
    }
}

#[test]
fn each_lost_block_is_named_once() {
    let words = [
        (1, "SB_SPRAM256KA"),
        (2, "SB_MAC16"),
        (3, "SB_HFOSC"),
        (4, "SB_LFOSC"),
        (6, "SB_RGBA_DRV"),
        (7, "SB_PLL40"),
    ];
    for (block, word) in words {
        let sentences = sentences("ice40-up5k", block);
        assert!(
            sentences.len() == 1 && sentences[0].contains(word),
            "{word}: {sentences:?}"
        );
    }
}

#[test]
fn a_pll_is_found_on_every_part() {
    for board in ["ice40-hx1k", "ice40-hx8k"] {
        let sentences = sentences(board, 5);
        assert!(
            sentences.len() == 1 && sentences[0].contains("SB_PLL40"),
            "{board}: {sentences:?}"
        );
    }
}

#[test]
fn a_board_is_refused_before_anything_is_compiled() {
    let folder = TempDir::new().unwrap();
    let board = simulate::board("ice40-up5k").unwrap();
    let pcf = folder.path().join("pins.pcf");
    std::fs::write(&pcf, "set_io clk 35\n").unwrap();
    let settings = "chparam -set BLOCK 1 limits;";
    bitstream(
        folder.path(),
        board,
        &[fixture("limits.v")],
        "limits",
        settings,
        &pcf,
    );
    let recipe = simulate::virtual_board(board, "design.bin", &Tools::of_debian(1));
    let error = carry_out(&recipe, folder.path()).unwrap_err();
    assert!(matches!(error, SimulateError::Limits { .. }), "{error}");
    assert!(!folder.path().join("icebox.v").exists());
}

#[test]
fn text_that_is_no_bitstream_has_no_limits_and_does_no_harm() {
    for text in [
        "",
        ".",
        ".io_tile",
        ".io_tile x y\n1",
        ".extra_bit",
        ".device\n.dsp0_tile 0 5\n\n1",
    ] {
        assert_eq!(limits(text), [""; 0], "{text:?}");
    }
}
