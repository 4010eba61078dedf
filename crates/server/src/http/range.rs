//! `Range: bytes=…` (RFC 9110, §14): the part of a content that a request asks for.

use std::ops::Range;

/// What to send of a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// 206
    Bytes(Range<u64>),
    /// 416: nothing of what was asked for is there.
    Unsatisfiable,
}

/// Reads the header's value for a content of `size_bytes`. What is malformed, of another unit or of
/// several parts is answered with the whole content, as the standard allows.
pub(super) fn parse(header: Option<&str>, size_bytes: u64) -> Part {
    let Some((unit, spec)) = header.and_then(|header| header.split_once('=')) else {
        return Part::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Part::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    let range = match (number(first), number(last)) {
        (Number::Some(first), Number::Absent) => first..size_bytes,
        (Number::Some(first), Number::Some(last)) if first <= last => {
            first..last.saturating_add(1).min(size_bytes)
        }
        (Number::Absent, Number::Some(suffix)) => size_bytes.saturating_sub(suffix)..size_bytes,
        _ => return Part::Whole,
    };
    if range.start < range.end {
        Part::Bytes(range)
    } else {
        Part::Unsatisfiable
    }
}

enum Number {
    Absent,
    Some(u64),
    Bad,
}

fn number(text: &str) -> Number {
    match text.trim() {
        "" => Number::Absent,
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Number::Some(digits.parse().unwrap_or(u64::MAX))
        }
        _ => Number::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_the_standard_says() {
        let cases = [
            (None, Part::Whole),
            (Some("bytes=0-0"), Part::Bytes(0..1)),
            (Some("bytes=2-"), Part::Bytes(2..10)),
            (Some("bytes=2-4"), Part::Bytes(2..5)),
            (Some("bytes=2-99999999999999999999999"), Part::Bytes(2..10)),
            (Some("bytes=-3"), Part::Bytes(7..10)),
            (Some("bytes=-99"), Part::Bytes(0..10)),
            (Some("BYTES = 9-9"), Part::Bytes(9..10)),
            (Some("bytes=10-"), Part::Unsatisfiable),
            (Some("bytes=-0"), Part::Unsatisfiable),
            (Some("bytes=4-2"), Part::Whole),
            (Some("bytes=0-1,3-4"), Part::Whole),
            (Some("bytes=-"), Part::Whole),
            (Some("bytes=x-1"), Part::Whole),
            (Some("bytes=+1-2"), Part::Whole),
            (Some("lines=0-1"), Part::Whole),
            (Some("nonsense"), Part::Whole),
        ];
        for (header, part) in cases {
            assert_eq!(parse(header, 10), part, "{header:?}");
        }
        assert_eq!(parse(Some("bytes=0-"), 0), Part::Unsatisfiable);
    }
}
