//! What operators ask for.

use super::{ANSWER_TIMEOUT, Client, ClientError, escape};
use crate::gc::{Collection, GC, GcQuery};
use crate::health::HEALTHZ;
use crate::queue::{QUEUE, Queue};
use crate::token::{AddedToken, NewToken, TOKEN, TOKENS, Token};
use crate::worker::{WORKERS, Worker};
use reqwest::Method;
use std::time::Duration;

impl Client {
    /// What waits for a worker.
    pub async fn queue(&self, limit: Option<u32>) -> Result<Queue, ClientError> {
        let request = self.request(Method::GET, QUEUE).timeout(ANSWER_TIMEOUT);
        self.json(request.query(&[("limit", limit)])).await
    }

    pub async fn tokens(&self) -> Result<Vec<Token>, ClientError> {
        self.json(self.request(Method::GET, TOKENS).timeout(ANSWER_TIMEOUT))
            .await
    }

    /// Makes a token; the answer is the only place of its secret.
    pub async fn token_add(&self, new: &NewToken) -> Result<AddedToken, ClientError> {
        let request = self.request(Method::POST, TOKENS).json(new);
        self.json(request.timeout(ANSWER_TIMEOUT)).await
    }

    pub async fn token_revoke(&self, name: &str) -> Result<(), ClientError> {
        let path = TOKEN.replace("{name}", &escape(name));
        let request = self.request(Method::DELETE, &path);
        self.send(request.timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    /// Whether the server can do its work; what it says where it cannot.
    pub async fn healthy(&self, patience: Duration) -> Result<(), ClientError> {
        let request = self.request(Method::GET, HEALTHZ).timeout(patience);
        self.send(request).await.map(drop)
    }

    pub async fn workers(&self) -> Result<Vec<Worker>, ClientError> {
        self.json(self.request(Method::GET, WORKERS).timeout(ANSWER_TIMEOUT))
            .await
    }

    /// Has the server delete what is not needed any more, or only say what that is.
    /// Takes as long as there is to delete.
    pub async fn gc(&self, query: &GcQuery) -> Result<Collection, ClientError> {
        self.json(self.request(Method::POST, GC).query(query)).await
    }
}
