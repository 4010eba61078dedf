//! The dry run before a program: both in one sandbox, since to start one costs more than most dry runs.
//!
//! A shell runs the command with the further arguments, its standard output into a file; says in the
//! output that it has ended, on a line that only this attempt knows; and becomes the command itself.

use super::program::shell_quoted;
use crate::log::Log;
use polyphemus_core::cause::{Cause, CauseKind};
use polyphemus_core::plan::{DryRun, Run};
use regex::bytes::{Regex, RegexBuilder};
use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The exit code of timeout(1) for a program that it has ended.
const TIMED_OUT: i32 = 124;
/// Of a dry run's output; the data base of a large Makefile is a hundredth of it.
const MOST_BYTES: u64 = 16 << 20;
/// Of a line that has not ended, before it is shown.
const LINE_BYTES: usize = 64 << 10;
/// Room for an exit code behind the mark.
const CODE_BYTES: usize = 8;
/// Of one value, in characters.
const VALUE_CHARS: usize = 4096;
/// Variables, in all spellings together.
const MOST_VARIABLES: usize = 64;

/// A dry run that is to come, or is at work.
#[derive(Debug)]
pub struct Rehearsal {
    arguments: Vec<String>,
    time_limit_s: u64,
    variables: Vec<String>,
    /// What the line of its end begins with.
    mark: String,
    /// Where its standard output goes, as the program sees it.
    seen: PathBuf,
    /// The same on this machine.
    output: PathBuf,
    /// A line that has not ended: the mark may be in it.
    rest: Vec<u8>,
    /// Its exit code, once it has ended.
    pub code: Option<i32>,
    pub values: BTreeMap<String, String>,
}

impl Rehearsal {
    /// `mark` tells it from what the program prints; `outside` and `inside` are the folder for
    /// temporary files on this machine and as programs see it.
    pub(super) fn new(dry_run: &DryRun, mark: u64, outside: &Path, inside: &Path) -> Self {
        let name = format!("dry-run-{mark:016x}");
        Self {
            arguments: dry_run.arguments.clone(),
            time_limit_s: dry_run.time_limit_s,
            variables: dry_run.variables.clone(),
            seen: inside.join(&name),
            output: outside.join(&name),
            mark: name,
            rest: Vec::new(),
            code: None,
            values: BTreeMap::new(),
        }
    }

    /// The command of the dry run alone, for people.
    pub(super) fn shown(&self, argv: &[String]) -> Vec<String> {
        argv.iter().chain(&self.arguments).cloned().collect()
    }

    /// What to start for the dry run and then `argv`.
    pub(super) fn around(&self, argv: Vec<String>) -> Vec<String> {
        let arguments: Vec<String> = self.arguments.iter().map(|word| shell_quoted(word)).collect();
        let script = format!(
            "timeout -k 5 {} \"$@\" {} >{}; code=$?; echo {} $code >&2; [ $code = 0 ] || exit $code; exec \"$@\"",
            self.time_limit_s,
            arguments.join(" "),
            shell_quoted(&self.seen.to_string_lossy()),
            self.mark,
        );
        let shell = ["/bin/sh", "-c", &script, "sh"].map(str::to_owned);
        shell.into_iter().chain(argv).collect()
    }

    /// Takes in a part of the output. Gives what is to be shown of it before and after the end of the
    /// dry run, which comes with at most one part.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Fed {
        if self.code.is_some() {
            return Fed::Shown(bytes.to_vec());
        }
        self.rest.extend_from_slice(bytes);
        let mut shown = Vec::new();
        while let Some(end) = self.rest.iter().position(|&b| b == b'\n') {
            let after = self.rest.split_off(end + 1);
            let line = std::mem::replace(&mut self.rest, after);
            match self.end_in(&line) {
                Some((at, code)) => {
                    shown.extend(&line[..at]);
                    self.code = Some(code);
                    return Fed::Ended(shown, std::mem::take(&mut self.rest));
                }
                None => shown.extend(line),
            }
        }
        if self.rest.len() > LINE_BYTES {
            let tail = self
                .rest
                .split_off(self.rest.len() - self.mark.len() - CODE_BYTES);
            shown.extend(std::mem::replace(&mut self.rest, tail));
        }
        Fed::Shown(shown)
    }

    /// Reads the values, once the dry run has ended well.
    pub(super) fn read(&mut self) -> io::Result<()> {
        let output = read_bounded(&self.output)?;
        std::fs::remove_file(&self.output)?;
        if let Some(pattern) = pattern(&self.variables) {
            for captures in pattern.captures_iter(&output) {
                if self.values.len() < MOST_VARIABLES {
                    let text = |n: usize| String::from_utf8_lossy(&captures[n]).into_owned();
                    self.values
                        .insert(text(1), text(2).chars().take(VALUE_CHARS).collect());
                }
            }
        }
        Ok(())
    }

    /// Why the step has failed: of its dry run, where the command never ran in earnest.
    pub(super) fn cause(&self, run: &Run, cause: Cause) -> Cause {
        let arguments = self.arguments.join(" ");
        match self.code {
            None | Some(0) => cause,
            Some(TIMED_OUT) => Cause {
                kind: CauseKind::TimeLimit,
                message: format!(
                    "the dry run (`{arguments}`) of `{}` did not end within {} s; let the Makefile start nothing that \
                     takes long while it is read",
                    run.title, self.time_limit_s
                ),
                ..cause
            },
            Some(_) => Cause {
                message: format!(
                    "the dry run (`{arguments}`), which comes first and tells the Makefile's variables, has failed: {}",
                    cause.message
                ),
                ..cause
            },
        }
    }

    fn line(&self) -> String {
        line(&self.values)
    }

    /// Where in a line the mark stands, perhaps behind output that ended without a line's end; and the
    /// exit code in it.
    fn end_in(&self, line: &[u8]) -> Option<(usize, i32)> {
        let mark = self.mark.as_bytes();
        let at = line.windows(mark.len()).rposition(|part| part == mark)?;
        let code = std::str::from_utf8(&line[at + mark.len()..]).ok()?;
        Some((at, code.trim().parse().ok()?))
    }
}

