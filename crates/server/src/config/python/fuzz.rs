//! The fuzz target of the settings' syntax: no text panics or takes long, an error lies within the
//! text, and what is read is read again from how it is shown.

use super::{assignments, value};
use polyphemus_testkit::fuzz::{damaged, damages, fuzz};
use proptest::prelude::*;

const WORDS: &[&[u8]] = &[
    b"NAME = ",
    b"'",
    b"\"",
    b"'''",
    b"\"\"\"",
    b"\\",
    b"\\\n",
    b"\\x41",
    b"\\u00e9",
    b"\\N{DASH}",
    b"\\777",
    b"#",
    b"[",
    b"]",
    b"(",
    b")",
    b"{",
    b"}",
    b",",
    b":",
    b"=",
    b"-",
    b"+",
    b"0x",
    b"0b1",
    b"1_000",
    b"1e400",
    b".5",
    b"9223372036854775808",
    b"None",
    b"True",
    b"False",
    b"r'",
    b"b'",
    b"f'",
    b"\r",
    b"\n",
    b"\t",
    b"\x0c",
    b"\xe2\x80\xae",
];

fn literal() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        4 => "-?(0|[1-9][0-9]{0,6})(\\.[0-9]{1,3})?",
        4 => "\"[ !#-\\[\\]-~é]{0,8}\"",
        4 => "'[ -&(-\\[\\]-~é]{0,8}'",
        2 => "None|True|False",
        1 => "-?[0-9_]{1,20}(\\.[0-9]{0,3})?(e-?[0-9]{1,3})?",
        1 => "r?\"([ !#-~]|\\\\[nx\"0-7u])*\"",
        1 => "'''[a-z\\\n\"]{0,9}'''",
        1 => "name|f\\(\\)",
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let many = prop::collection::vec(inner, 0..4).prop_map(|parts| parts.join(", "));
        prop_oneof![
            many.clone().prop_map(|parts| format!("[{parts}]")),
            many.clone().prop_map(|parts| format!("({parts},)")),
            many.prop_map(|parts| format!("{{{parts}}}")),
        ]
    })
}

#[test]
fn fuzz_settings() {
    let line = prop_oneof![
        12 => ("[A-Z_]{1,6}", literal()).prop_map(|(name, literal)| format!("{name} = {literal}")),
        1 => "#[ -~]{0,9}",
        1 => literal(),
    ];
    let strategy = (prop::collection::vec(line, 0..5), damages(WORDS));
    fuzz("fuzz_settings", &strategy, |(lines, damages)| {
        let source = damaged(lines.join("\n").into_bytes(), &damages);
        let source = String::from_utf8_lossy(&source);
        match assignments(&source) {
            Ok(all) => {
                for assignment in all {
                    let shown = assignment.value.to_string();
                    prop_assert_eq!(value(&shown), Ok(assignment.value), "{}", shown);
                }
            }
            Err(error) => {
                let lines = source.split(['\n', '\r']).count();
                prop_assert!(
                    (1..=lines).contains(&error.line),
                    "line {} of {lines}",
                    error.line
                );
            }
        }
        let _ = value(&source);
        Ok(())
    });
}
