//! Looks for lines in the output of a step, as it comes and in bounded memory.

use regex::bytes::RegexSet;

/// Of a longer line only the beginning is looked at.
const LINE_BYTES: usize = 16 * 1024;
/// Of a line that is kept, for the message.
const KEPT_CHARS: usize = 500;

/// A set of patterns, and for each what matched first and last.
#[derive(Debug)]
pub struct Scan {
    patterns: RegexSet,
    found: Vec<Option<Found>>,
    line: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub first: String,
    pub last: String,
}

impl Scan {
    /// Patterns are regular expressions of the crate `regex`, matched against a line without its end.
    pub fn new(patterns: &[String]) -> Result<Self, regex::Error> {
        Ok(Self {
            patterns: RegexSet::new(patterns)?,
            found: vec![None; patterns.len()],
            line: Vec::new(),
        })
    }

    pub fn feed(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|&b| b == b'\n') {
            self.push(&bytes[..end]);
            self.end_line();
            bytes = &bytes[end + 1..];
        }
        self.push(bytes);
    }

    /// The output is over: what follows the last line's end is a line too.
    pub fn end(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
    }

    pub fn found(&self, pattern: usize) -> Option<&Found> {
        self.found.get(pattern)?.as_ref()
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = LINE_BYTES - self.line.len();
        self.line.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn end_line(&mut self) {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let matches = self.patterns.matches(line);
        if matches.matched_any() {
            let text: String = String::from_utf8_lossy(line).chars().take(KEPT_CHARS).collect();
            for pattern in matches {
                match &mut self.found[pattern] {
                    Some(found) => found.last.clone_from(&text),
                    none => {
                        *none = Some(Found {
                            first: text.clone(),
                            last: text.clone(),
                        });
                    }
                }
            }
        }
        self.line.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_found_however_it_is_cut_into_pieces() {
        let text = b"Info: ok\r\nERROR: one\nnoise \xff\xfe\nERROR: two";
        for size in 1..text.len() {
            let mut scan = Scan::new(&["^ERROR: ".into(), "ok$".into(), "absent".into()]).unwrap();
            text.chunks(size).for_each(|piece| scan.feed(piece));
            scan.end();
            let errors = scan.found(0).unwrap();
            assert_eq!(
                (errors.first.as_str(), errors.last.as_str()),
                ("ERROR: one", "ERROR: two")
            );
            assert_eq!(scan.found(1).unwrap().first, "Info: ok");
            assert_eq!(scan.found(2), None);
        }
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory() {
        let mut scan = Scan::new(&["^a".into()]).unwrap();
        for _ in 0..1000 {
            scan.feed(&[b'a'; 4096]);
        }
        assert!(scan.line.capacity() <= 2 * LINE_BYTES);
        scan.end();
        assert_eq!(scan.found(0).unwrap().first.len(), KEPT_CHARS);
    }
}
