//! Takes the power out of text that others wrote (logs, titles, messages) before a terminal gets it:
//! escape sequences can retitle windows, hide lines, and on some terminals type for the user.

/// Whether a terminal may act on this character, or reorder what stands around it (Unicode TR 36).
pub fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// A text of several lines: newlines and tabs stay.
pub fn text(text: &str) -> String {
    let mut stream = Stream::default();
    let mut neutral = stream.feed(text.as_bytes());
    neutral.push_str(&stream.end());
    neutral
}

/// A text that has to stay on one line.
pub fn line(text: &str) -> String {
    text.chars()
        .map(|c| if is_control(c) { picture(c) } else { c })
        .collect()
}

/// Neutralises a stream of bytes that may be cut anywhere.
///
/// Colours (`ESC [ … m`) are left out, `CR LF` and a lone `CR` become a newline, and every other
/// control character a picture of itself. Bytes that are no UTF-8 become U+FFFD.
#[derive(Debug, Default)]
pub struct Stream {
    /// What cannot be judged before more has come: part of a character or of a sequence.
    held: Vec<u8>,
}

/// A longer sequence is no colour; not to be waited for.
const LONGEST_COLOUR: usize = 64;

impl Stream {
    pub fn feed(&mut self, raw: &[u8]) -> String {
        self.held.extend_from_slice(raw);
        let held = std::mem::take(&mut self.held);
        let mut neutral = String::with_capacity(held.len());
        let used = neutralise(&held, false, &mut neutral);
        self.held = held[used..].to_vec();
        neutral
    }

    pub fn end(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        let mut neutral = String::new();
        neutralise(&held, true, &mut neutral);
        neutral
    }
}

/// Gives how many bytes are used up; with `last` that is all of them.
fn neutralise(raw: &[u8], last: bool, neutral: &mut String) -> usize {
    let mut at = 0;
    while at < raw.len() {
        let rest = &raw[at..];
        match rest[0] {
            0x1b => match colour(rest) {
                Colour::Whole(length) => at += length,
                Colour::Cut if !last => return at,
                Colour::Cut | Colour::None => {
                    neutral.push(picture('\x1b'));
                    at += 1;
                }
            },
            b'\r' => match rest.get(1) {
                None if !last => return at,
                Some(b'\n') => at += 1,
                _ => {
                    neutral.push('\n');
                    at += 1;
                }
            },
            _ => match character(rest) {
                Ok((c, length)) => {
                    let keep = matches!(c, '\n' | '\t') || !is_control(c);
                    neutral.push(if keep { c } else { picture(c) });
                    at += length;
                }
                Err(None) if !last => return at,
                Err(wrong) => {
                    neutral.push(char::REPLACEMENT_CHARACTER);
                    at += wrong.unwrap_or(rest.len());
                }
            },
        }
    }
    at
}

enum Colour {
    Whole(usize),
    Cut,
    None,
}

/// Whether a colour sequence stands here (ECMA-48, SGR).
fn colour(raw: &[u8]) -> Colour {
    match raw.get(1) {
        None => return Colour::Cut,
        Some(b'[') => {}
        Some(_) => return Colour::None,
    }
    for (index, byte) in raw.iter().enumerate().skip(2).take(LONGEST_COLOUR) {
        match byte {
            b'0'..=b'9' | b';' | b':' => {}
            b'm' => return Colour::Whole(index + 1),
            _ => return Colour::None,
        }
    }
    if raw.len() > LONGEST_COLOUR {
        Colour::None
    } else {
        Colour::Cut
    }
}

/// The first character and its length in bytes; else how many bytes are wrong, `None` when the
/// character is only cut off.
fn character(raw: &[u8]) -> Result<(char, usize), Option<usize>> {
    let head = &raw[..raw.len().min(4)];
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.valid_up_to() > 0 => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(error) => return Err(error.error_len()),
    };
    valid.chars().next().map(|c| (c, c.len_utf8())).ok_or(None)
}

/// What stands for a control character.
fn picture(c: char) -> char {
    match u32::from(c) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7f => '\u{2421}',
        _ => char::REPLACEMENT_CHARACTER,
    }
}
