//! What a supervisor says at the end, read as it comes.

use crate::supervise::Status;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::OwnedReadHalf;

/// A status has no more; its message is a sentence.
const MOST_BYTES: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Answer {
    socket: OwnedReadHalf,
    line: Vec<u8>,
}

impl Answer {
    pub(super) fn new(socket: OwnedReadHalf) -> Self {
        let line = Vec::new();
        Self { socket, line }
    }

    /// The status, once nothing of the step is left; `None` where the supervisor died before that.
    /// Dropped while it waits, nothing is lost.
    pub(super) async fn read(&mut self) -> Option<Status> {
        loop {
            if let Some(end) = self.line.iter().position(|&b| b == b'\n') {
                return Status::parse(&self.line[..end]).ok();
            }
            match self.socket.read_buf(&mut self.line).await {
                Ok(count) if count > 0 && self.line.len() < MOST_BYTES => {}
                _ => return None,
            }
        }
    }
}
