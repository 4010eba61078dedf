//! Literals: numbers, constants, lists, tuples and dicts of them, and `+` between two of a kind.

use super::cursor::Cursor;
use super::{DEEPEST, SyntaxError, Value, text};

const ALLOWED: &str = "not a value that can be read here; allowed are texts, numbers, True, False, None, and lists, tuples and dicts of them";

/// One value, or several with commas between them, which are a tuple also without brackets.
pub(super) fn expressions(cursor: &mut Cursor<'_>) -> Result<Value, SyntaxError> {
    let first = expression(cursor)?;
    if cursor.peek() != Some(',') {
        return Ok(first);
    }
    let mut items = vec![first];
    while cursor.take(',') {
        cursor.skip_blanks()?;
        if matches!(cursor.peek(), None | Some('\r' | '\n' | '#')) {
            break;
        }
        items.push(expression(cursor)?);
    }
    Ok(Value::Tuple(items))
}

/// One value, with what is added to it. Ends after the blanks behind it.
pub(super) fn expression(cursor: &mut Cursor<'_>) -> Result<Value, SyntaxError> {
    let mut sum = term(cursor)?;
    cursor.skip_blanks()?;
    while cursor.peek() == Some('+') {
        let plus = cursor.clone();
        cursor.bump();
        cursor.skip_blanks()?;
        let more = term(cursor)?;
        cursor.skip_blanks()?;
        sum = match (sum, more) {
            (Value::Text(a), Value::Text(b)) => Value::Text(a + &b),
            (Value::List(a), Value::List(b)) => Value::List(joined(a, b)),
            (Value::Tuple(a), Value::Tuple(b)) => Value::Tuple(joined(a, b)),
            _ => {
                return Err(plus
                    .error("`+` is read only between two texts, two lists or two tuples; write the result"));
            }
        };
    }
    Ok(sum)
}

fn joined(mut a: Vec<Value>, b: Vec<Value>) -> Vec<Value> {
    a.extend(b);
    a
}

fn term(cursor: &mut Cursor<'_>) -> Result<Value, SyntaxError> {
    if cursor.begins_text() {
        return texts(cursor);
    }
    match cursor.peek() {
        Some('[') => Ok(Value::List(within(cursor, ']', items)?.0)),
        Some('(') => {
            let (mut inside, has_comma) = within(cursor, ')', items)?;
            // `(a)` is `a`; `(a,)` is a tuple.
            match inside.pop() {
                Some(only) if inside.is_empty() && !has_comma => Ok(only),
                last => {
                    inside.extend(last);
                    Ok(Value::Tuple(inside))
                }
            }
        }
        Some('{') => Ok(Value::Dict(within(cursor, '}', entries)?)),
        Some(c) if c.is_ascii_digit() || matches!(c, '.' | '-' | '+') => number(cursor),
        _ => constant(cursor),
    }
}

/// Texts beside each other are one.
fn texts(cursor: &mut Cursor<'_>) -> Result<Value, SyntaxError> {
    let mut all = String::new();
    while cursor.begins_text() {
        text::read(cursor, &mut all)?;
        cursor.skip_blanks()?;
    }
    Ok(Value::Text(all))
}

fn constant(cursor: &mut Cursor<'_>) -> Result<Value, SyntaxError> {
    let start = cursor.clone();
    match cursor.name() {
        "None" => Ok(Value::None),
        "True" => Ok(Value::Bool(true)),
        "False" => Ok(Value::Bool(false)),
        _ => Err(start.error(ALLOWED)),
    }
}

