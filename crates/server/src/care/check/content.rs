//! Every stored content against its hash, and what is remembered of it for the trees that hold it.

use super::{Check, Finding, Phase};
use crate::care::CareError;
use futures::TryStreamExt as _;
use polyphemus_artifacts::{BlobError, BlobHash, Blobs};
use std::collections::HashMap;

/// Contents that are read at once.
const READS_AT_ONCE: usize = 4;

/// How a content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Whole { size_bytes: u64 },
    Damaged,
    Missing,
}

/// The contents that were looked at.
#[derive(Debug, Default)]
pub(super) struct Contents(HashMap<[u8; 32], Content>);

impl Contents {
    /// How the content is; one that was not listed may have come since, and is looked at now.
    pub(super) async fn of(&mut self, blobs: &Blobs, hash: &BlobHash) -> Result<Content, CareError> {
        let key = key(hash);
        if let Some(known) = self.0.get(&key) {
            return Ok(*known);
        }
        let (content, _) = look(blobs, hash).await?;
        if content != Content::Missing {
            self.0.insert(key, content);
        }
        Ok(content)
    }
}

impl Check<'_> {
    pub(super) async fn all_contents(&mut self) -> Result<(), CareError> {
        let blobs = &self.instance.blobs;
        let mut looked_at = blobs
            .list()
            .map_err(CareError::from)
            .map_ok(|listed| async move {
                let (content, why) = look(blobs, &listed.hash).await?;
                Ok::<_, CareError>((listed.hash, content, why))
            })
            .try_buffer_unordered(READS_AT_ONCE);
        while let Some((hash, content, why)) = looked_at.try_next().await? {
            match content {
                Content::Whole { size_bytes } => {
                    self.sums.contents += 1;
                    self.sums.content_bytes += size_bytes;
                }
                Content::Damaged => self.damaged(&hash, &why).await?,
                // It was collected meanwhile.
                Content::Missing => continue,
            }
            self.contents.0.insert(key(&hash), content);
            self.progress(Phase::Contents, self.sums.contents);
        }
        Ok(())
    }

    async fn damaged(&mut self, hash: &BlobHash, why: &str) -> Result<(), CareError> {
        let repaired = match self.repair {
            true => Some(self.instance.quarantine(hash).await?),
            false => None,
        };
        self.found(Finding {
            concerns: format!("content {hash}"),
            what: why.to_owned(),
            remedy: "stop the server and run `polyphemus fsck --repair`; then the jobs that need it can be handed in \
                     again, or the instance restored from a backup; and look after the disk"
                .to_owned(),
            repaired,
        });
        Ok(())
    }
}

/// How a content is, and in words what is wrong with it.
async fn look(blobs: &Blobs, hash: &BlobHash) -> Result<(Content, String), CareError> {
    match blobs.verify(hash).await {
        Ok(Some(size_bytes)) => Ok((Content::Whole { size_bytes }, String::new())),
        Ok(None) => Ok((Content::Missing, "it is not there".to_owned())),
        Err(BlobError::Corrupt { .. }) => {
            let why = "it is damaged: its bytes have another hash".to_owned();
            Ok((Content::Damaged, why))
        }
        // A bad sector is damage of one content, not the end of the check.
        Err(BlobError::Io { doing, source, .. }) => Ok((
            Content::Damaged,
            format!("the disk does not let {doing} it: {source}"),
        )),
        Err(error) => Err(error.into()),
    }
}

/// 32 bytes instead of 64 letters and their allocation.
fn key(hash: &BlobHash) -> [u8; 32] {
    let text = hash.as_str();
    std::array::from_fn(|index| {
        u8::from_str_radix(&text[2 * index..2 * index + 2], 16).expect("a hash is hexadecimal")
    })
}
