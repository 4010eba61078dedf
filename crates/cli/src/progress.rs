//! Progress on standard error, where that is a terminal.

use crate::out;
use indicatif::{ProgressBar, ProgressStyle};

const BYTES: &str = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
const UNKNOWN: &str = "{msg} {spinner} {bytes} {bytes_per_sec}";

/// A bar over bytes; without a size a count of them. Invisible where nobody looks at it. It is gone
/// from the screen once it is finished, dropped or not.
pub fn bytes(title: &'static str, size: Option<u64>) -> ProgressBar {
    if !out::stderr_is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = match size {
        Some(size) => ProgressBar::new(size),
        None => ProgressBar::new_spinner(),
    };
    let template = if size.is_some() { BYTES } else { UNKNOWN };
    let style = ProgressStyle::with_template(template)
        .expect("the templates are constants that are tried in the tests");
    bar.with_style(style.progress_chars("=> ")).with_message(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_understood() {
        for template in [BYTES, UNKNOWN] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
