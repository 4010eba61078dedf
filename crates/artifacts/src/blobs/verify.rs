//! Blobs looked at for what they are: does a content still have its hash, and where to with it if not.

use super::{BlobError, Blobs, Place, blocking};
use futures::TryStreamExt as _;
use polyphemus_core::BlobHash;
use std::path::Path;

impl Blobs {
    /// Reads the content in constant memory. Gives its size in bytes, `None` if it is not there.
    ///
    /// # Errors
    /// [`BlobError::Corrupt`] where its bytes have another hash.
    pub async fn verify(&self, hash: &BlobHash) -> Result<Option<u64>, BlobError> {
        let content = match self.read(hash).await {
            Err(BlobError::Missing(_)) => return Ok(None),
            content => content?,
        };
        let sum = content.try_fold(0, |sum, chunk| async move { Ok(sum + chunk.len() as u64) });
        match sum.await {
            Ok(size_bytes) => Ok(Some(size_bytes)),
            Err(BlobError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Moves a damaged content out of the store to the file `folder`/HASH, on the same filesystem where
    /// the store is a folder. Where the same content is stored again, all who refer to it have it again.
    /// Gives whether it was there.
    pub async fn move_away(&self, hash: &BlobHash, folder: &Path) -> Result<bool, BlobError> {
        let (hash, away) = (hash.clone(), folder.to_owned());
        match &self.place {
            Place::Folder(own) => {
                let own = own.clone();
                blocking(move || own.move_away(&hash, &away)).await
            }
            Place::Objects(_) => {
                let Some(size_bytes) = self.size(&hash).await? else {
                    return Ok(false);
                };
                let parts: Vec<_> = self.read_range(&hash, 0..size_bytes).await?.try_collect().await?;
                let place = away.join(hash.as_str());
                blocking(move || {
                    std::fs::write(&place, parts.concat())
                        .map_err(|error| BlobError::io("write", &place, error))
                })
                .await?;
                self.delete(&hash).await.map(|()| true)
            }
        }
    }
}
