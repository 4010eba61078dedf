//! What the server counts of itself, and the text in which Prometheus reads it. Written by hand: the
//! text is a line for each number, and the libraries for it weigh more than that.

use polyphemus_core::StageName;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The upper bounds of a histogram's buckets.
const BOUNDS: [Duration; 13] = [
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
];

/// How often something took how long.
#[derive(Debug, Default)]
pub struct Histogram {
    /// One for each bound, and one for what is beyond them.
    counts: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    pub fn observe(&self, took: Duration) {
        let bucket = BOUNDS.partition_point(|bound| *bound < took);
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }
}

/// Counted since the start of the process; the rest is read when it is asked for.
#[derive(Debug, Default)]
pub struct Metrics {
    /// By method, route and status. Routes are few and fixed: what is no route counts as one.
    requests: Mutex<BTreeMap<(String, String), Arc<Route>>>,
    attempts: Mutex<BTreeMap<Ended, u64>>,
}

#[derive(Debug, Default)]
struct Route {
    took: Histogram,
    /// Of 1xx to 5xx.
    by_class: [AtomicU64; 5],
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ended {
    pub(crate) stage: StageName,
    /// `succeeded`, `failed`, `cancelled`, or `queued` where the stage is to be tried again.
    pub(crate) outcome: &'static str,
    /// Empty where nothing went wrong.
    pub(crate) cause: String,
}

impl Metrics {
    pub(crate) fn request(&self, method: &str, route: &str, status: u16, took: Duration) {
        let key = (method.to_owned(), route.to_owned());
        let route = self
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(key)
            .or_default()
            .clone();
        route.took.observe(took);
        if let Some(class) = route.by_class.get(usize::from(status / 100).wrapping_sub(1)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn attempt_ended(&self, ended: Ended) {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        *attempts.entry(ended).or_default() += 1;
    }

    pub(crate) fn write(&self, page: &mut Page) {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        page.family(
            "polyphemus_attempts_total",
            "counter",
            "Attempts that ended since the start.",
        );
        for (ended, count) in attempts.iter() {
            let labels = [
                ("stage", ended.stage.as_str()),
                ("outcome", ended.outcome),
                ("cause", &ended.cause),
            ];
            page.sample("polyphemus_attempts_total", &labels, *count as f64);
        }
        drop(attempts);
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        page.family("polyphemus_requests_total", "counter", "Answers to requests.");
        for ((method, route), counted) in requests.iter() {
            for (class, count) in counted.by_class.iter().enumerate() {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    let status = format!("{}xx", class + 1);
                    let labels = [("method", method.as_str()), ("route", route), ("status", &status)];
                    page.sample("polyphemus_requests_total", &labels, count as f64);
                }
            }
        }
        page.family(
            "polyphemus_request_seconds",
            "histogram",
            "From the headers of a request to the headers of its answer. Claims and heartbeats are held back on purpose.",
        );
        for ((method, route), counted) in requests.iter() {
            let labels = [("method", method.as_str()), ("route", route.as_str())];
            page.histogram("polyphemus_request_seconds", &labels, &counted.took);
        }
    }
}

/// A page of figures as Prometheus reads them (text format 0.0.4).
#[derive(Debug, Default)]
pub(crate) struct Page(pub(crate) String);

impl Page {
    pub(crate) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing into a text cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A family of one figure.
    pub(crate) fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.family(name, kind, help);
        self.sample(name, &[], value);
    }

    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        if !labels.is_empty() {
            self.0.push('{');
            for (position, (label, text)) in labels.iter().enumerate() {
                let comma = if position > 0 { "," } else { "" };
                let _ = write!(self.0, "{comma}{label}=\"{}\"", escaped(text));
            }
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    pub(crate) fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        let mut so_far = 0;
        let bounds = BOUNDS.map(|bound| bound.as_secs_f64().to_string());
        let bounds = bounds.iter().map(String::as_str).chain(["+Inf"]);
        for (bound, count) in bounds.zip(&histogram.counts) {
            so_far += count.load(Ordering::Relaxed);
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound)]).collect();
            self.sample(&bucket, &labels, so_far as f64);
        }
        let sum_s = histogram.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        self.sample(&format!("{name}_sum"), labels, sum_s);
        self.sample(&format!("{name}_count"), labels, so_far as f64);
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_as_prometheus_reads_them() {
        let metrics = Metrics::default();
        metrics.request("GET", "/jobs/{name}", 200, Duration::from_millis(2));
        metrics.request("GET", "/jobs/{name}", 404, Duration::from_secs(60));
        metrics.attempt_ended(Ended {
            stage: StageName::Make,
            outcome: "failed",
            cause: "a \"quoted\\\" cause".into(),
        });
        let mut page = Page::default();
        metrics.write(&mut page);
        insta::assert_snapshot!(page.0);
    }
}
