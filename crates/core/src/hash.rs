//! Names of contents: the BLAKE3 hash of a blob, and of the canonical text of a tree.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What is wrong with a text that should be a content hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no content hash: 64 lower-case hexadecimal digits are expected")]
pub struct BadHash(pub String);

macro_rules! content_hash {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
        #[cfg_attr(feature = "schema", schema(value_type = String))]
        pub struct $name(String);

        impl $name {
            /// The 32 bytes of a BLAKE3 digest as their name.
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                let mut text = String::with_capacity(64);
                for byte in bytes {
                    for nibble in [byte >> 4, byte & 15] {
                        text.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is below 16"));
                    }
                }
                Self(text)
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = BadHash;

            fn from_str(text: &str) -> Result<Self, BadHash> {
                let fits = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if fits { Ok(Self(text.to_owned())) } else { Err(BadHash(text.chars().take(80).collect())) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadHash;

            fn try_from(text: String) -> Result<Self, BadHash> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(hash: $name) -> String {
                hash.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), &self.0[..12])
            }
        }
    };
}

content_hash! {
    /// The BLAKE3 hash of a file's content.
    BlobHash
}

content_hash! {
    /// The BLAKE3 hash of a tree's canonical text, under which that text is stored as a blob.
    TreeHash
}

impl From<BlobHash> for TreeHash {
    fn from(hash: BlobHash) -> Self {
        Self(hash.0)
    }
}

impl From<TreeHash> for BlobHash {
    fn from(hash: TreeHash) -> Self {
        Self(hash.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sixty_four_lower_case_hex_digits_are_a_hash() {
        let good = BlobHash::from_bytes([0xa7; 32]);
        assert_eq!(good.as_str(), "a7".repeat(32));
        assert_eq!(good.as_str().parse(), Ok(good));
        for bad in ["", "a7", &"A7".repeat(32), &"../".repeat(22)[..64]] {
            assert_eq!(bad.parse::<BlobHash>(), Err(BadHash(bad.to_owned())));
        }
    }
}
