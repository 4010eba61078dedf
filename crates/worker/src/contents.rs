//! Brings the files of a tree to this worker and those of a result to the server: not at all where both
//! use one folder, by HTTP otherwise, and then only what the other side lacks.

use crate::backoff::{Backoff, GivenUp, chain, patiently};
use crate::stop::Stop;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use polyphemus_api::{Client, ClientError};
use polyphemus_artifacts::{BlobError, Blobs, Tree};
use polyphemus_core::{BlobHash, TreeHash};
use reqwest::Body;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Transfers at once.
const AT_ONCE: usize = 8;
/// What the server takes in one question.
const HASHES_AT_ONCE: usize = 10_000;
/// What was asked for within this time may be in use.
const IN_USE: Duration = Duration::from_secs(3600);
/// How often a content that arrives damaged is asked for.
const TRIES: u32 = 4;

/// Where this worker has its contents.
#[derive(Debug, Clone)]
pub struct Contents {
    blobs: Blobs,
    client: Client,
    /// The folder is the server's own: nothing has to be sent.
    is_shared: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ContentsError {
    #[error("the attempt ends")]
    Stopped,
    #[error("the server does not give the content {hash}")]
    Refused { hash: BlobHash, source: ClientError },
    #[error("the server does not take what the stage made")]
    NotTaken(#[source] ClientError),
    #[error(transparent)]
    Blob(#[from] BlobError),
}

impl ContentsError {
    /// Whether what is stored is not what it should be, which another try on another worker cannot cure.
    pub fn is_corrupt(&self) -> bool {
        match self {
            Self::Blob(error) => matches!(
                error,
                BlobError::Corrupt { .. } | BlobError::Mismatch { .. } | BlobError::Tree { .. }
            ),
            Self::Refused { source, .. } => matches!(source, ClientError::Refused { status: 404, .. }),
            Self::Stopped | Self::NotTaken(_) => false,
        }
    }
}

impl From<GivenUp> for ContentsError {
    fn from(given_up: GivenUp) -> Self {
        match given_up {
            GivenUp::Stopped => Self::Stopped,
            GivenUp::Client(source) => Self::NotTaken(source),
        }
    }
}

impl Contents {
    pub fn shared(blobs: Blobs, client: Client) -> Self {
        Self {
            blobs,
            client,
            is_shared: true,
        }
    }

    pub fn remote(cache: Blobs, client: Client) -> Self {
        Self {
            blobs: cache,
            client,
            is_shared: false,
        }
    }

    pub fn blobs(&self) -> &Blobs {
        &self.blobs
    }

    /// The tree, with all its files in [`Contents::blobs`].
    pub async fn fetch(&self, hash: &TreeHash, stop: &Stop) -> Result<Tree, ContentsError> {
        if self.is_shared {
            return Ok(self.blobs.get_tree(hash).await?);
        }
        self.fetch_blobs(vec![hash.clone().into()], stop).await?;
        let tree = self.blobs.get_tree(hash).await?;
        let hashes = tree.entries().iter().map(|entry| entry.hash.clone()).collect();
        self.fetch_blobs(hashes, stop).await?;
        Ok(tree)
    }

    /// Makes the tree and its files, which are in [`Contents::blobs`], the server's.
    pub async fn publish(&self, tree: &Tree, stop: &Stop) -> Result<TreeHash, ContentsError> {
        let hash = self.blobs.put_tree(tree).await?;
        if self.is_shared {
            return Ok(hash);
        }
        let mut hashes: Vec<BlobHash> = tree.entries().iter().map(|entry| entry.hash.clone()).collect();
        hashes.push(hash.clone().into());
        hashes.sort_unstable();
        hashes.dedup();
        for some in hashes.chunks(HASHES_AT_ONCE) {
            let missing = patiently(stop, || self.client.blobs_missing(some.to_vec())).await?;
            stream::iter(missing)
                .map(|hash| self.send(hash, stop))
                .buffer_unordered(AT_ONCE)
                .try_collect::<()>()
                .await?;
        }
        Ok(hash)
    }

    /// Deletes what was not used for longest until at most `most_bytes` are kept, or what is left was
    /// used within the last hour: an attempt of another worker may be about to lay it out.
    pub async fn trim(&self, most_bytes: u64) -> Result<(), BlobError> {
        if self.is_shared {
            return Ok(());
        }
        let mut all: Vec<_> = self.blobs.list().try_collect().await?;
        all.sort_unstable_by_key(|blob| std::cmp::Reverse(blob.modified));
        let mut kept_bytes = 0u64;
        for blob in all {
            kept_bytes += blob.size_bytes;
            let age = SystemTime::now().duration_since(blob.modified);
            // What a jump of the clock has put into the future is young.
            if kept_bytes > most_bytes && age.is_ok_and(|age| age > IN_USE) {
                self.blobs.delete(&blob.hash).await?;
            }
        }
        Ok(())
    }

    async fn fetch_blobs(&self, hashes: Vec<BlobHash>, stop: &Stop) -> Result<(), ContentsError> {
        let missing = self.blobs.missing(&hashes).await?;
        stream::iter(missing)
            .map(|hash| self.receive(hash, stop))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    async fn receive(&self, hash: BlobHash, stop: &Stop) -> Result<(), ContentsError> {
        let mut backoff = Backoff::default();
        let mut tries = 0;
        loop {
            let content = patiently(stop, || self.client.blob(&hash)).await;
            let content = content.map_err(|given_up| match given_up {
                GivenUp::Stopped => ContentsError::Stopped,
                GivenUp::Client(source) => ContentsError::Refused {
                    hash: hash.clone(),
                    source,
                },
            })?;
            tries += 1;
            match self.blobs.put_stream(content, &hash, u64::MAX).await {
                Ok(_) => return Ok(()),
                // The connection broke: `patiently` waits until there is one again.
                Err(error @ BlobError::Interrupted(_)) => {
                    tracing::debug!(%hash, error = chain(&error), "a content is fetched again");
                }
                Err(error @ BlobError::Mismatch { .. }) if tries < TRIES => {
                    tracing::warn!(%hash, error = chain(&error), "a content is fetched again");
                }
                Err(error) => return Err(error.into()),
            }
            tokio::select! {
                () = crate::backoff::stopped_hard(stop) => return Err(ContentsError::Stopped),
                () = backoff.wait() => {}
            }
        }
    }

    async fn send(&self, hash: BlobHash, stop: &Stop) -> Result<(), ContentsError> {
        let size_bytes = self
            .blobs
            .size(&hash)
            .await?
            .ok_or(BlobError::Missing(hash.clone()))?;
        let hash = &hash;
        patiently(stop, || self.send_once(hash, size_bytes)).await??;
        Ok(())
    }

    /// The inner error is this side's: the request broke off because the content cannot be read.
    async fn send_once(
        &self,
        hash: &BlobHash,
        size_bytes: u64,
    ) -> Result<Result<(), BlobError>, ClientError> {
        let content = match self.blobs.read(hash).await {
            Ok(content) => content,
            Err(error) => return Ok(Err(error)),
        };
        let fault = Arc::new(Mutex::new(None));
        let noted = fault.clone();
        let content = content.map_err(move |error| {
            let text = error.to_string();
            *noted.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            text
        });
        let sent = self
            .client
            .blob_put(hash, Body::wrap_stream(content), size_bytes)
            .await;
        let fault = fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (fault, sent) {
            (Some(error), Err(_)) => Ok(Err(error)),
            (_, sent) => sent.map(Ok),
        }
    }
}
