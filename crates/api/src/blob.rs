//! Contents on the wire: raw bytes under their hash; a tree is the blob of its canonical text.

use polyphemus_core::hash::BlobHash;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET` and `PUT` of one blob.
pub const BLOB: &str = "/api/v1/blobs/{hash}";
/// `POST`: which of these blobs the server lacks.
pub const BLOBS_MISSING: &str = "/api/v1/blobs/missing";

/// At most 10,000 hashes a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BlobList {
    pub hashes: Vec<BlobHash>,
}