/// What stands between brackets, the opening one being next.
fn within<T>(
    cursor: &mut Cursor<'_>,
    close: char,
    inside: fn(&mut Cursor<'_>, char) -> Result<T, SyntaxError>,
) -> Result<T, SyntaxError> {
    let open = cursor.clone();
    if cursor.depth == DEEPEST {
        return Err(open.error("brackets are nested more than 64 deep"));
    }
    cursor.bump();
    cursor.depth += 1;
    cursor.skip_blanks()?;
    let inside = inside(cursor, close)?;
    if !cursor.take(close) {
        return Err(match cursor.peek() {
            None => open.error("this bracket is never closed"),
            Some(_) => cursor.error("a comma or the closing bracket has to stand here"),
        });
    }
    cursor.depth -= 1;
    Ok(inside)
}

/// The items up to the closing bracket, and whether there was a comma.
fn items(cursor: &mut Cursor<'_>, close: char) -> Result<(Vec<Value>, bool), SyntaxError> {
    let mut all = Vec::new();
    let mut has_comma = false;
    while cursor.peek().is_some_and(|c| c != close) {
        all.push(expression(cursor)?);
        if !cursor.take(',') {
            break;
        }
        has_comma = true;
        cursor.skip_blanks()?;
    }
    Ok((all, has_comma))
}

fn entries(cursor: &mut Cursor<'_>, close: char) -> Result<Vec<(Value, Value)>, SyntaxError> {
    let mut all = Vec::new();
    while cursor.peek().is_some_and(|c| c != close) {
        let start = cursor.clone();
        let key = expression(cursor)?;
        if matches!(key, Value::List(_) | Value::Dict(_)) {
            return Err(start.error("a list or dict cannot be the key of a dict"));
        }
        if !cursor.take(':') {
            return Err(cursor.error("a dict has KEY: VALUE here; sets are not read, write a list"));
        }
        cursor.skip_blanks()?;
        all.push((key, expression(cursor)?));
        if !cursor.take(',') {
            break;
        }
        cursor.skip_blanks()?;
    }
    Ok(all)
}

fn number(cursor: &mut Cursor<'_>) -> Result<Value, SyntaxError> {
    const WRONG: &str = "not a number; allowed are 12, 1_000, 0x1f, 0o17, 0b11, 1.5 and 2e3";
    let start = cursor.clone();
    let negative = cursor.peek() == Some('-');
    if !cursor.take('-') {
        cursor.take('+');
    }
    cursor.skip_blanks()?;
    let written = written(cursor);
    let value = match integer(&written, negative) {
        Some(value) => {
            value.ok_or_else(|| start.error("the number is too large: it has to fit into 64 bits"))?
        }
        None => Value::Float(float(&written, negative).ok_or_else(|| start.error(WRONG))?),
    };
    Ok(value)
}

/// All that can belong to a number, right or wrong.
fn written(cursor: &mut Cursor<'_>) -> String {
    let mut all = String::new();
    loop {
        all.push_str(cursor.take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.')));
        let is_decimal = !all.starts_with("0x") && !all.starts_with("0X");
        // The sign of an exponent.
        match cursor.peek() {
            Some(sign @ ('+' | '-')) if is_decimal && all.ends_with(['e', 'E']) => {
                cursor.bump();
                all.push(sign);
            }
            _ => return all,
        }
    }
}

/// `None` where it is no integer, `Some(None)` where it is one that is too large.
fn integer(written: &str, negative: bool) -> Option<Option<Value>> {
    let lower = written.to_ascii_lowercase();
    let radixes = [("0x", 16), ("0o", 8), ("0b", 2)];
    let (digits, radix) = radixes
        .iter()
        .find_map(|(prefix, radix)| {
            // `0x_ff` is allowed.
            let digits = lower.strip_prefix(prefix)?;
            Some((digits.strip_prefix('_').unwrap_or(digits), *radix))
        })
        .unwrap_or((&lower, 10));
    let plain = without_underscores(digits)?;
    let is_number = !plain.is_empty() && plain.chars().all(|c| c.is_digit(radix));
    // Python 3 refuses `010`, which was 8 once.
    let is_old_octal = radix == 10 && plain.starts_with('0') && plain.chars().any(|c| c != '0');
    if !is_number || is_old_octal {
        return None;
    }
    let magnitude = i128::from_str_radix(&plain, radix).ok();
    let number = magnitude.map(|number| if negative { -number } else { number });
    Some(
        number
            .and_then(|number| i64::try_from(number).ok())
            .map(Value::Int),
    )
}

/// `None` where it is no number, or none that is finite.
fn float(written: &str, negative: bool) -> Option<f64> {
    let plain = without_underscores(written)?;
    let is_decimal = plain.contains(['.', 'e', 'E'])
        && plain
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    let number: f64 = is_decimal.then(|| plain.parse().ok()).flatten()?;
    number
        .is_finite()
        .then_some(if negative { -number } else { number })
}

/// Underscores may stand singly between digits.
fn without_underscores(digits: &str) -> Option<String> {
    let alnum =
        |part: &str, end: Option<char>| !part.is_empty() && end.is_some_and(|c| c.is_ascii_hexdigit());
    let parts: Vec<&str> = digits.split('_').collect();
    let last = parts.len() - 1;
    let fits = parts.len() == 1
        || parts.iter().enumerate().all(|(index, part)| {
            (index == 0 || alnum(part, part.chars().next()))
                && (index == last || alnum(part, part.chars().next_back()))
        });
    fits.then(|| parts.concat())
}
