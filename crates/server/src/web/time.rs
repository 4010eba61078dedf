//! Times and durations as people read them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A moment: how long ago, and exactly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) relative: String,
    /// In UTC.
    pub(super) absolute: String,
    /// RFC 3339, for machines.
    pub(super) machine: String,
}

impl Moment {
    pub(super) fn new(at_ms: i64, now_ms: i64) -> Self {
        let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let utc = at.to_zoned(TimeZone::UTC);
        Self {
            relative: ago(now_ms - at_ms),
            absolute: utc.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            machine: utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

pub(super) fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// `just now`, `40 s ago`, `3 min ago`, `5 h ago`, `12 days ago`.
fn ago(ms: i64) -> String {
    let seconds = ms / 1000;
    match seconds {
        ..5 => "just now".into(),
        5..60 => format!("{seconds} s ago"),
        60..3600 => format!("{} min ago", seconds / 60),
        3600..86_400 => format!("{} h ago", seconds / 3600),
        86_400..172_800 => "yesterday".into(),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// `0.4 s`, `12 s`, `2 min 03 s`, `5 h 07 min`.
pub(super) fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    let seconds = ms / 1000;
    match seconds {
        ..10 => format!("{}.{} s", seconds, ms % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_people_say_them() {
        let cases = [
            (0, "0.0 s"),
            (950, "0.9 s"),
            (12_340, "12 s"),
            (123_000, "2 min 03 s"),
            (18_420_000, "5 h 07 min"),
        ];
        for (ms, text) in cases {
            assert_eq!(duration(ms), text);
        }
        let cases = [
            (-5000, "just now"),
            (4999, "just now"),
            (59_000, "59 s ago"),
            (60_000, "1 min ago"),
            (7_200_000, "2 h ago"),
            (86_400_000, "yesterday"),
            (3 * 86_400_000, "3 days ago"),
        ];
        for (ms, text) in cases {
            assert_eq!(ago(ms), text);
        }
        let moment = Moment::new(1_600_000_000_000, 1_600_000_060_000);
        assert_eq!(moment.relative, "1 min ago");
        assert_eq!(moment.absolute, "2020-09-13 12:26:40 UTC");
        assert_eq!(moment.machine, "2020-09-13T12:26:40Z");
    }
}
