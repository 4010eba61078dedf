//! What is shown; the only place that prints.

use crate::figure::Figure;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// For people, in the form that docs/performance.md has.
pub fn table(figures: &[Figure]) -> ExitCode {
    text(rendered(figures).trim_end())
}

pub fn json(figures: &[Figure]) -> ExitCode {
    match serde_json::to_string_pretty(figures) {
        Ok(json) => text(&json),
        Err(error) => {
            problem(&format!("the figures cannot be written as JSON: {error}"));
            ExitCode::FAILURE
        }
    }
}

pub fn text(text: &str) -> ExitCode {
    match writeln!(io::stdout().lock(), "{text}") {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

pub fn problem(text: &str) {
    // Without standard error nobody is there to be told.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn rendered(figures: &[Figure]) -> String {
    let mut rows = vec![["scenario", "figure", "value", "against the machine"].map(str::to_owned)];
    rows.extend(figures.iter().map(|figure| {
        let against = figure.ratio.as_ref();
        [
            figure.scenario.to_owned(),
            figure.what.clone(),
            format!("{} {}", rounded(figure.value), figure.unit.as_str())
                .trim_end()
                .to_owned(),
            against.map_or(String::new(), |it| format!("{} × {}", rounded(it.ratio), it.to)),
        ]
    }));
    let mut widths = [0; 4];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; 4]| {
        let cells = row
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!(" {cell:width$} "));
        format!("|{}|\n", cells.collect::<Vec<_>>().join("|"))
    };
    let rule = widths.map(|width| "-".repeat(width));
    let mut text = line(&rows[0]) + &line(&rule);
    text.extend(rows[1..].iter().map(line));
    text
}

/// With three significant digits, or all before the point.
fn rounded(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::Unit;

    #[test]
    fn the_table_is_one_of_markdown_with_aligned_columns() {
        let figures = [
            Figure::new("submit", "rate, 64 clients", 3456.7, Unit::PerSecond),
            Figure::errors("submit", 2, "500 Internal Server Error"),
        ];
        let expected = "\
| scenario | figure                            | value   | against the machine |
| -------- | --------------------------------- | ------- | ------------------- |
| submit   | rate, 64 clients                  | 3457 /s |                     |
| submit   | FAILED: 500 Internal Server Error | 2       |                     |
";
        assert_eq!(rendered(&figures), expected);
    }
}
