//! A place in a file of settings: what stands there, on which line, and where a statement ends.

use super::SyntaxError;

/// How much of a line a message shows, in characters.
const SHOWN: usize = 60;

/// Moves forward only; a clone stays where it is.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    source: &'a str,
    /// A byte of `source`, at the beginning of a character.
    at: usize,
    line: usize,
    /// Open brackets: within them a line's end is a blank.
    pub(super) depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        // Some editors begin a file with a mark of its encoding.
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        Self {
            source,
            at: 0,
            line: 1,
            depth: 0,
        }
    }

    pub(super) fn line(&self) -> usize {
        self.line
    }

    pub(super) fn rest(&self) -> &'a str {
        self.source.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The next character; `\r\n` and `\r` are line ends as `\n` is, also within texts.
    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        if c == '\r' && self.peek() == Some('\n') {
            self.at += 1;
        }
        if matches!(c, '\r' | '\n') {
            self.line += 1;
            return Some('\n');
        }
        Some(c)
    }

    pub(super) fn take(&mut self, expected: char) -> bool {
        let is_there = self.peek() == Some(expected);
        if is_there {
            self.bump();
        }
        is_there
    }

    pub(super) fn take_all(&mut self, expected: &str) -> bool {
        let is_there = self.rest().starts_with(expected);
        if is_there {
            expected.chars().for_each(|_| {
                self.bump();
            });
        }
        is_there
    }

    /// The characters from here on that are like this.
    pub(super) fn take_while(&mut self, like: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !like(c)).unwrap_or(rest.len());
        let taken = &rest[..end];
        taken.chars().for_each(|_| {
            self.bump();
        });
        taken
    }

    /// The name that stands here, empty where there is none.
    pub(super) fn name(&mut self) -> &'a str {
        match self.peek() {
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                self.take_while(|c| c.is_ascii_alphanumeric() || c == '_')
            }
            _ => "",
        }
    }

    /// Whether a text stands here, with its prefix if it has one.
    pub(super) fn begins_text(&self) -> bool {
        let rest = self.rest();
        let letters = rest
            .bytes()
            .take(3)
            .take_while(|b| b.is_ascii_alphabetic())
            .count();
        letters < 3 && rest[letters..].starts_with(['\'', '"'])
    }

    /// Blanks and continued lines; within brackets also line ends and comments.
    pub(super) fn skip_blanks(&mut self) -> Result<(), SyntaxError> {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\x0c') => {
                    self.bump();
                }
                Some('\r' | '\n') if self.depth > 0 => {
                    self.bump();
                }
                Some('#') if self.depth > 0 => self.skip_comment(),
                Some('\\') => {
                    let here = self.clone();
                    self.bump();
                    if !matches!(self.peek(), Some('\r' | '\n')) {
                        return Err(here.error(
                            "a backslash outside of a text has to be the last character of its line",
                        ));
                    }
                    self.bump();
                }
                _ => return Ok(()),
            }
        }
    }

    /// Goes to the next statement; false at the end of the file.
    pub(super) fn next_statement(&mut self) -> Result<bool, SyntaxError> {
        loop {
            let start = self.clone();
            self.take_while(|c| matches!(c, ' ' | '\t' | '\x0c'));
            match self.peek() {
                None => return Ok(false),
                Some('\r' | '\n') => {
                    self.bump();
                }
                Some('#') => self.skip_comment(),
                Some(_) if self.at > start.at => {
                    return Err(self.error("a setting has to begin at the beginning of its line"));
                }
                Some(_) => return Ok(true),
            }
        }
    }

    /// After a value there may be a comment, and then the line ends.
    pub(super) fn end_of_statement(&mut self) -> Result<(), SyntaxError> {
        self.skip_blanks()?;
        if self.peek() == Some('#') {
            self.skip_comment();
        }
        match self.peek() {
            None => Ok(()),
            Some('\r' | '\n') => {
                self.bump();
                Ok(())
            }
            Some(_) => Err(self.error("after a value only a comment may stand; expressions are not evaluated, so write their result")),
        }
    }

    fn skip_comment(&mut self) {
        self.take_while(|c| !matches!(c, '\r' | '\n'));
    }

    pub(super) fn error(&self, reason: &'static str) -> SyntaxError {
        let rest = self.rest().lines().next().unwrap_or_default().trim_end();
        let mut text: String = rest.chars().take(SHOWN).collect();
        if rest.chars().nth(SHOWN).is_some() {
            text.push('…');
        }
        if self.rest().is_empty() {
            text.push_str("end of the file");
        } else if text.is_empty() {
            text.push_str("end of the line");
        }
        SyntaxError {
            line: self.line,
            text,
            reason,
        }
    }
}
