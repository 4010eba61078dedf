//! The help texts, as a whole.

use crate::program::{run, stdout};

const COMMANDS: [&str; 24] = [
    "serve", "worker", "submit", "jobs", "show", "logs", "files", "get", "wait", "cancel", "retry", "rename",
    "delete", "queue", "workers", "devices", "config", "token", "fsck", "gc", "backup", "restore", "import",
    "doctor",
];

#[test]
fn every_command_says_what_it_does() {
    let mut texts = stdout(&run(&["--help"]));
    for command in COMMANDS {
        let output = run(&[command, "--help"]);
        assert!(output.status.success(), "{command}");
        texts.push_str(&format!(
            "\n──── polyphemus {command} --help\n{}",
            stdout(&output)
        ));
    }
    insta::assert_snapshot!(texts);
}

#[test]
fn the_version_is_that_of_the_package() {
    let expected = concat!("polyphemus ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(stdout(&run(&["--version"])), expected);
}
