//! A worker's part: claims, what an attempt says, and the contents that it needs and makes.

use super::{ANSWER_TIMEOUT, AttemptRef, Client, ClientError};
use crate::blob::{BLOB, BLOBS_MISSING, BlobList};
use crate::running::{LOOK, Seen, SeenContent};
use crate::worker::{
    ATTEMPT_KEY, ATTEMPT_LOG, Assignment, CLAIM, ClaimRequest, FINISH, FinishRequest, HEARTBEAT,
    HeartbeatAnswer, LogCommitted,
};
use bytes::Bytes;
use futures::Stream;
use polyphemus_core::hash::BlobHash;
use reqwest::header::CONTENT_LENGTH;
use reqwest::{Body, Method, RequestBuilder, StatusCode};
use std::time::Duration;

impl Client {
    /// Waits for a stage; `None` when there was none in time.
    pub async fn claim(&self, claim: &ClaimRequest) -> Result<Option<Assignment>, ClientError> {
        let patience = Duration::from_millis(claim.wait_ms) + ANSWER_TIMEOUT;
        let request = self.request(Method::POST, CLAIM).json(claim).timeout(patience);
        let response = self.send(request).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        self.parse(response).await.map(Some)
    }

    /// Renews the lease. The answer comes when there is a command, or after at most half a lease.
    pub async fn heartbeat(&self, attempt: &AttemptRef) -> Result<HeartbeatAnswer, ClientError> {
        self.json(
            self.of_attempt(Method::POST, HEARTBEAT, attempt)
                .timeout(ANSWER_TIMEOUT),
        )
        .await
    }

    /// Answers a look.
    pub async fn look_answer(&self, attempt: &AttemptRef, look: u64, seen: &Seen) -> Result<(), ClientError> {
        let request = self.of_attempt(Method::POST, &of_look(look), attempt).json(seen);
        self.send(request.timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    /// Answers a look with a part of a file.
    pub async fn look_content(
        &self,
        attempt: &AttemptRef,
        look: u64,
        of: &SeenContent,
        content: Bytes,
    ) -> Result<(), ClientError> {
        let request = self.of_attempt(Method::POST, &of_look(look), attempt).query(of);
        let request = request.body(content).timeout(ANSWER_TIMEOUT);
        self.send(request).await.map(drop)
    }

    /// Appends to the job's log at this offset; the answer is how many bytes are committed.
    pub async fn log_append(
        &self,
        attempt: &AttemptRef,
        offset: u64,
        bytes: Bytes,
    ) -> Result<u64, ClientError> {
        let request = self
            .of_attempt(Method::PUT, ATTEMPT_LOG, attempt)
            .query(&[("offset", offset)]);
        let committed: LogCommitted = self.json(request.body(bytes).timeout(ANSWER_TIMEOUT)).await?;
        Ok(committed.committed_bytes)
    }

    pub async fn finish(&self, attempt: &AttemptRef, finish: &FinishRequest) -> Result<(), ClientError> {
        let request = self.of_attempt(Method::POST, FINISH, attempt).json(finish);
        self.send(request.timeout(ANSWER_TIMEOUT)).await.map(drop)
    }

    /// Which of these blobs the server lacks.
    pub async fn blobs_missing(&self, hashes: Vec<BlobHash>) -> Result<Vec<BlobHash>, ClientError> {
        let request = self
            .request(Method::POST, BLOBS_MISSING)
            .json(&BlobList { hashes });
        let list: BlobList = self.json(request.timeout(ANSWER_TIMEOUT)).await?;
        Ok(list.hashes)
    }

    pub async fn blob(
        &self,
        hash: &BlobHash,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + use<>, ClientError> {
        let response = self.send(self.request(Method::GET, &of_blob(hash))).await?;
        Ok(self.body(response))
    }

    pub async fn blob_put(&self, hash: &BlobHash, body: Body, length: u64) -> Result<(), ClientError> {
        let request = self
            .upload(Method::PUT, &of_blob(hash))
            .header(CONTENT_LENGTH, length)
            .body(body);
        self.send(request).await.map(drop)
    }

    fn of_attempt(&self, method: Method, path: &str, attempt: &AttemptRef) -> RequestBuilder {
        let path = path
            .replace("{job}", attempt.job.as_str())
            .replace("{stage}", attempt.stage.as_str())
            .replace("{attempt}", &attempt.attempt.to_string());
        self.request(method, &path).header(ATTEMPT_KEY, &attempt.key)
    }
}

fn of_look(look: u64) -> String {
    LOOK.replace("{look}", &look.to_string())
}

fn of_blob(hash: &BlobHash) -> String {
    BLOB.replace("{hash}", hash.as_str())
}
