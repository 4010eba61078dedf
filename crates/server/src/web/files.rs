//! `/jobs/ID/files.html`: what the job left behind, or has so far while a stage runs.

use super::{rendered, size};
use crate::app::AppError;
use crate::config::SiteSettings;
use crate::http::Site;
use crate::http::error::ApiResult;
use crate::http::job::id_of;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Html;
use polyphemus_api::running::RunningFiles;
use polyphemus_core::{BlobHash, JobId};

#[derive(Debug, Template)]
#[template(path = "files.html")]
struct FilesPage<'a> {
    frame: &'a SiteSettings,
    id: String,
    title: String,
    /// Which stage left them.
    of: String,
    /// What has to be known of them.
    notice: Option<String>,
    log_bytes: String,
    lines: Vec<Line>,
    count: usize,
    total: String,
}

/// A line of the tree: a folder, or a file in it.
#[derive(Debug)]
struct Line {
    /// 0 for the top; a name for the style sheet, up to `d9`.
    depth: usize,
    name: String,
    file: Option<File>,
}

#[derive(Debug)]
struct File {
    link: String,
    size: String,
    executable: bool,
    /// The first digits of the content's BLAKE3 hash, and all of them; empty while it may change.
    short_hash: String,
    hash: String,
}

pub(crate) async fn files_page(State(site): State<Site>, Path(id): Path<String>) -> ApiResult<Html<String>> {
    let id = id_of(&id)?;
    let job = site.app.job(&id).await?;
    let shown = Shown::of(&site, &id).await?;
    rendered(&FilesPage {
        frame: &site.config.site,
        title: job.title,
        log_bytes: size::bytes(job.log_bytes),
        count: shown.files.len(),
        total: size::bytes(shown.files.iter().map(|file| file.size_bytes).sum()),
        lines: lines(id.as_str(), &shown.files),
        of: shown.of,
        notice: shown.notice,
        id: id.to_string(),
    })
}

/// The files of the page, and where they are from.
struct Shown {
    of: String,
    notice: Option<String>,
    files: Vec<Listed>,
}

/// A file of a running stage has no hash: it may change.
struct Listed {
    path: String,
    size_bytes: u64,
    executable: bool,
    hash: Option<BlobHash>,
}

impl Shown {
    /// Those of the stage that runs now, if its worker shows them; else those that are committed.
    async fn of(site: &Site, id: &JobId) -> ApiResult<Self> {
        let mut notice = None;
        if let Some(attempt) = site.app.running_attempt(id).await? {
            match site.app.running_files(&attempt).await {
                Ok(files) => return Ok(Self::running(files)),
                Err(AppError::Conflict(_)) => {}
                Err(AppError::Unavailable(why)) => notice = Some(why),
                Err(error) => return Err(error.into()),
            }
        }
        let files = site.app.job_files(id).await?;
        let of = match files.of.as_str() {
            "upload" => "as they were handed in".to_owned(),
            stage => format!("as stage {stage} left them"),
        };
        let files = files.files.into_iter().map(|file| Listed {
            path: file.path,
            size_bytes: file.size_bytes,
            executable: file.executable,
            hash: Some(file.hash),
        });
        let files = files.collect();
        Ok(Self { of, notice, files })
    }

    fn running(files: RunningFiles) -> Self {
        let of = format!(
            "as they are now in stage {}, attempt {}, which still runs",
            files.stage, files.attempt
        );
        let more = if files.truncated {
            " There are more than are listed."
        } else {
            ""
        };
        let notice = format!(
            "These files are not committed: they may change or vanish until the stage has ended.{more}"
        );
        let files = files.files.into_iter().map(|file| Listed {
            path: file.path,
            size_bytes: file.size_bytes,
            executable: file.executable,
            hash: None,
        });
        Self {
            of,
            notice: Some(notice),
            files: files.collect(),
        }
    }
}

/// The files, sorted by path, with a line for each folder before what is in it.
fn lines(id: &str, files: &[Listed]) -> Vec<Line> {
    let mut lines = Vec::with_capacity(files.len());
    let mut above: Vec<&str> = Vec::new();
    for file in files {
        let mut folders: Vec<&str> = file.path.split('/').collect();
        let name = folders.pop().unwrap_or_default();
        let common = above.iter().zip(&folders).take_while(|(a, b)| a == b).count();
        for (depth, folder) in folders.iter().enumerate().skip(common) {
            lines.push(Line {
                depth: depth.min(9),
                name: format!("{folder}/"),
                file: None,
            });
        }
        lines.push(Line {
            depth: folders.len().min(9),
            name: name.to_owned(),
            file: Some(File::of(id, file)),
        });
        above = folders;
    }
    lines
}

impl File {
    fn of(id: &str, file: &Listed) -> Self {
        let hash = file.hash.as_ref().map_or("", BlobHash::as_str);
        Self {
            link: link(id, &file.path),
            size: size::bytes(file.size_bytes),
            executable: file.executable,
            short_hash: hash.get(..10).unwrap_or_default().to_owned(),
            hash: hash.to_owned(),
        }
    }
}

/// The address of a file of a job.
pub(super) fn link(id: &str, path: &str) -> String {
    let mut link = format!("/jobs/{id}/files/code/");
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                link.push(char::from(byte))
            }
            _ => link.push_str(&format!("%{byte:02X}")),
        }
    }
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_stands_once_before_its_files() {
        let file = |path: &str| Listed {
            path: path.into(),
            size_bytes: 1,
            executable: false,
            hash: Some(BlobHash::from_bytes([1; 32])),
        };
        let files = [
            file("Makefile"),
            file("a/b/c.v"),
            file("a/b/d.v"),
            file("a/x y.v"),
            file("b/b/c.v"),
        ];
        let lines = lines("ID", &files);
        let shown: Vec<String> = lines
            .iter()
            .map(|line| format!("{}{}", " ".repeat(line.depth), line.name))
            .collect();
        assert_eq!(
            shown,
            [
                "Makefile", "a/", " b/", "  c.v", "  d.v", " x y.v", "b/", " b/", "  c.v"
            ]
        );
        let links: Vec<&str> = lines
            .iter()
            .filter_map(|line| Some(line.file.as_ref()?.link.as_str()))
            .collect();
        assert_eq!(links[3], "/jobs/ID/files/code/a/x%20y.v");
    }
}
