//! The tokens of Verilog and SystemVerilog text that tell who uses whom; comments, attributes,
//! numbers and the conditions of `` `ifdef `` are dropped.

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or an identifier; of an escaped identifier the name without its backslash.
    Word(&'a str),
    /// `$name`, with the dollar sign.
    System(&'a str),
    /// `` `name `` where it is a macro's use.
    Macro(&'a str),
    /// `` `define name body ``, the body with its continued lines.
    Define(&'a str, &'a str),
    /// `` `include "path" ``.
    Include(&'a str),
    /// A text, without its quotes.
    Text,
    /// `::`
    Scope,
    Number,
    Sign(char),
}

/// All tokens of a text. Whatever is no Verilog comes out as signs; nothing is an error.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (token, after) = next(rest, first);
        found.extend(token);
        rest = after;
    }
    found
}

fn next(rest: &str, first: char) -> (Option<Token<'_>>, &str) {
    let tail = &rest[first.len_utf8()..];
    match first {
        '/' if tail.starts_with('/') => (None, after_line(rest)),
        '/' if tail.starts_with('*') => (None, after(&tail[1..], "*/")),
        '(' if is_attribute(tail) => (None, after(&tail[1..], "*)")),
        '"' => (Some(Token::Text), after_text(tail)),
        '`' => directive(tail),
        '\\' => {
            let (name, after) = split(tail, |c| !c.is_whitespace());
            (Some(Token::Word(name)), after)
        }
        '$' => {
            let (name, after) = split(tail, is_word);
            (Some(Token::System(&rest[..=name.len()])), after)
        }
        '\'' => based_number(tail),
        ':' if tail.starts_with(':') => (Some(Token::Scope), &tail[1..]),
        _ if first.is_ascii_digit() => {
            let (_, after) = split(rest, |c| is_word(c) || c == '.');
            (Some(Token::Number), after)
        }
        _ if is_word(first) => {
            let (name, after) = split(rest, is_word);
            (Some(Token::Word(name)), after)
        }
        _ if first.is_whitespace() => (None, tail),
        _ => (Some(Token::Sign(first)), tail),
    }
}

/// `(* full_case *)`, but neither `@(*)` nor `(*)` with blanks.
fn is_attribute(after_parenthesis: &str) -> bool {
    after_parenthesis
        .strip_prefix('*')
        .is_some_and(|inner| !inner.trim_start().starts_with(')'))
}

fn directive(tail: &str) -> (Option<Token<'_>>, &str) {
    let (name, after) = split(tail, is_word);
    match name {
        "ifdef" | "ifndef" | "elsif" | "undef" => {
            let (_, after) = split(after.trim_start(), is_word);
            (None, after)
        }
        "else" | "endif" | "resetall" | "celldefine" | "endcelldefine" | "undefineall" | "end_keywords" => {
            (None, after)
        }
        "timescale"
        | "default_nettype"
        | "line"
        | "pragma"
        | "begin_keywords"
        | "unconnected_drive"
        | "nounconnected_drive" => (None, after_line(after)),
        "define" => define(after),
        "include" => include(after),
        "" => (Some(Token::Sign('`')), after),
        _ => (Some(Token::Macro(name)), after),
    }
}

fn define(after: &str) -> (Option<Token<'_>>, &str) {
    let (name, body) = split(after.trim_start_matches([' ', '\t']), is_word);
    let mut end = 0;
    for line in body.split_inclusive('\n') {
        end += line.len();
        if !line.trim_end().ends_with('\\') {
            break;
        }
    }
    (Some(Token::Define(name, &body[..end])), &body[end..])
}

/// An include by a macro (`` `include `FILE ``) stays unknown.
fn include(after: &str) -> (Option<Token<'_>>, &str) {
    let begin = after.trim_start_matches([' ', '\t']);
    let closing = match begin.chars().next() {
        Some('"') => '"',
        Some('<') => '>',
        _ => return (None, after),
    };
    match begin[1..].split_once(closing) {
        Some((path, rest)) if !path.contains('\n') => (Some(Token::Include(path)), rest),
        _ => (None, after),
    }
}

/// What follows the `'` of `8'hff`, `'0` or `'{`; only the first two are numbers.
fn based_number(tail: &str) -> (Option<Token<'_>>, &str) {
    let unsigned = tail.strip_prefix(['s', 'S']).unwrap_or(tail);
    match unsigned.strip_prefix(['b', 'B', 'o', 'O', 'd', 'D', 'h', 'H']) {
        Some(digits) => {
            let (_, after) = split(digits.trim_start_matches([' ', '\t']), |c| {
                c.is_ascii_hexdigit() || matches!(c, 'x' | 'X' | 'z' | 'Z' | '?' | '_')
            });
            (Some(Token::Number), after)
        }
        None => (Some(Token::Sign('\'')), tail),
    }
}

fn after_text(tail: &str) -> &str {
    let mut escaped = false;
    for (at, c) in tail.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return &tail[at + 1..],
            _ => escaped = false,
        }
    }
    ""
}

fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

fn after_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, rest)| rest)
}

fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$'
}
