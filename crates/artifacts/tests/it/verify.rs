//! Contents looked at for damage, and damaged ones moved away, also beside the owner of the folder.

use crate::blobs::{blob_path, folder, hash_of, noise};
use bytes::Bytes;
use polyphemus_artifacts::{BlobError, Blobs};

#[tokio::test]
async fn damage_is_found_and_told_from_absence() {
    let (_dir, blobs) = folder();
    let good = blobs.put(noise(2_500_000)).await.unwrap();
    let bad = blobs.put(noise(1_500_000)).await.unwrap();
    let place = blob_path(blobs.folder().unwrap(), &bad);
    let mut bytes = std::fs::read(&place).unwrap();
    bytes[1_000_000] ^= 1;
    std::fs::write(&place, bytes).unwrap();
    let beside = Blobs::open_beside(blobs.folder().unwrap()).unwrap();
    for blobs in [&blobs, &beside] {
        assert_eq!(blobs.verify(&good).await.unwrap(), Some(2_500_000));
        assert_eq!(blobs.verify(&hash_of(b"never stored")).await.unwrap(), None);
        let error = blobs.verify(&bad).await.unwrap_err();
        assert!(matches!(error, BlobError::Corrupt { hash } if hash == bad));
    }
}

#[tokio::test]
async fn what_was_moved_away_is_gone_until_it_is_stored_again() {
    let (dir, in_folder) = folder();
    for blobs in [in_folder, Blobs::memory()] {
        let hash = blobs.put(Bytes::from_static(b"to be moved")).await.unwrap();
        assert!(blobs.move_away(&hash, dir.path()).await.unwrap());
        assert!(!blobs.move_away(&hash, dir.path()).await.unwrap());
        assert_eq!(
            std::fs::read(dir.path().join(hash.as_str())).unwrap(),
            b"to be moved"
        );
        assert_eq!(blobs.verify(&hash).await.unwrap(), None);
        blobs.put(Bytes::from_static(b"to be moved")).await.unwrap();
        assert_eq!(blobs.verify(&hash).await.unwrap(), Some(11));
    }
}

#[test]
fn a_folder_opened_beside_its_owner_is_not_touched() {
    let dir = tempfile::TempDir::new().unwrap();
    assert!(Blobs::open_beside(&dir.path().join("blobs")).is_err());
    Blobs::open_beside(dir.path()).unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
