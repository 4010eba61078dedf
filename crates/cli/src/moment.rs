//! Times, durations and sizes as people read them.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Zoned};

/// `2026-11-22 10:48:06` in a time zone, of milliseconds since 1970 UTC.
pub fn moment(at_ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(at_ms) {
        Ok(timestamp) => timestamp
            .to_zoned(zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string(),
        Err(_) => format!("{at_ms} ms"),
    }
}

/// What a user means by a time in the past, in milliseconds since 1970 UTC: `2h` or `3 days` before
/// now, a date or date and time here, or one with its zone.
///
/// # Errors
/// A sentence with what can be written, for any other text.
pub fn past(text: &str) -> Result<i64, String> {
    moment_of(text.trim(), &Zoned::now()).ok_or_else(|| {
        format!(
            "`{text}` is no time; write how long ago (30min, 2h, 3 days), a date (2026-11-22), or a date and \
             time (2026-11-22T10:30, 2026-11-22T10:30:00Z)"
        )
    })
}

fn moment_of(text: &str, now: &Zoned) -> Option<i64> {
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    let here = |time: DateTime| time.to_zoned(now.time_zone().clone()).ok();
    if let Ok(date) = text.parse::<Date>().map(DateTime::from)
        && !text.contains(':')
    {
        return Some(here(date)?.timestamp().as_millisecond());
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return Some(here(time)?.timestamp().as_millisecond());
    }
    if let Ok(span) = text.parse::<Span>() {
        // `2h ago` and `2h` mean the same here.
        let span = span.abs();
        return Some(now.checked_sub(span).ok()?.timestamp().as_millisecond());
    }
    let ago: SignedDuration = text.parse().ok()?;
    Some(now.checked_sub(ago.abs()).ok()?.timestamp().as_millisecond())
}

/// Milliseconds since 1970 UTC.
pub fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

/// `0.8 s`, `12 s`, `3 min 05 s`, `2 h 05 min`, `3 d 04 h`. Negative ones, of clocks that disagree, are 0.
pub fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    let s = ms / 1000;
    match s {
        0..10 => format!("{}.{} s", s, ms % 1000 / 100),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {:02} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// `512 B`, `1.5 KiB`, `20.0 MiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut scaled = bytes as f64 / 1024.0;
    let mut unit = 0;
    while scaled >= 1024.0 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{scaled:.1} {}", UNITS[unit])
}

/// `1 file`, `2 files`.
pub fn count(number: usize, noun: &str) -> String {
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{s}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_the_past_is_written_as_people_do() {
        let now: Zoned = "2026-11-22T12:00:00+01:00[Europe/Paris]".parse().unwrap();
        let at = |text: &str| {
            let at_ms = moment_of(text, &now)?;
            Some(Timestamp::from_millisecond(at_ms).unwrap().to_string())
        };
        for (text, meant) in [
            ("2h", "2026-11-22T09:00:00Z"),
            ("30min", "2026-11-22T10:30:00Z"),
            ("3 days", "2026-11-19T11:00:00Z"),
            ("1d 2h ago", "2026-11-21T09:00:00Z"),
            ("2026-11-20", "2026-11-19T23:00:00Z"),
            ("2026-11-20T10:30", "2026-11-20T09:30:00Z"),
            ("2026-11-20 10:30:05", "2026-11-20T09:30:05Z"),
            ("2026-11-20T10:30:00Z", "2026-11-20T10:30:00Z"),
        ] {
            assert_eq!(at(text).as_deref(), Some(meant), "{text}");
        }
        assert_eq!(at("yesterday"), None);
        assert!(past("soon").unwrap_err().contains("2026-11-22"));
    }
}
