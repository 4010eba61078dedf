//! Lists as aligned columns. What stands in them is made neutral, since titles are anybody's.

use crate::neutral;
use crate::palette::Palette;
use unicode_width::UnicodeWidthStr as _;

/// How a cell is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    Good,
    Bad,
    Busy,
    Dim,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    pub fn painted(text: impl AsRef<str>, paint: Paint) -> Self {
        Self {
            text: neutral::line(text.as_ref()),
            paint,
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::painted(text, Paint::Plain)
    }
}

/// Columns under headings.
#[derive(Debug)]
pub struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(headings: &[&'static str]) -> Self {
        Self {
            headings: headings.to_vec(),
            rows: Vec::new(),
        }
    }

    /// As many cells as there are headings.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.into());
    }

    /// The lines, each with its newline; the last column is not padded.
    pub fn render(&self, palette: Palette) -> String {
        let widths: Vec<usize> = (0..self.headings.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                let widest = cells.map(|cell| cell.text.width()).max().unwrap_or(0);
                widest.max(self.headings[column].width())
            })
            .collect();
        let mut lines = String::new();
        let headings = self
            .headings
            .iter()
            .map(|heading| (heading.width(), palette.bold(heading)));
        push_line(&mut lines, &widths, headings);
        for row in &self.rows {
            let cells = row.iter().map(|cell| (cell.text.width(), cell.show(palette)));
            push_line(&mut lines, &widths, cells);
        }
        lines
    }
}

impl Cell {
    fn show(&self, palette: Palette) -> String {
        match self.paint {
            Paint::Plain => self.text.clone(),
            Paint::Good => palette.good(&self.text),
            Paint::Bad => palette.bad(&self.text),
            Paint::Busy => palette.busy(&self.text),
            Paint::Dim => palette.dim(&self.text),
        }
    }
}

/// The cells come with the width that they take without their colours.
fn push_line(lines: &mut String, widths: &[usize], cells: impl Iterator<Item = (usize, String)>) {
    let mut line = String::new();
    let mut owed = 0;
    for ((width, text), column) in cells.zip(widths) {
        if width == 0 {
            owed += column + 2;
            continue;
        }
        line.extend(std::iter::repeat_n(' ', owed));
        line.push_str(&text);
        owed = column - width + 2;
    }
    lines.push_str(&line);
    lines.push('\n');
}
