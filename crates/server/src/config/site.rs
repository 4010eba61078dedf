//! What an operator decides of how the site looks and what it shows of jobs.

use regex::bytes::{Regex, RegexBuilder};

/// The settings that only routes and pages read.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteSettings {
    /// `NAME`, in the head and the title of every page.
    pub name: String,
    /// `GH_REPO`: an address that pages link to.
    pub repository: Option<String>,
    /// `UPLOAD_EXTENSIONS`, in lower case and without the dot.
    pub upload_extensions: Vec<String>,
    /// `TEXT_EXTENSIONS`, likewise: shown as text beside those that always are.
    pub text_extensions: Vec<String>,
    /// `LOG_PREVIEW_LINES`: how much of a log a page shows at first.
    pub preview_lines: usize,
    /// `IMPORTANT_WORDS`: a line of a log in which one of these matches is shown apart.
    pub important_words: Vec<String>,
    /// The vendors' tools are stand-ins: every page says so.
    pub stand_ins: bool,
}

impl Default for SiteSettings {
    fn default() -> Self {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self {
            name: "Polyphemus".into(),
            repository: None,
            upload_extensions: texts(&["zip", "tar", "tar.gz", "tgz", "tar.zst", "tzst"]),
            text_extensions: texts(&["c", "cpp", "s", "log", "jou", "tcl", "d", "dat", "rpt", "est"]),
            preview_lines: 500,
            important_words: texts(&["warn", "error", "ignore", "ignoring"]),
            stand_ins: false,
        }
    }
}

/// The expression that matches where one of the words does, whatever its case; `None` without words.
///
/// # Errors
/// A word that is no regular expression.
pub fn important(words: &[String]) -> Result<Option<Regex>, regex::Error> {
    // Each alone first: a bracket that one word leaves open must not swallow the next.
    for word in words {
        RegexBuilder::new(word).build()?;
    }
    let all: Vec<String> = words
        .iter()
        .filter(|word| !word.is_empty())
        .map(|word| format!("(?:{word})"))
        .collect();
    if all.is_empty() {
        return Ok(None);
    }
    let expression = RegexBuilder::new(&all.join("|"));
    expression.clone().case_insensitive(true).build().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_important_where_any_word_matches_in_any_case() {
        let words = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            important(&words)
        };
        let found = words(&["warn", "^err(or)?:", "a|b{3}"]).unwrap().unwrap();
        for line in ["no WARNING", "Error: x", "err: y", "a", "bbb"] {
            assert!(found.is_match(line.as_bytes()), "{line}");
        }
        for line in ["", "my error: x", "bb"] {
            assert!(!found.is_match(line.as_bytes()), "{line}");
        }
        assert!(found.is_match(b"\xff\xfe warn \xff"), "whatever the encoding");
        assert!(words(&[]).unwrap().is_none());
        assert!(words(&[""]).unwrap().is_none(), "nothing is no word");
        for wrong in [&["("][..], &["(", ")"], &["[a", "]"], &["a{1000000}{1000}"]] {
            assert!(words(wrong).is_err(), "{wrong:?}");
        }
    }
}
