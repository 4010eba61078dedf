//! What is read as Python reads it, what is refused, and that nothing makes the parser panic.

use super::{Value, assignments, value};
use proptest::prelude::*;

fn int(number: i64) -> Value {
    Value::Int(number)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn shown(source: &str) -> String {
    match assignments(source) {
        Ok(all) => all
            .iter()
            .map(|a| format!("{}: {} = {}", a.line, a.name, a.value))
            .collect::<Vec<_>>()
            .join("\n"),
        Err(error) => format!("line {}, {error}", error.line),
    }
}

#[test]
fn literals_are_read_as_python_reads_them() {
    // Each right side was compared with CPython's `ast.literal_eval` of the left.
    let cases = [
        ("0", int(0)),
        ("00", int(0)),
        ("1_000", int(1000)),
        ("-12", int(-12)),
        ("0xFf", int(255)),
        ("0x_ff", int(255)),
        ("0o17", int(15)),
        ("0b1_1", int(3)),
        ("-9223372036854775808", int(i64::MIN)),
        ("1.5", Value::Float(1.5)),
        (".5", Value::Float(0.5)),
        ("1.", Value::Float(1.0)),
        ("2e3", Value::Float(2000.0)),
        ("-1_0.2_5E-1", Value::Float(-1.025)),
        ("'it''s'", text("its")),
        (r#""it's""#, text("it's")),
        (r"'it\'s'", text("it's")),
        (r"'\x41\u00e9\U0001F600\101\0611'", text("Aé😀A11")),
        (r"'a\qb'", text(r"a\qb")),
        (r"r'\n\''", text(r"\n\'")),
        ("'''a\n'b''c'''", text("a\n'b''c")),
        ("'''a\r\nb\rc'''", text("a\nb\nc")),
        ("'a\\\nb'", text("ab")),
        ("\"\"", text("")),
        ("'a' \\\n 'b'", text("ab")),
        ("'a' + 'b' 'c'", text("abc")),
        ("('a'\n # why\n 'b')", text("ab")),
        ("(1)", int(1)),
        ("(1,)", Value::Tuple(vec![int(1)])),
        ("()", Value::Tuple(vec![])),
        ("1, 2,", Value::Tuple(vec![int(1), int(2)])),
        ("[1,\n  2, # two\n]", Value::List(vec![int(1), int(2)])),
        ("[1] + [2]", Value::List(vec![int(1), int(2)])),
        (
            "[[], {}]",
            Value::List(vec![Value::List(vec![]), Value::Dict(vec![])]),
        ),
        (
            "{'a': 1, 2: None,}",
            Value::Dict(vec![(text("a"), int(1)), (int(2), Value::None)]),
        ),
        ("True", Value::Bool(true)),
    ];
    for (source, expected) in cases {
        assert_eq!(value(source).as_ref(), Ok(&expected), "{source}");
    }
}

#[test]
fn a_file_has_assignments_comments_and_texts_that_explain() {
    let source = "\u{feff}\"\"\"The settings\nof our lab.\"\"\"\n\n# c\nA = 1  # one\r\n  # indented\nB_2 = [\n 'x',\n]\n_c=\\\n  None";
    insta::assert_snapshot!(shown(source), @r"
    5: A = 1
    7: B_2 = ['x']
    10: _c = None
    ");
}

#[test]
fn everything_else_is_refused_with_its_line_and_what_is_allowed() {
    let deep = format!("A = {}", "[".repeat(65));
    let long = format!("A = '{}", "x".repeat(200));
    let cases = [
        "import os",
        "A",
        "A == 1",
        "A: int = 1",
        "A.b = 1",
        "A = B = 1",
        "if True:\n  A = 1",
        "\n  A = 1",
        "A = os.environ['X']",
        "A = f()",
        "A = b",
        "A = 2 * 60",
        "A = 1 + 2",
        "A = 'a' + 1",
        "A = not True",
        "A = {1, 2}",
        "A = {[]: 1}",
        "A = [1 2]",
        "A = [1",
        "A = (\n[\n1)",
        "A = ,",
        "A = [,]",
        "A =",
        "A = 1; B = 2",
        "A = 'abc",
        "A = '''abc\n",
        r"A = '\x4'",
        r"A = '\ud800'",
        r"A = '\N{DASH}'",
        r"A = '\0'",
        "A = b'x'",
        "A = f'{x}'",
        "A = 010",
        "A = 1__0",
        "A = 1_",
        "A = 0x",
        "A = 1.2.3",
        "A = 1e999",
        "A = 3j",
        "A = 9223372036854775808",
        "A = \\ 1",
        "A = `x`",
        "Ä = 1",
        "A = 'x' 1",
        &deep,
        &long,
    ];
    let all: Vec<String> = cases
        .iter()
        .map(|source| {
            format!(
                "{}\n  {}",
                source.chars().take(40).collect::<String>().escape_debug(),
                shown(source)
            )
        })
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let source = "#".repeat(super::LARGEST_BYTES + 1);
    assert!(shown(&source).contains("more than 1 MiB"));
}

/// Pieces of the grammar, right and wrong, in any order.
fn any_soup() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "A",
        "=",
        " ",
        "\n",
        "\r\n",
        "\\",
        "'",
        "\"",
        "'''",
        "\"\"\"",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ",",
        ":",
        "+",
        "-",
        "1",
        "0x",
        "_",
        ".",
        "e",
        "None",
        "True",
        "r",
        "b",
        "#",
        "\\x4",
        "\\u12",
        "é",
        "\0",
        "\u{feff}",
        "A = [1, 'x']\n",
    ]);
    prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat())
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::None),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (-1e300..1e300f64).prop_map(Value::Float),
        any::<String>().prop_map(|text| Value::Text(text.replace('\0', ""))),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Tuple),
            prop::collection::vec((any::<i64>().prop_map(Value::Int), inner), 0..4).prop_map(Value::Dict),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_it_panic_and_every_error_has_a_line_of_the_file(source in prop_oneof![any::<String>(), any_soup()]) {
        let lines = source.split(['\n', '\r']).count();
        match assignments(&source) {
            Ok(all) => prop_assert!(all.iter().all(|a| (1..=lines).contains(&a.line))),
            Err(error) => prop_assert!((1..=lines).contains(&error.line), "{error:?}"),
        }
        let _ = value(&source);
    }

    #[test]
    fn no_change_to_the_example_makes_it_panic(at in any::<prop::sample::Index>(), cut in 0usize..40, put in any_soup()) {
        let mut source: Vec<char> = super::super::load::DEFAULTS.chars().collect();
        let at = at.index(source.len());
        let end = (at + cut).min(source.len());
        source.splice(at..end, put.chars());
        let _ = assignments(&source.into_iter().collect::<String>());
    }

    #[test]
    fn what_a_value_is_shown_as_is_read_as_the_same_value(expected in any_value()) {
        let source = expected.to_string();
        prop_assert_eq!(value(&source), Ok(expected), "{}", source);
    }
}
