//! What a waiting shell is told: to take an environment, to go to a folder, to become a program.

use crate::run::shell_quoted;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// Variables that shells use or set themselves.
const SHELLS_OWN: [&str; 22] = [
    "IFS",
    "PPID",
    "UID",
    "EUID",
    "GROUPS",
    "SHELLOPTS",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "OPTIND",
    "OPTARG",
    "ENV",
    "LINENO",
    "RANDOM",
    "SECONDS",
    "FUNCNAME",
    "DIRSTACK",
    "PWD",
    "OLDPWD",
    "SHLVL",
    "_",
];

/// In the words that all of sh(1) have. `None` where a variable of the program has a name that a shell
/// cannot give it.
pub(super) fn script(argv: &[String], env: &BTreeMap<String, String>, folder: &Path) -> Option<String> {
    let mut text = String::new();
    for (name, value) in env {
        if !is_free(name) {
            return None;
        }
        let _ = writeln!(text, "export {name}={}", shell_quoted(value));
    }
    let _ = writeln!(text, "cd {} || exit 1", shell_quoted(&folder.to_string_lossy()));
    text.push_str("unset OLDPWD SHLVL\nexec");
    for word in argv {
        let _ = write!(text, " {}", shell_quoted(word));
    }
    // What is left of its input is not the program's.
    text.push_str(" </dev/null\n");
    Some(text)
}

fn is_free(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
    name.starts_with(is_letter)
        && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
        && !name.starts_with("BASH")
        && !SHELLS_OWN.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    fn env(entries: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = entries
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()));
        owned.collect()
    }

    #[test]
    fn a_shell_gives_the_program_its_words_variables_and_folder_as_they_are() {
        let odd = "a 'b' \"c\" $HOME `x` \\ \n line\t*";
        let folder = tempfile::Builder::new().prefix("it's $a ").tempdir().unwrap();
        let show = "printf '%s|' \"$1\" \"$ODD\" \"$PWD\"; cat; env | grep -c OLDPWD";
        let argv = ["/bin/sh", "-c", show, "sh", odd].map(str::to_owned);
        let script = script(
            &argv,
            &env(&[("ODD", odd), ("PATH", "/usr/bin:/bin")]),
            folder.path(),
        )
        .unwrap();
        let mut shell = Command::new("/bin/sh")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = shell.stdin.take().unwrap();
        input.write_all(script.as_bytes()).unwrap();
        input.write_all(b"echo never\n").unwrap();
        drop(input);
        let output = shell.wait_with_output().unwrap();
        let place = folder.path().display();
        let expected = format!("{odd}|{odd}|{place}|0\n");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    }

    #[test]
    fn names_that_a_shell_cannot_give_are_left_to_others() {
        for name in ["a-b", "1a", "", "IFS", "UID", "BASH_ENV", "_", "x y"] {
            assert_eq!(
                script(&["x".into()], &env(&[(name, "")]), Path::new("/")),
                None,
                "{name}"
            );
        }
    }
}
