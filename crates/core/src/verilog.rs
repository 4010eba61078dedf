//! What a Verilog or SystemVerilog file defines and what it uses, read without a compiler: enough to
//! find the top module and the files that belong to it.
//!
//! Both branches of every `` `ifdef `` are read, and macros are not expanded, so that more may seem
//! used than is; what is used is never missed for that.

mod token;

use std::collections::{BTreeMap, BTreeSet};
use token::{Token, tokens};

/// What a file defines and uses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerilogFile {
    /// By name, in both branches of an `` `ifdef `` merged into one.
    pub units: BTreeMap<String, Unit>,
    /// The names that are used outside of every unit: an import at the head of the file, the body
    /// of a macro.
    pub uses: BTreeSet<String>,
    /// The targets of `` `include ``, as written.
    pub includes: BTreeSet<String>,
    pub macros_defined: BTreeSet<String>,
    pub macros_used: BTreeSet<String>,
}

/// A module, package, interface, program or primitive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit {
    pub kind: UnitKind,
    /// The identifiers in its list of ports; with declarations in the list, their types too.
    pub ports: BTreeSet<String>,
    /// The identifiers that stand where an instance, a type, a package or a primitive can stand.
    pub uses: BTreeSet<String>,
    /// Those of them that are given parameters: `name #(`.
    pub with_parameters: BTreeSet<String>,
    /// The system tasks and functions it calls, with their `$`.
    pub system_tasks: BTreeSet<String>,
}

/// Only modules can be the top of a design.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnitKind {
    #[default]
    Module,
    Other,
}

/// Reads a file's text. Text that is no Verilog gives an empty answer, never an error: the compiler
/// has the better words for it.
pub fn scan(text: &str) -> VerilogFile {
    let tokens = tokens(text);
    let mut file = VerilogFile::default();
    let mut open: Option<(String, Unit)> = None;
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            Token::Include(path) => {
                file.includes.insert(path.to_owned());
            }
            Token::Define(name, body) => define(&mut file, name, body),
            Token::Macro(name) => {
                file.macros_used.insert(name.to_owned());
            }
            Token::System(name) => {
                if let Some((_, unit)) = &mut open {
                    unit.system_tasks.insert(name.to_owned());
                }
            }
            Token::Word(word) if is_end(word) => close(&mut file, &mut open),
            Token::Word(word) => match begins(word, &tokens[at..], open.is_some()) {
                Some(begun) => {
                    close(&mut file, &mut open);
                    open = Some(begun);
                }
                None => note_use(&mut file, &mut open, word, &tokens, at),
            },
            Token::Text | Token::Scope | Token::Number | Token::Sign(_) => {}
        }
    }
    close(&mut file, &mut open);
    file
}

/// A definition within a definition is not looked into: nobody can nest texts to make this slow.
fn define(file: &mut VerilogFile, name: &str, body: &str) {
    file.macros_defined.insert(name.to_owned());
    let tokens = tokens(body);
    for (at, token) in tokens.iter().enumerate() {
        match *token {
            Token::Macro(name) => {
                file.macros_used.insert(name.to_owned());
            }
            Token::Word(word) => note_use(file, &mut None, word, &tokens, at),
            _ => {}
        }
    }
}

/// The unit that a keyword begins, with its name and ports. `tokens` begins with the keyword.
fn begins(keyword: &str, tokens: &[Token<'_>], inside: bool) -> Option<(String, Unit)> {
    let kind = match keyword {
        "module" | "macromodule" => UnitKind::Module,
        // Inside a module these words are types of ports and variables.
        "package" | "interface" | "program" | "primitive" if !inside => UnitKind::Other,
        _ => return None,
    };
    let header = match tokens.get(1..)? {
        [Token::Word("automatic" | "static"), header @ ..] => header,
        header => header,
    };
    let [Token::Word(name), header @ ..] = header else {
        return None;
    };
    let unit = Unit {
        kind,
        ports: ports(header),
        ..Unit::default()
    };
    Some(((*name).to_owned(), unit))
}

/// The identifiers in the list of ports: the last parenthesis of the header that no `#` precedes.
fn ports(header: &[Token<'_>]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let (mut depth, mut parameters, mut importing) = (0_usize, false, false);
    for (at, token) in header.iter().enumerate() {
        match token {
            Token::Word("import") if depth == 0 => importing = true,
            Token::Sign(';') if importing => importing = false,
            Token::Sign(';') if depth == 0 => break,
            Token::Sign('(') => {
                if depth == 0 {
                    parameters = at > 0 && header[at - 1] == Token::Sign('#');
                }
                depth += 1;
            }
            Token::Sign(')') => depth = depth.saturating_sub(1),
            Token::Word(word) if depth > 0 && !parameters && !is_port_keyword(word) => {
                found.insert((*word).to_owned());
            }
            _ => {}
        }
    }
    found
}

fn note_use(
    file: &mut VerilogFile,
    open: &mut Option<(String, Unit)>,
    word: &str,
    tokens: &[Token<'_>],
    at: usize,
) {
    let before = at.checked_sub(1).map(|before| tokens[before]);
    let after = tokens.get(at + 1).copied();
    let parameters = after == Some(Token::Sign('#'));
    let stands_first = match after {
        Some(Token::Word(_) | Token::Macro(_) | Token::Scope | Token::Sign('#' | '.')) => true,
        // A primitive may have an instance without a name; an instance's name and a port's do not
        // stand at the beginning of a statement.
        Some(Token::Sign('(')) => match before {
            Some(Token::Sign(';')) => true,
            Some(Token::Word(word)) => {
                matches!(
                    word,
                    "begin" | "end" | "generate" | "else" | "endfunction" | "endtask"
                )
            }
            _ => false,
        },
        _ => false,
    };
    if !stands_first {
        return;
    }
    match open {
        Some((_, unit)) => {
            unit.uses.insert(word.to_owned());
            if parameters {
                unit.with_parameters.insert(word.to_owned());
            }
        }
        None => {
            file.uses.insert(word.to_owned());
        }
    }
}

fn close(file: &mut VerilogFile, open: &mut Option<(String, Unit)>) {
    let Some((name, unit)) = open.take() else {
        return;
    };
    let merged = file.units.entry(name).or_insert_with(|| Unit {
        kind: unit.kind,
        ..Unit::default()
    });
    merged.ports.extend(unit.ports);
    merged.uses.extend(unit.uses);
    merged.with_parameters.extend(unit.with_parameters);
    merged.system_tasks.extend(unit.system_tasks);
}

fn is_end(word: &str) -> bool {
    matches!(
        word,
        "endmodule" | "endpackage" | "endinterface" | "endprogram" | "endprimitive"
    )
}

fn is_port_keyword(word: &str) -> bool {
    matches!(
        word,
        "input"
            | "output"
            | "inout"
            | "ref"
            | "wire"
            | "reg"
            | "logic"
            | "bit"
            | "tri"
            | "signed"
            | "unsigned"
            | "var"
    )
}

#[cfg(test)]
mod tests;
