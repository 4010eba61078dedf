//! Makefiles so plain that it is known without make what its dry run would tell: nothing but the
//! variables on the command line.
//!
//! The dry run's output is make's data base and the commands that it would run. A line of it is taken
//! for a variable if it begins with the name and `=` or `:=`. So every `=` of the Makefile must stand
//! behind a word that is no such name and is there as it is read, and nothing may bring in text that
//! is not: no functions, no files, no variables from elsewhere. Whatever is not understood here is no
//! fault; make itself tells it then.

use std::collections::BTreeSet;

/// What make looks for a Makefile's sources in, and what stands for every file.
const WILD: [char; 5] = ['*', '?', '[', ';', '~'];
/// Variables of make's own that hold no `=`.
const BUILT_IN: [&str; 5] = ["CC", "CXX", "AR", "LD", "RM"];
/// Variables that the worker sets for its programs.
const SURROUNDING: [&str; 8] = [
    "PATH", "HOME", "TMPDIR", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ",
];
/// `$@` and its like, whose values are names in the Makefile.
const AUTOMATIC: [char; 7] = ['@', '<', '^', '+', '*', '?', '%'];

/// Whether no line of the dry run's output gives a value to a variable named in `names` (in whatever
/// case) but those in `given`, which stand on the command line.
pub(super) fn is_plain(text: &str, given: &[&str], names: &[String]) -> bool {
    let mut reader = Reader {
        names,
        known: given.iter().chain(&BUILT_IN).copied().collect(),
        is_in_rule: false,
    };
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')) {
        return false;
    }
    reader.known.extend(text.lines().filter_map(assigned));
    text.lines().all(|line| reader.takes(line))
}

struct Reader<'a> {
    names: &'a [String],
    /// The variables whose values hold no `=`.
    known: BTreeSet<&'a str>,
    is_in_rule: bool,
}

impl Reader<'_> {
    fn takes(&mut self, line: &str) -> bool {
        match line.strip_prefix('\t') {
            Some(command) => self.takes_command(command),
            None => self.takes_line(line),
        }
    }

    /// A command of a rule; with `+` it would run even in a dry run.
    fn takes_command(&self, command: &str) -> bool {
        let begin = command.trim_start_matches([' ', '\t', '@', '-']);
        self.is_in_rule
            && !begin.starts_with('+')
            && self.refers_to_known(command, true)
            && self.gives_no_value(command)
    }

    fn takes_line(&mut self, line: &str) -> bool {
        let text = line.trim();
        if line.ends_with('\\') {
            return false;
        }
        if text.is_empty() || text.starts_with('#') {
            return true;
        }
        if !self.refers_to_known(text, false) {
            return false;
        }
        if let Some(name) = assigned(line) {
            self.is_in_rule = false;
            return !SURROUNDING.contains(&name) && !self.is_named(name) && text.matches('=').count() == 1;
        }
        let first = text.split([' ', '\t']).next().unwrap_or_default();
        if matches!(first, "ifeq" | "ifneq" | "ifdef" | "ifndef" | "else" | "endif") {
            return !text.contains('=');
        }
        self.is_in_rule = is_rule(text);
        self.is_in_rule
    }

    /// Whether the words before each `=` are as they will be read, and none of the names.
    fn gives_no_value(&self, text: &str) -> bool {
        let ends = text.match_indices('=').map(|(at, _)| at);
        ends.map(|at| before(&text[..at]))
            .all(|word| !word.contains(['$', '\\']) && !self.is_named(word))
    }

    fn is_named(&self, word: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(word))
    }

    /// Whether each `$` stands for a known variable, or in a command for itself.
    fn refers_to_known(&self, text: &str, is_command: bool) -> bool {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('$') {
            rest = if let Some(literal) = after.strip_prefix('$') {
                if !is_command {
                    return false;
                }
                literal
            } else if let Some(behind) = after.strip_prefix(AUTOMATIC) {
                behind
            } else {
                let close = match after.as_bytes().first() {
                    Some(b'(') => ')',
                    Some(b'{') => '}',
                    _ => return false,
                };
                match after[1..].split_once(close) {
                    Some((name, behind)) if self.known.contains(name) => behind,
                    _ => return false,
                }
            };
        }
        true
    }
}

