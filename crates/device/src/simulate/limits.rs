//! What a bitstream has that is lost on the way back to logic: told from its unpacked form, so that the user hears
//! it before anything is executed.
//!
//! Positions of configuration bits: Project IceStorm's data base (`icebox.py`: `pllinfo_db`, `spram_db`,
//! `dsp_config_db`, `ipcon_5k_db`, `padin_pio_db`), checked against bitstreams made for this purpose.
use std::collections::BTreeSet;

/// One sentence for each kind of thing that cannot be executed; empty when nothing stands against it.
///
/// `unpacked_asc` is the output of `iceunpack`.
pub fn limits(unpacked_asc: &str) -> Vec<String> {
    let mut device = "";
    let mut tile = Tile::default();
    let mut row = 0;
    let mut found = BTreeSet::new();
    for line in unpacked_asc.lines() {
        if line.starts_with('.') {
            let mut words = line.split_whitespace();
            tile = Tile::default();
            row = 0;
            match words.next() {
                Some(".device") => device = words.next().unwrap_or(""),
                Some(".extra_bit") => found.extend(oscillator(device, line)),
                Some(kind) => {
                    tile = Tile {
                        kind,
                        x: number(words.next()),
                        y: number(words.next()),
                    }
                }
                None => {}
            }
        } else if !line.is_empty() {
            found.extend(tile.hard_block(device, row, line.as_bytes()));
            row += 1;
        }
    }
    found
        .into_iter()
        .map(|block| block.sentence().to_owned())
        .collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum HardBlock {
    Pll,
    Oscillator,
    Dsp,
    Spram,
    RgbDriver,
    Serial,
}

impl HardBlock {
    fn sentence(self) -> &'static str {
        match self {
            Self::Pll => {
                "It uses a PLL (SB_PLL40), which has no model, so everything that it clocks would stand still: take the clock from the board's pin, or run it on a board."
            }
            Self::Oscillator => {
                "It uses the internal oscillator (SB_HFOSC or SB_LFOSC), which has no model, so everything that it clocks would stand still: take the clock from the board's pin, or run it on a board."
            }
            Self::Dsp => {
                "It uses DSP blocks (SB_MAC16), which cannot be read back from a bitstream: synthesise without -dsp, or run it on a board."
            }
            Self::Spram => {
                "It uses single-port RAM (SB_SPRAM256KA), which cannot be read back from a bitstream: use block RAM, or run it on a board."
            }
            Self::RgbDriver => {
                "It uses the RGB LED driver (SB_RGBA_DRV), which cannot be read back from a bitstream: drive the LED pins as outputs, or run it on a board."
            }
            Self::Serial => {
                "It uses a hard I2C, SPI or other block at the chip's edge, which cannot be read back from a bitstream: use logic instead, or run it on a board."
            }
        }
    }
}

#[derive(Default)]
struct Tile<'a> {
    kind: &'a str,
    x: u16,
    y: u16,
}

impl Tile<'_> {
    fn hard_block(&self, device: &str, row: usize, bits: &[u8]) -> Option<HardBlock> {
        // Bit 7 of rows 0 to 7 are CBIT_0 to CBIT_7, in pairs swapped; above, it belongs to clock buffers.
        let configured = row < 8 && bits.get(7) == Some(&b'1');
        match self.kind {
            ".io_tile" if self.is_pll(device, row, bits) => Some(HardBlock::Pll),
            // The two divider bits of SB_HFOSC lie in a DSP tile.
            ".dsp1_tile" if configured && (self.x, self.y) == (0, 16) && matches!(row, 4 | 5) => {
                Some(HardBlock::Oscillator)
            }
            ".dsp0_tile" | ".dsp1_tile" | ".dsp2_tile" | ".dsp3_tile" if configured => Some(HardBlock::Dsp),
            ".ipcon_tile" if configured => Some(match self.y {
                1 if row < 2 => HardBlock::Spram,
                28..=30 if self.x == 0 => HardBlock::RgbDriver,
                _ => HardBlock::Serial,
            }),
            _ => None,
        }
    }

    /// PLLTYPE is three bits, 000 when the PLL is not used: PLLCONFIG_5 (B2[3]) of one tile, PLLCONFIG_1 (B0[2])
    /// and PLLCONFIG_3 (B3[3]) of another.
    fn is_pll(&self, device: &str, row: usize, bits: &[u8]) -> bool {
        let (low, high): (&[_], &[_]) = match device {
            "1k" => (&[(0, 3)], &[(0, 5)]),
            "8k" => (&[(16, 0), (16, 33)], &[(18, 0), (18, 33)]),
            "5k" => (&[(12, 31)], &[(14, 31)]),
            _ => return false,
        };
        let here = (self.x, self.y);
        let set = |column: usize| bits.get(column) == Some(&b'1');
        match row {
            0 => high.contains(&here) && set(2),
            2 => low.contains(&here) && set(3),
            3 => high.contains(&here) && set(3),
            _ => false,
        }
    }
}

/// On the UP5K, global networks 4 and 5 can be fed by the oscillators alone.
fn oscillator(device: &str, line: &str) -> Option<HardBlock> {
    let is_one = matches!(line, ".extra_bit 1 690 174" | ".extra_bit 1 691 174");
    (device == "5k" && is_one).then_some(HardBlock::Oscillator)
}

fn number(word: Option<&str>) -> u16 {
    word.and_then(|word| word.parse().ok()).unwrap_or(u16::MAX)
}
