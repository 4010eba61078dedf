//! How the server is: whether what it needs answers, and its figures. Both cost the same however many
//! jobs there are.

use super::{App, AppError, now_ms};
use crate::metrics::{Ended, Page};
use crate::store::{Changed, Nothing};
use polyphemus_core::StageState;
use rustix::fs::{Access, StatVfs, access, statvfs};
use rustix::process::{Resource, getrlimit};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::timeout;

/// What does not answer within this does not answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Queued stages of one kind are counted up to here.
const COUNTED: u32 = 100_000;

/// Why the server cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum Unhealthy {
    #[error("the database did not answer within {} seconds", PATIENCE.as_secs())]
    DatabaseSilent,
    #[error("the database does not answer")]
    Database(#[source] AppError),
    #[error("the folder {} cannot be written", .0.display())]
    Folder(PathBuf, #[source] std::io::Error),
}

impl App {
    /// Whether the database answers, reading and writing, and the folder of the blobs can be written.
    pub async fn health(&self) -> Result<(), Unhealthy> {
        let database = async {
            self.0.store.job_counts().await?;
            self.0.store.write(Nothing).await
        };
        match timeout(PATIENCE, database).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(Unhealthy::Database(error.into())),
            Err(_) => return Err(Unhealthy::DatabaseSilent),
        }
        let folders = [self.0.blobs.folder(), Some(self.upload_folder())];
        for folder in folders.into_iter().flatten() {
            access(folder, Access::WRITE_OK | Access::EXEC_OK)
                .map_err(|error| Unhealthy::Folder(folder.to_owned(), error.into()))?;
        }
        Ok(())
    }

    /// All figures, as Prometheus reads them.
    pub async fn metrics_page(&self) -> Result<String, AppError> {
        let mut page = Page::default();
        self.write_jobs(&mut page).await?;
        self.write_workers(&mut page).await?;
        page.family(
            "polyphemus_commit_seconds",
            "histogram",
            "How long the database takes to bring a transaction to the disk.",
        );
        page.histogram("polyphemus_commit_seconds", &[], self.0.store.commits());
        write_disk(&mut page, &self.0.config.instance);
        write_process(&mut page);
        self.0.metrics.write(&mut page);
        Ok(page.0)
    }

    async fn write_jobs(&self, page: &mut Page) -> Result<(), AppError> {
        let store = &self.0.store;
        page.family("polyphemus_jobs", "gauge", "Jobs by state.");
        for (state, count) in store.job_counts().await? {
            page.sample("polyphemus_jobs", &[("state", state.as_str())], count as f64);
        }
        let mut queued = Vec::new();
        for shape in store.shape_list() {
            let (count, oldest_ms) = store.stage_count_queued(&shape.key, COUNTED).await?;
            let age_s = oldest_ms.map_or(0, |oldest_ms| (now_ms() - oldest_ms).max(0)) as f64 / 1000.0;
            let needs: Vec<&str> = shape.needs.iter().map(|need| need.0.as_str()).collect();
            queued.push((shape.stage.as_str(), needs.join(" "), count, age_s));
        }
        queued.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        page.family(
            "polyphemus_queued_stages",
            "gauge",
            "Stages that wait for a worker, by what they need; counted up to 100000.",
        );
        for (stage, needs, count, _) in &queued {
            page.sample(
                "polyphemus_queued_stages",
                &[("stage", stage), ("needs", needs)],
                *count as f64,
            );
        }
        page.family(
            "polyphemus_queue_age_seconds",
            "gauge",
            "How long the oldest of them could have been begun.",
        );
        for (stage, needs, _, age_s) in &queued {
            page.sample(
                "polyphemus_queue_age_seconds",
                &[("stage", stage), ("needs", needs)],
                *age_s,
            );
        }
        Ok(())
    }

    async fn write_workers(&self, page: &mut Page) -> Result<(), AppError> {
        let running = self.0.store.stage_count_running(COUNTED).await?;
        let (live, known) = self.worker_counts();
        page.family(
            "polyphemus_workers",
            "gauge",
            "Workers that were heard of in the last hour.",
        );
        page.sample("polyphemus_workers", &[("live", "true")], live as f64);
        page.sample("polyphemus_workers", &[("live", "false")], (known - live) as f64);
        page.family("polyphemus_slots", "gauge", "Slots of workers, by what they do.");
        page.sample("polyphemus_slots", &[("state", "busy")], running as f64);
        page.sample(
            "polyphemus_slots",
            &[("state", "free")],
            self.0.waiting.len() as f64,
        );
        Ok(())
    }

    /// Counts the attempts that this change has ended.
    pub(super) fn count_ended(&self, changed: &Changed) {
        for (old, new) in changed.old.iter().zip(&changed.new) {
            let was_running = matches!(old.stage.state, StageState::Running { .. });
            if was_running && !matches!(new.stage.state, StageState::Running { .. }) {
                let is_good = matches!(new.stage.state, StageState::Succeeded { .. });
                let cause = new.cause.as_ref().filter(|_| !is_good);
                self.0.metrics.attempt_ended(Ended {
                    stage: new.stage.name,
                    outcome: new.stage.state.word(),
                    cause: cause.map_or_else(String::new, |cause| format!("{:?}", cause.kind)),
                });
            }
        }
    }
}

fn write_disk(page: &mut Page, instance: &Path) {
    let Ok(StatVfs {
        f_frsize,
        f_bavail,
        f_blocks,
        ..
    }) = statvfs(instance)
    else {
        return;
    };
    page.single(
        "polyphemus_disk_free_bytes",
        "gauge",
        "What jobs can still fill of the filesystem of the instance.",
        (f_frsize * f_bavail) as f64,
    );
    page.single(
        "polyphemus_disk_bytes",
        "gauge",
        "The size of the filesystem of the instance.",
        (f_frsize * f_blocks) as f64,
    );
}

/// By the names that every process has in Prometheus. What cannot be read is left out.
fn write_process(page: &mut Page) {
    let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
    if let Some(pages) = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok())
    {
        let bytes = pages * rustix::param::page_size() as u64;
        page.single("process_resident_memory_bytes", "gauge", "Memory.", bytes as f64);
    }
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name of the program, in parentheses, may hold spaces.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    let ticks: u64 = fields
        .split(' ')
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<u64>().ok())
        .sum();
    let cpu_s = ticks as f64 / rustix::param::clock_ticks_per_second() as f64;
    page.single("process_cpu_seconds_total", "counter", "Processor time.", cpu_s);
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        page.single("process_open_fds", "gauge", "Open files.", open.count() as f64);
    }
    if let Some(most) = getrlimit(Resource::Nofile).current {
        page.single("process_max_fds", "gauge", "The most of them.", most as f64);
    }
}