/// The variable that a line outside of rules gives a value to.
fn assigned(line: &str) -> Option<&str> {
    if line.starts_with('\t') {
        return None;
    }
    let (name, _) = line.split_once('=')?;
    let name = name.trim_end_matches(['?', '+']);
    let name = name.strip_suffix("::").or(name.strip_suffix(':')).unwrap_or(name);
    let name = name.trim_matches([' ', '\t']);
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // Those steer make: what it does, and which further files it reads.
    let steers = name.starts_with("MAKE") || matches!(name, "GNUMAKEFLAGS" | "SHELL" | "VPATH");
    (is_name && !steers).then_some(name)
}

/// Whether a line is the head of a rule that asks for nothing but files named in it, and not for a
/// Makefile, which make would make even in a dry run.
fn is_rule(text: &str) -> bool {
    let is_any = |part: &str| part.contains('%') && !part.contains("%.");
    text.contains(':')
        && !text.contains('=')
        && !text.contains(WILD)
        && !text.contains('\\')
        && !text.to_ascii_lowercase().contains("makefile")
        && !text.split([' ', '\t', ':']).any(is_any)
}

/// The word that an `=` behind `text` would give a value to.
fn before(text: &str) -> &str {
    let text = text.strip_suffix(':').unwrap_or(text);
    let text = text.trim_end_matches([' ', '\t']);
    text.rsplit([' ', '\t']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_plain_here(text: &str) -> bool {
        let names = ["device", "target"].map(str::to_owned);
        is_plain(text, &["MODE", "TARGET"], &names)
    }

    #[test]
    fn what_brings_in_text_from_elsewhere_is_not_plain() {
        for text in [
            "include other.mk\nall:\n",
            "-include other.mk\nall:\n",
            "X := $(shell cat x)\nall:\n",
            "all:\n\t$(MAKE) -C sub\n",
            "all:\n\t+./configure\n",
            "all:\n\t@ -+./configure\n",
            "$(eval DEVICE = 3)\nall:\n",
            "define X\nDEVICE = 3\nendef\nall:\n",
            "all:\n\techo $(LM_LICENSE_FILE)\n",
            "PATH ?= x\nall:\n\techo $(PATH)\n",
            "all: *.c\n",
            "MAKEFLAGS += x\nall:\n",
            "Makefile: x\n\ttouch x\n",
            "X = a \\\n\tDEVICE=3\nall:\n",
            "all:\n\techo\nX = 3\n\tinclude x\n",
            ".RECIPEPREFIX = >\nall:\n> x\n",
            "%: %.c\n\tcc\n",
        ] {
            assert!(!is_plain_here(text), "{text}");
        }
    }

    #[test]
    fn what_could_give_one_of_the_variables_a_value_is_not_plain() {
        for text in [
            "DEVICE = 3\nall:\n",
            "Device:=3\nall:\n",
            "all: DEVICE = 3\nall:\n",
            "all:\n\tDEVICE=3 ./x\n",
            "all:\n\tDEVICE :=3\n",
            "E =\nall:\n\t$(E)DEVICE=3\n",
            "E =\nall:\n\tDEVICE $(E)=3\n",
            "X = DEVICE=3\nall:\n\t$(X)\n",
            "export DEVICE = 3\nall:\n",
            "override TARGET = 3\nall:\n",
        ] {
            assert!(!is_plain_here(text), "{text}");
        }
    }

    #[test]
    fn an_everyday_makefile_is_plain() {
        let text = "# builds\nCXXFLAGS = -O2 -Wall\nifeq ($(MODE),hw)\nX := $(TARGET).o\nendif\n.PHONY: all run\n\
                    all: $(TARGET)\n\n%.o: %.cpp\n\t$(CXX) $(CXXFLAGS) -DN=3 -c -o $@ $<\n$(TARGET): main.o\n\t\
                    $(CXX) -o $@ $^\nrun: $(TARGET)\n\t@./$(TARGET) > log; echo at=$$(date)\n";
        assert!(is_plain_here(text));
    }
}
