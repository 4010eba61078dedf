//! `/jobs/ID/files.html`: what the job left behind.

use super::{rendered, size};
use crate::config::SiteSettings;
use crate::http::Site;
use crate::http::error::ApiResult;
use crate::http::job::id_of;
use askama::Template;
use axum::extract::{Path, State};
use axum::response::Html;
use polyphemus_api::job::JobFile;

#[derive(Debug, Template)]
#[template(path = "files.html")]
struct FilesPage<'a> {
    frame: &'a SiteSettings,
    id: String,
    title: String,
    /// Which stage left them.
    of: String,
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
    /// The first digits of the content's BLAKE3 hash, and all of them.
    short_hash: String,
    hash: String,
}

pub(crate) async fn files_page(State(site): State<Site>, Path(id): Path<String>) -> ApiResult<Html<String>> {
    let id = id_of(&id)?;
    let job = site.app.job(&id).await?;
    let files = site.app.job_files(&id).await?;
    rendered(&FilesPage {
        frame: &site.config.site,
        title: job.title,
        of: match files.of.as_str() {
            "upload" => "as they were handed in".to_owned(),
            stage => format!("as stage {stage} left them"),
        },
        log_bytes: size::bytes(job.log_bytes),
        count: files.files.len(),
        total: size::bytes(files.files.iter().map(|file| file.size_bytes).sum()),
        lines: lines(id.as_str(), &files.files),
        id: id.to_string(),
    })
}

/// The files, sorted by path, with a line for each folder before what is in it.
fn lines(id: &str, files: &[JobFile]) -> Vec<Line> {
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
    fn of(id: &str, file: &JobFile) -> Self {
        let hash = file.hash.as_str();
        Self {
            link: link(id, &file.path),
            size: size::bytes(file.size_bytes),
            executable: file.executable,
            short_hash: hash[..10].to_owned(),
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
    use polyphemus_core::BlobHash;

    #[test]
    fn each_folder_stands_once_before_its_files() {
        let file = |path: &str| JobFile {
            path: path.into(),
            size_bytes: 1,
            executable: false,
            hash: BlobHash::from_bytes([1; 32]),
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
