//! The Unix socket in the instance directory: whoever may open it is the operator or his worker.

use polyphemus_api::address::{Reachable, socket_of};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tokio::net::{UnixListener, UnixSocket};

/// Clients that wait in the kernel's queue.
const BACKLOG: u32 = 1024;

/// The bound socket; its file is gone when this is dropped.
#[derive(Debug)]
pub(crate) struct InstanceSocket {
    path: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("{} is there, and it is no socket: move it away", .0.display())]
    NoSocket(PathBuf),
    #[error("the socket {} cannot be {done}", .path.display())]
    Io {
        done: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl InstanceSocket {
    /// Listens there. The caller holds the lock on the instance, so that a socket that is there was left
    /// by a server that is dead.
    pub(crate) fn bind(instance: &Path) -> Result<(Self, UnixListener), SocketError> {
        let path = socket_of(instance);
        let failed = |done| {
            let path = path.clone();
            move |source| SocketError::Io { done, path, source }
        };
        match fs::symlink_metadata(&path) {
            Ok(left) if left.file_type().is_socket() => fs::remove_file(&path).map_err(failed("replaced"))?,
            Ok(_) => return Err(SocketError::NoSocket(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("looked for")(error)),
        }
        let reachable = Reachable::of(&path).map_err(failed("reached"))?;
        let socket = UnixSocket::new_stream().map_err(failed("made"))?;
        socket.bind(reachable.path()).map_err(failed("made"))?;
        // Before it listens: nobody gets in by the permissions that it was made with.
        fs::set_permissions(reachable.path(), Permissions::from_mode(0o600)).map_err(failed("protected"))?;
        let listener = socket.listen(BACKLOG).map_err(failed("listened on"))?;
        Ok((Self { path }, listener))
    }
}

impl Drop for InstanceSocket {
    fn drop(&mut self) {
        // The next server replaces what cannot be removed.
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "the socket stays behind");
        }
    }
}
