//! Tokens: who may do what over TCP. Through the Unix socket of the instance nobody needs one.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// GET: all; POST: add one. For operators.
pub const TOKENS: &str = "/api/v1/tokens";
/// DELETE: revoke it. For operators.
pub const TOKEN: &str = "/api/v1/tokens/{name}";

/// What the holder of a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything about jobs.
    User,
    /// Claim stages and bring in what came of them.
    Worker,
    /// Everything.
    Operator,
}

impl Role {
    pub const ALL: [Self; 3] = [Self::User, Self::Worker, Self::Operator];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Worker => "worker",
            Self::Operator => "operator",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }
}

/// A token as it is listed: never with its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    pub name: String,
    pub role: Role,
    pub created_ms: i64,
    /// Since when it is worth nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_ms: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// Letters, digits, `-`, `_`, `.` and `@`; whose it is.
    pub name: String,
    pub role: Role,
}

/// The only answer that a secret is ever in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AddedToken {
    pub name: String,
    pub role: Role,
    #[schema(value_type = String)]
    pub token: Secret,
}

/// A text that is never printed by accident.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// To be sent or shown on purpose.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
