//! What hostile text becomes before a terminal gets it.

use polyphemus_cli::neutral::{Stream, line, text};

#[test]
fn control_characters_become_pictures_of_themselves() {
    assert_eq!(text("a\tb\nc"), "a\tb\nc");
    assert_eq!(text("\u{1b}]0;title\u{7}"), "␛]0;title␇");
    assert_eq!(text("\u{1b}[2J\u{1b}[H"), "␛[2J␛[H");
    assert_eq!(
        text("rubout\u{7f} csi\u{9b}2J rlo\u{202e}gpj.exe"),
        "rubout␡ csi\u{fffd}2J rlo\u{fffd}gpj.exe"
    );
    assert_eq!(line("a\nb\u{1b}c"), "a␊b␛c");
}

#[test]
fn colours_go_and_carriage_returns_become_newlines() {
    assert_eq!(text("\u{1b}[1;31mred\u{1b}[0m\r\n10%\r20%\r"), "red\n10%\n20%\n");
}

#[test]
fn it_does_not_matter_how_a_stream_is_cut() {
    let raw = "ä\u{1b}[31m塔\r\nx\u{1b}[2J\u{9b}1m\ry\u{1b}".as_bytes();
    let mut broken = raw.to_vec();
    broken.extend([0xff, 0xe5, 0xa1]);
    let whole = {
        let mut stream = Stream::default();
        stream.feed(&broken) + &stream.end()
    };
    assert_eq!(whole, "ä塔\nx␛[2J\u{fffd}1m\ny␛\u{fffd}\u{fffd}");
    for size in 1..broken.len() {
        let mut stream = Stream::default();
        let mut cut: String = broken.chunks(size).map(|chunk| stream.feed(chunk)).collect();
        cut.push_str(&stream.end());
        assert_eq!(cut, whole, "cut into {size}");
    }
}

#[test]
fn a_sequence_without_end_is_not_waited_for() {
    let mut stream = Stream::default();
    let endless = format!("\u{1b}[{}", "1;".repeat(100));
    assert!(stream.feed(endless.as_bytes()).starts_with("␛[1;1;"));
}
