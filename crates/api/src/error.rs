//! The one envelope of every error answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `{"error": {"code": …, "message": …}}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    pub code: ErrorCode,
    /// What happened to what, why, and what to do now.
    pub message: String,
    /// With `wrong_offset`: how many bytes are committed; go on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committed_bytes: Option<u64>,
}

/// For programs: what kind of error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// 400: the request is wrong; sending it again will not help.
    BadRequest,
    /// 401: it is not known who asks.
    Unauthorized,
    /// 403: it comes from a place that must not do this.
    Forbidden,
    /// 404
    NotFound,
    /// 405
    MethodNotAllowed,
    /// 409: the attempt is no longer the running one; stop all work on it.
    Superseded,
    /// 409: a part of a log that does not continue what is committed.
    WrongOffset,
    /// 409: the thing is not in a state in which this can be done.
    Conflict,
    /// 413
    TooLarge,
    /// 416
    RangeNotSatisfiable,
    /// 429: wait a minute.
    TooManyRequests,
    /// 500: our fault; the log of the server tells more.
    Internal,
    /// 503: try again soon.
    Unavailable,
    /// 507: the server's disk is full.
    NoSpace,
}
