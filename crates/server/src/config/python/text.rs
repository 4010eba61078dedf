//! Text literals: quotes of all kinds, prefixes and escapes.

use super::SyntaxError;
use super::cursor::Cursor;

const UNFINISHED: &str = "this text has no end; one of several lines needs three quotes";
const NUL: &str = "no setting may have a NUL character in it";

/// Reads one text literal and appends what it stands for.
pub(super) fn read(cursor: &mut Cursor<'_>, all: &mut String) -> Result<(), SyntaxError> {
    let start = cursor.clone();
    let prefix = cursor
        .take_while(|c| c.is_ascii_alphabetic())
        .to_ascii_lowercase();
    let raw = match prefix.as_str() {
        "" | "u" => false,
        "r" => true,
        _ => {
            return Err(
                start.error("a text may have the prefix r or u; bytes and f-strings are not read here")
            );
        }
    };
    let quote = if cursor.peek() == Some('"') { '"' } else { '\'' };
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    let long = cursor.take_all(&triple);
    if !long {
        cursor.bump();
    }
    loop {
        if cursor.peek() == Some('\0') {
            return Err(cursor.error(NUL));
        }
        let ended = if long {
            cursor.take_all(&triple)
        } else {
            cursor.take(quote)
        };
        if ended {
            return Ok(());
        }
        let here = cursor.clone();
        match cursor.bump() {
            None => return Err(start.error(UNFINISHED)),
            Some('\n') if !long => return Err(start.error(UNFINISHED)),
            Some('\\') if raw => {
                // A quote after a backslash does not end a raw text, and both stay.
                all.push('\\');
                if cursor.peek() != Some('\0') {
                    all.extend(cursor.bump());
                }
            }
            Some('\\') => escape(cursor, &here, all)?,
            Some(c) => all.push(c),
        }
    }
}

/// What stands after a backslash.
fn escape(cursor: &mut Cursor<'_>, backslash: &Cursor<'_>, all: &mut String) -> Result<(), SyntaxError> {
    let plain = match cursor.bump() {
        None => return Err(backslash.error(UNFINISHED)),
        Some('\n') => return Ok(()),
        Some(c @ ('\\' | '\'' | '"')) => c,
        Some('n') => '\n',
        Some('t') => '\t',
        Some('r') => '\r',
        Some('a') => '\x07',
        Some('b') => '\x08',
        Some('f') => '\x0c',
        Some('v') => '\x0b',
        Some('x') => code(cursor, backslash, 2)?,
        Some('u') => code(cursor, backslash, 4)?,
        Some('U') => code(cursor, backslash, 8)?,
        Some('N') => {
            return Err(backslash.error("characters by name are not read here; write the character itself"));
        }
        Some(first @ '0'..='7') => octal(cursor, first),
        // Python leaves an escape that it does not know as it is.
        Some(c) => {
            all.push('\\');
            c
        }
    };
    if plain == '\0' {
        return Err(backslash.error(NUL));
    }
    all.push(plain);
    Ok(())
}

fn code(cursor: &mut Cursor<'_>, backslash: &Cursor<'_>, digits: usize) -> Result<char, SyntaxError> {
    let mut number = 0u32;
    for _ in 0..digits {
        let digit = cursor.peek().and_then(|c| c.to_digit(16));
        let Some(digit) = digit else {
            return Err(backslash
                .error("an escape needs two hexadecimal digits after \\x, four after \\u, eight after \\U"));
        };
        cursor.bump();
        number = (number << 4) | digit;
    }
    char::from_u32(number).ok_or_else(|| backslash.error("there is no character of this number"))
}

/// Up to three octal digits.
fn octal(cursor: &mut Cursor<'_>, first: char) -> char {
    let mut number = first.to_digit(8).unwrap_or_default();
    for _ in 0..2 {
        let Some(digit) = cursor.peek().and_then(|c| c.to_digit(8)) else {
            break;
        };
        cursor.bump();
        number = number * 8 + digit;
    }
    // Three octal digits are at most 511, which is no surrogate.
    char::from_u32(number).unwrap_or_default()
}
