//! `code.zip`: what was handed in, packed while it is sent. It has the files of the upload, not its
//! bytes: those are not kept.

use super::Site;
use super::error::{ApiError, ApiResult};
use super::file::{asked, content_headers};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use polyphemus_artifacts::{Blobs, Mode, Tree};
use polyphemus_core::job::JobId;
use std::io::{self, Write};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Sent at a time, in bytes; so much is gathered before it goes out.
const CHUNK_BYTES: usize = 64 << 10;
/// Chunks that wait for a slow client.
const WAITING: usize = 4;
/// Entries of this size need the larger fields of the format.
const LARGE_BYTES: u64 = u32::MAX as u64 / 2;
/// Of deflate: sources shrink well at once, and the server has other work.
const LEVEL: i64 = 1;

/// The answer with the source tree of the job.
pub(super) async fn answer(site: &Site, id: &JobId, headers: &HeaderMap) -> ApiResult<Response> {
    let hash = site.app.job(id).await?.tree;
    let etag = HeaderValue::try_from(format!("\"zip-{hash}\"")).expect("a hash is visible ASCII");
    let mut guarded = content_headers("application/zip");
    guarded.insert(header::ETAG, etag.clone());
    let known = asked(headers, header::IF_NONE_MATCH);
    if known.is_some_and(|known| etag.to_str().is_ok_and(|etag| known.contains(etag))) {
        return Ok((StatusCode::NOT_MODIFIED, guarded).into_response());
    }
    let name = format!("attachment; filename=\"{id}.zip\"");
    let name = HeaderValue::try_from(name).expect("an id has letters, digits and underscores");
    guarded.insert(header::CONTENT_DISPOSITION, name);
    let blobs = site.app.blobs().clone();
    let tree = blobs.get_tree(&hash).await.map_err(ApiError::from)?;
    Ok((guarded, packed(blobs, tree)).into_response())
}

/// The archive as it is packed. A failure breaks it off before its directory, so that it never looks
/// whole.
fn packed(blobs: Blobs, tree: Tree) -> Body {
    let (sender, chunks) = mpsc::channel(WAITING);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let out = Out {
            chunk: Vec::with_capacity(CHUNK_BYTES),
            sender: sender.clone(),
        };
        if let Err(error) = pack(&runtime, &blobs, &tree, out) {
            tracing::debug!(%error, "an archive was not sent to its end");
            // Nobody is there where the client has gone away, and then nobody misses it.
            let _ = sender.blocking_send(Err(error));
        }
    });
    Body::from_stream(ReceiverStream::new(chunks))
}

fn pack(runtime: &Handle, blobs: &Blobs, tree: &Tree, out: Out) -> io::Result<()> {
    let mut archive = ZipWriter::new_stream(out);
    for entry in tree.entries() {
        let mode = match entry.mode {
            Mode::File => 0o644,
            Mode::Executable => 0o755,
        };
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .unix_permissions(mode)
            .large_file(entry.size_bytes >= LARGE_BYTES);
        archive
            .start_file(entry.path.as_str(), options)
            .map_err(io::Error::other)?;
        let mut content = runtime
            .block_on(blobs.read(&entry.hash))
            .map_err(io::Error::other)?;
        while let Some(chunk) = runtime.block_on(content.next()) {
            archive.write_all(&chunk.map_err(io::Error::other)?)?;
        }
    }
    archive.finish().map_err(io::Error::other)?.into_inner().flush()
}

/// Gathers what is written and hands it to the answer, no faster than the client takes it.
#[derive(Debug)]
struct Out {
    chunk: Vec<u8>,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Write for Out {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.chunk.extend_from_slice(part);
        if self.chunk.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.chunk);
        let sent = self.sender.blocking_send(Ok(chunk.into()));
        sent.map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone away"))
    }
}
