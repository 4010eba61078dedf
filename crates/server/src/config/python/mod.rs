//! Reads the part of Python that settings are written in: lines `NAME = literal`, nothing else. The
//! only place that knows this grammar. Pure; bounded in size and depth; runs nothing.
//!
//! Source of the grammar: the Python 3 language reference, "Lexical analysis" and "Atoms".

mod cursor;
mod literal;
mod text;
mod value;

pub use value::Value;

use cursor::Cursor;

/// The largest file that is read, in bytes.
pub const LARGEST_BYTES: usize = 1 << 20;
/// How deep brackets may be nested.
const DEEPEST: usize = 64;

/// `NAME = value`, and the line that it begins on.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    pub name: String,
    pub value: Value,
    /// Counted from 1.
    pub line: usize,
}

/// What is written here cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at `{text}`: {reason}")]
pub struct SyntaxError {
    /// Counted from 1.
    pub line: usize,
    /// What stands there, up to the end of the line, shortened.
    pub text: String,
    /// What is wrong with it, and what is allowed.
    pub reason: &'static str,
}

/// All assignments of a file, in their order; of two to one name Python takes the last.
///
/// # Errors
/// The first thing that is not `NAME = literal`, a comment or an empty line.
pub fn assignments(source: &str) -> Result<Vec<Assignment>, SyntaxError> {
    let mut cursor = Cursor::new(source);
    let mut all = Vec::new();
    if source.len() > LARGEST_BYTES {
        return Err(cursor.error("the file has more than 1 MiB: only settings belong into it"));
    }
    while cursor.next_statement()? {
        if cursor.begins_text() {
            // A text alone is a comment to Python.
            literal::expression(&mut cursor)?;
        } else {
            all.push(assignment(&mut cursor)?);
        }
        cursor.end_of_statement()?;
    }
    Ok(all)
}

/// One literal alone, as in the value of an environment variable.
///
/// # Errors
/// It is something else, or more follows.
pub fn value(source: &str) -> Result<Value, SyntaxError> {
    let mut cursor = Cursor::new(source.trim());
    if source.len() > LARGEST_BYTES {
        return Err(cursor.error("the value has more than 1 MiB"));
    }
    let value = literal::expressions(&mut cursor)?;
    cursor.end_of_statement()?;
    if cursor.next_statement()? {
        return Err(cursor.error("one value is allowed here, and nothing after it"));
    }
    Ok(value)
}

fn assignment(cursor: &mut Cursor<'_>) -> Result<Assignment, SyntaxError> {
    const ALLOWED: &str =
        "a line has to be NAME = VALUE; imports, calls, conditions and all else of Python are not read here";
    let start = cursor.clone();
    let line = cursor.line();
    let name = cursor.name().to_owned();
    cursor.skip_blanks()?;
    // `==` is a comparison.
    if name.is_empty() || !cursor.take('=') || cursor.peek() == Some('=') {
        return Err(start.error(ALLOWED));
    }
    cursor.skip_blanks()?;
    let value = literal::expressions(cursor)?;
    Ok(Assignment { name, value, line })
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
