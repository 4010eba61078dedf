//! Tokens, by the hashes of their secrets.

use super::writer::{Command, Tx};
use super::{Store, StoreError, query, unreadable};
use polyphemus_api::token::{Role, Token};
use sqlx::Row as _;

#[derive(Debug, Clone)]
pub(crate) struct TokenRow {
    pub(crate) token: Token,
    /// Of the secret, in hexadecimal.
    pub(crate) hash: String,
}

/// Adds a token, unless one of this name is in force. Tells whether it did.
#[derive(Debug)]
pub(crate) struct AddToken(pub(crate) TokenRow);

impl Command for AddToken {
    type Done = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let TokenRow { token, hash } = &self.0;
        let added = sqlx::query(query::TOKEN_ADD)
            .bind(&token.name)
            .bind(token.role.as_str())
            .bind(hash)
            .bind(token.created_ms)
            .execute(tx.connection())
            .await?;
        Ok(added.rows_affected() == 1)
    }
}

/// Revokes the token of this name. Tells whether one was in force.
#[derive(Debug)]
pub(crate) struct RevokeToken {
    pub(crate) name: String,
    pub(crate) now_ms: i64,
}

impl Command for RevokeToken {
    type Done = bool;

    async fn run(&self, tx: &mut Tx) -> Result<bool, StoreError> {
        let revoked = sqlx::query(query::TOKEN_REVOKE)
            .bind(self.now_ms)
            .bind(&self.name)
            .execute(tx.connection())
            .await?;
        Ok(revoked.rows_affected() == 1)
    }
}

impl Store {
    /// All of them, by name; also those that are revoked.
    pub(crate) async fn token_list(&self) -> Result<Vec<TokenRow>, StoreError> {
        let rows = sqlx::query(query::TOKEN_LIST).fetch_all(&self.reads).await?;
        rows.iter()
            .map(|row| {
                let role: String = row.try_get(1)?;
                Ok(TokenRow {
                    token: Token {
                        name: row.try_get(0)?,
                        role: Role::parse(&role).ok_or_else(|| unreadable("a token's role", role))?,
                        created_ms: row.try_get(3)?,
                        revoked_ms: row.try_get(4)?,
                    },
                    hash: row.try_get(2)?,
                })
            })
            .collect()
    }
}