/// The values of variables in the original's words.
pub(super) fn line(values: &BTreeMap<String, String>) -> String {
    let entries: Vec<String> = values
        .iter()
        .map(|(name, value)| format!("{}: {}", python_text(name), python_text(value)))
        .collect();
    format!("make conf added {{{}}}", entries.join(", "))
}

/// Where the output of a program goes, its dry run's included.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) log: Log,
    pub(super) dry_run: Option<Rehearsal>,
    /// The command, as the log shows it when the dry run has ended well.
    pub(super) in_earnest: String,
}

impl Output {
    /// What is shown goes to `look` too.
    pub(super) fn take(&mut self, bytes: &[u8], look: &mut impl FnMut(&[u8])) -> io::Result<()> {
        let mut show = |bytes: &[u8]| {
            look(bytes);
            self.log.write(bytes)
        };
        let Some(dry_run) = &mut self.dry_run else {
            return show(bytes);
        };
        match dry_run.feed(bytes) {
            Fed::Shown(bytes) => show(&bytes),
            Fed::Ended(before, after) => {
                show(&before)?;
                if dry_run.code == Some(0) {
                    match dry_run.read() {
                        Ok(()) => self.log.line(&dry_run.line())?,
                        Err(error) => self
                            .log
                            .line(&format!("the dry run left no values that can be read: {error}"))?,
                    }
                    self.log.line(&self.in_earnest)?;
                }
                show(&after)
            }
        }
    }

    /// The dry run, when the program has ended; what it left unfinished is shown too.
    pub(super) fn end(mut self, look: &mut impl FnMut(&[u8])) -> io::Result<Option<Rehearsal>> {
        if let Some(dry_run) = &mut self.dry_run {
            let rest = std::mem::take(&mut dry_run.rest);
            look(&rest);
            self.log.write(&rest)?;
        }
        Ok(self.dry_run)
    }
}

/// What comes of a part of the output.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fed {
    Shown(Vec<u8>),
    /// The dry run has ended between the two.
    Ended(Vec<u8>, Vec<u8>),
}

/// Nothing that a program has put in the place of the file is followed or waited for.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let file = std::fs::File::options()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file any more"));
    }
    let mut content = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut content)?;
    Ok(content)
}

/// The original's expression, but that a value ends with its line. `None` where there is nothing to
/// look for.
fn pattern(variables: &[String]) -> Option<Regex> {
    let names: Vec<String> = variables.iter().map(|name| regex::escape(name)).collect();
    let text = format!(r"^[ \t]*({})[ \t]*:?=[ \t]*([^\r\n]*)", names.join("|"));
    let pattern = RegexBuilder::new(&text)
        .case_insensitive(true)
        .multi_line(true)
        .build();
    pattern.ok().filter(|_| !names.is_empty())
}

