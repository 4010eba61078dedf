//! Exists because the server, the worker and the command line all link it: trees of files and the
//! blobs that hold their contents, named by BLAKE3, on a local folder or in memory.
//!
//! - Invariant: a blob is stored under the hash of its bytes; nothing is published before it was hashed.
//! - Invariant: when a `put` on a folder returns `Ok`, content *and* name survive kill -9 and power loss.
//! - Invariant: whatever `get`, `get_tree`, `read` to its end or `materialise` hands out has matched its hash.
//! - Invariant: a `Tree` holds only legal relative paths to files; no value of the type breaks this.
//! - Invariant: an archive is never extracted to paths: its entries stream into blobs, so that no name,
//!   symlink or device in it can touch a file.
//! - Invariant: a blob that is reachable, or younger than the bound, is never collected.
//! - There is no knowledge of jobs, users or HTTP here.

pub mod blobs;
pub mod collect;
pub mod path;
pub mod tree;
pub mod unpack;
pub mod workspace;

pub use blobs::{BlobError, Blobs, ByteStream, Listed, Replayed};
pub use collect::{Collected, collect, survey};
pub use polyphemus_core::{BlobHash, TreeHash};
pub use tree::{Entry, Mode, Tree, TreeError};
pub use unpack::{
    Archive, Format, Incoming, IncomingError, Limits, UnpackError, Unpacked, unpack, unpack_archive,
};
pub use workspace::{Snapshot, WorkspaceError, materialise, snapshot};
