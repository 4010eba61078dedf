//! Who may do what: tokens are made, told apart and revoked here. In memory, since every request asks.

use super::{App, AppError, now_ms};
use crate::store::{AddToken, RevokeToken, TokenRow};
use polyphemus_api::token::{AddedToken, NewToken, Role, Secret, Token};
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

/// Before each secret, so that whoever finds one somewhere knows what it is.
const PREFIX: &str = "polyphemus_";
/// Of chance in a secret: nobody guesses it, so that its hash needs no salt and no slowness.
const SECRET_BYTES: usize = 20;
const NAME_CHARS: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Tokens(RwLock<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Those in force, by the hash of their secret. What a look-up lets an attacker measure is about
    /// the hash of his guess, which tells him nothing of the secret.
    in_force: HashMap<blake3::Hash, (String, Role)>,
    /// Whether there ever was one.
    any: bool,
}

impl Tokens {
    fn read(&self, rows: Vec<TokenRow>) {
        let in_force = rows.iter().filter(|row| row.token.revoked_ms.is_none());
        let known = Known {
            in_force: in_force
                .filter_map(|row| {
                    let hash = blake3::Hash::from_hex(&row.hash).ok()?;
                    Some((hash, (row.token.name.clone(), row.token.role)))
                })
                .collect(),
            any: !rows.is_empty(),
        };
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

impl App {
    /// Whether requests over TCP need a token: from the first one on, also when all are revoked.
    pub fn tokens_required(&self) -> bool {
        self.0.tokens.0.read().unwrap_or_else(PoisonError::into_inner).any
    }

    /// Whose token this is, and what it allows. `None` where it is none that is in force.
    pub fn token_holder(&self, secret: &str) -> Option<(String, Role)> {
        let known = self.0.tokens.0.read().unwrap_or_else(PoisonError::into_inner);
        // The comparison within the look-up is blake3's, in constant time.
        known.in_force.get(&blake3::hash(secret.as_bytes())).cloned()
    }

    /// Makes a token. Its secret is in the answer and nowhere else.
    pub async fn token_add(&self, new: NewToken) -> Result<AddedToken, AppError> {
        check(&new.name)?;
        let mut chance = [0; SECRET_BYTES];
        getrandom::fill(&mut chance).map_err(|error| {
            AppError::Unavailable(format!(
                "this machine gives no random numbers: {error}; try again"
            ))
        })?;
        let mut secret = PREFIX.to_owned();
        for byte in chance {
            secret.push_str(&format!("{byte:02x}"));
        }
        let row = TokenRow {
            token: Token {
                name: new.name.clone(),
                role: new.role,
                created_ms: now_ms(),
                revoked_ms: None,
            },
            hash: blake3::hash(secret.as_bytes()).to_hex().to_string(),
        };
        if !self.0.store.write(AddToken(row)).await? {
            return Err(AppError::Conflict(format!(
                "there is a token named `{0}` already; choose another name, or revoke it first: `polyphemus token \
                 revoke {0}`",
                new.name
            )));
        }
        self.tokens_read().await?;
        tracing::info!(name = new.name, role = new.role.as_str(), "a token was added");
        Ok(AddedToken {
            name: new.name,
            role: new.role,
            token: Secret::new(secret),
        })
    }

    pub async fn token_list(&self) -> Result<Vec<Token>, AppError> {
        let rows = self.0.store.token_list().await?;
        Ok(rows.into_iter().map(|row| row.token).collect())
    }

    /// From now on it opens nothing.
    pub async fn token_revoke(&self, name: &str) -> Result<(), AppError> {
        let revoke = RevokeToken {
            name: name.to_owned(),
            now_ms: now_ms(),
        };
        if !self.0.store.write(revoke).await? {
            return Err(AppError::NotFound {
                what: format!("token `{name}` in force; `polyphemus token list` shows all"),
            });
        }
        self.tokens_read().await?;
        tracing::info!(name, "a token was revoked");
        Ok(())
    }

    /// Takes over what the database has.
    pub(super) async fn tokens_read(&self) -> Result<(), AppError> {
        self.0.tokens.read(self.0.store.token_list().await?);
        Ok(())
    }
}

fn check(name: &str) -> Result<(), AppError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if !name.is_empty() && name.len() <= NAME_CHARS && name.chars().all(fits) {
        return Ok(());
    }
    Err(AppError::BadRequest(format!(
        "`{}` is no name for a token: a name has up to {NAME_CHARS} letters, digits, `-`, `_`, `.` and `@`",
        name.chars().take(80).collect::<String>()
    )))
}
