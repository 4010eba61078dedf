//! Reads the two lines that the virtual board prints on standard output: that it is ready, and what it did.
use std::collections::HashMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

const PREFIX: &str = "virtual-board ";

/// The board executes the bitstream; a host program may start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// None when the board was given the port (`--pty-fd`).
    pub port: Option<PathBuf>,
}

impl Ready {
    /// None when the line is another.
    pub fn parse(line: &str) -> Option<Self> {
        let fields = fields(line, "ready")?;
        let port = *fields.get("port")?;
        Some(Self {
            port: (port != "-").then(|| port.into()),
        })
    }
}

/// What the board did until it was asked to end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub board: String,
    pub cycles: u64,
    /// Time in which the clock ran.
    pub seconds: f64,
    pub mhz: f64,
    pub bytes_from_host: u64,
    pub bytes_to_host: u64,
    /// Sent by the design while nobody read.
    pub bytes_dropped: u64,
    /// Bytes with a wrong parity or stop bit: mostly a host that has set another speed than the design's.
    pub framing_errors: u64,
    pub leds: Vec<Led>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Led {
    pub pin: String,
    /// The pin's level at the end.
    pub high: bool,
    pub toggles: u64,
}

impl Summary {
    /// None when the line is another.
    pub fn parse(line: &str) -> Option<Self> {
        let fields = fields(line, "summary")?;
        let number = |name: &str| fields.get(name)?.parse().ok();
        let leds = fields
            .get("leds")?
            .split(',')
            .filter(|led| !led.is_empty())
            .map(Led::parse);
        Some(Self {
            board: (*fields.get("board")?).to_owned(),
            cycles: number("cycles")?,
            seconds: fields.get("seconds")?.parse().ok()?,
            mhz: fields.get("mhz")?.parse().ok()?,
            bytes_from_host: number("bytes_from_host")?,
            bytes_to_host: number("bytes_to_host")?,
            bytes_dropped: number("bytes_dropped")?,
            framing_errors: number("framing_errors")?,
            leds: leds.collect::<Option<_>>()?,
        })
    }
}

impl Led {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (pin, level, toggles) = (parts.next()?, parts.next()?, parts.next()?);
        Some(Self {
            pin: pin.to_owned(),
            high: level == "1",
            toggles: toggles.parse().ok()?,
        })
    }
}

fn fields<'a>(line: &'a str, kind: &str) -> Option<HashMap<&'a str, &'a str>> {
    let mut words = line.trim_end().strip_prefix(PREFIX)?.split(' ');
    (words.next()? == kind).then(|| words.filter_map(|word| word.split_once('=')).collect())
}