/// As Python prints a text.
fn python_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut printed = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => printed.push_str(r"\\"),
            '\t' => printed.push_str(r"\t"),
            c if c == quote => printed.extend(['\\', c]),
            c if c.is_control() => printed.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => printed.push(c),
        }
    }
    printed.push(quote);
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rehearsal(folder: &Path, variables: &[&str]) -> Rehearsal {
        let dry_run = DryRun {
            arguments: vec!["--dry-run".into()],
            time_limit_s: 60,
            variables: variables.iter().map(|&name| name.to_owned()).collect(),
        };
        Rehearsal::new(&dry_run, 1, folder, Path::new("/tmp"))
    }

    #[test]
    fn the_end_is_found_however_the_output_is_cut_into_pieces() {
        let text =
            b"a warning\ndry-run-like\nno enddry-run-0000000000000001 0\ngcc -c x\ndry-run-0000000000000001 3\n";
        for size in 1..text.len() {
            let mut one = rehearsal(Path::new("/tmp"), &[]);
            let (mut before, mut after) = (Vec::new(), Vec::new());
            for piece in text.chunks(size) {
                let has_ended = one.code.is_some();
                match one.feed(piece) {
                    Fed::Shown(bytes) if has_ended => after.extend(bytes),
                    Fed::Shown(bytes) => before.extend(bytes),
                    Fed::Ended(first, second) => {
                        before.extend(first);
                        after.extend(second);
                    }
                }
            }
            assert_eq!(before, b"a warning\ndry-run-like\nno end", "{size}");
            assert_eq!(after, b"gcc -c x\ndry-run-0000000000000001 3\n", "{size}");
            assert_eq!(one.code, Some(0));
        }
    }

    #[test]
    fn variables_are_read_in_every_case_and_the_last_value_counts() {
        let folder = tempfile::tempdir().unwrap();
        let mut one = rehearsal(folder.path(), &["device", "target_freq", "a.b"]);
        let output = "DEVICE = xilinx_u200\n# DEVICE = no\nDevice := $(OTHER) 'x'\nTARGET_FREQ=300\nDEVICE =\naxb = 1\n\
                      DEVICES = no\n";
        std::fs::write(&one.output, output).unwrap();
        one.read().unwrap();
        assert_eq!(
            one.line(),
            r#"make conf added {'DEVICE': '', 'Device': "$(OTHER) 'x'", 'TARGET_FREQ': '300'}"#
        );
        assert!(!one.output.exists());
    }

    #[test]
    fn a_link_in_the_place_of_the_output_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "device = secret\n").unwrap();
        let mut one = rehearsal(folder.path(), &["device"]);
        std::os::unix::fs::symlink(&secret, &one.output).unwrap();
        assert!(one.read().is_err());
        assert_eq!(one.values, BTreeMap::new());
    }

    /// What the plan of a design with this Makefile knows without a dry run, and what make's tells.
    fn known_and_told(makefile: &str) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
        let text = polyphemus_core::design::DesignFile {
            size_bytes: makefile.len() as u64,
            text: Some(makefile.to_owned()),
        };
        let design = polyphemus_core::design::Design::new([("Makefile".to_owned(), text)]);
        let settings = polyphemus_core::flow::FlowSettings::default();
        let options = [("make", "1"), ("platform", "zed"), ("directives", "a (b) c")];
        let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let plan = polyphemus_core::flow::plan(&options.into_iter().collect(), &design, &settings).unwrap();
        let polyphemus_core::plan::Step::Run(run) = &plan.stages[0].steps[0] else {
            panic!("{plan:?}");
        };
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Makefile"), makefile).unwrap();
        std::fs::write(folder.path().join("main.cpp"), "").unwrap();
        let names: Vec<&str> = settings.make_conf_vars.iter().map(String::as_str).collect();
        let mut one = rehearsal(folder.path(), &names);
        std::process::Command::new(&run.argv[0])
            .args(&run.argv[1..])
            .args(["--dry-run", "--print-data-base"])
            .current_dir(folder.path())
            .stdout(std::fs::File::create(&one.output).unwrap())
            .stderr(std::process::Stdio::null())
            .status()
            .unwrap();
        one.read().unwrap();
        (run.make_conf.clone(), one.values)
    }

    #[test]
    fn what_is_known_without_a_dry_run_is_what_make_tells() {
        for makefile in [
            "all:\n\t@echo begins=$$(date +%s%N)\n.PHONY: all\n",
            "CXXFLAGS = -O2 -Wall\nifeq ($(MODE),hw)\nX := $(TARGET).o\nendif\nall: $(TARGET)\n%.o: %.cpp\n\t\
             $(CXX) $(CXXFLAGS) -DN=3 -c -o $@ $<\n$(TARGET): main.o\n\t$(CXX) -o $@ $^\n",
            "# DEVICE=3\nN ?= 1\nN += 2\nexe:\n\tif [ 3 = $(N) ]; then N=4 ./x; fi\n",
        ] {
            let (known, told) = known_and_told(makefile);
            assert_eq!(known, told, "{makefile}");
            assert_eq!(known["DIRECTIVES"], "a (b) c", "{makefile}");
        }
        for makefile in [
            "DEVICE = 3\nall:\n\ttrue\n",
            "all:\n\tDEVICE=3 true\n",
            "E =\nall:\n\t$(E)DEVICE $(E)=3\n",
            "E =\nall:\n\tDEVICE$(E)=3\n",
            "X = DEVICE=3\nall:\n\t$(X)\n",
            "$(eval DEV$(E)ICE = 3)\nall:\n\ttrue\n",
            "all:\n\t+@echo DEVICE=3\n",
            "Makefile: x\nx:\n\t@echo DEVICE=3\nall:\n\ttrue\n",
        ] {
            let (known, told) = known_and_told(makefile);
            assert_eq!(known, BTreeMap::new(), "{makefile}");
            let is_told = told.keys().any(|name| name.eq_ignore_ascii_case("device"));
            assert!(is_told, "{makefile}: {told:?}");
        }
    }
}
