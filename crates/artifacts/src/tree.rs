//! A tree: the sorted list of a directory's files with their hashes. The only place for its
//! canonical text, whose BLAKE3 hash is the tree's name.

use crate::path::{self, PathFault};
use bytes::Bytes;
use polyphemus_core::{BlobHash, TreeHash};
use std::fmt::Write as _;

/// First line of the text; another version of the format gets another number.
const HEADER: &str = "polyphemus-tree 1";

/// What a file of a tree may be; directories, symlinks and devices do not exist in trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    File,
    Executable,
}

impl Mode {
    /// From the permission bits of a Unix file mode: executable when its owner may execute it.
    pub fn from_unix(mode: u32) -> Self {
        if mode & 0o100 == 0 {
            Self::File
        } else {
            Self::Executable
        }
    }

    fn letter(self) -> &'static str {
        match self {
            Self::File => "f",
            Self::Executable => "x",
        }
    }
}

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative, separated by `/`, legal as [`path::check`] has it.
    pub path: String,
    pub mode: Mode,
    pub size_bytes: u64,
    pub hash: BlobHash,
}

/// Files sorted by the bytes of their paths, each path once, none a directory of another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    entries: Vec<Entry>,
    total_bytes: u64,
}

/// Why something is no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    #[error("the path {path:?} cannot stand in a tree: {fault}")]
    Path { path: String, fault: PathFault },
    #[error("the path `{0}` stands twice in the tree")]
    Duplicate(String),
    #[error("`{file}` is a file and also the directory of `{inside}`")]
    FileAsDirectory { file: String, inside: String },
    #[error("the sizes of the tree's files add up to more than 2^64 bytes")]
    TooLarge,
    #[error("this is no tree: its first line is not `{HEADER}`")]
    Header,
    #[error("line {0} of the tree is not `mode hash size path` as the format has it")]
    Line(usize),
    #[error("line {0} of the tree is out of order")]
    Order(usize),
}

impl Tree {
    /// A tree of `entries` in any order. Refuses illegal and repeated paths and a file that would
    /// have to be a directory.
    pub fn from_entries(mut entries: Vec<Entry>) -> Result<Self, TreeError> {
        entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        for entry in &entries {
            path::check(&entry.path).map_err(|fault| TreeError::Path {
                path: entry.path.clone(),
                fault,
            })?;
        }
        if let Some(pair) = entries.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(TreeError::Duplicate(pair[0].path.clone()));
        }
        let paths: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        if let Some((file, inside)) = path::file_as_directory(&paths) {
            return Err(TreeError::FileAsDirectory {
                file: file.to_owned(),
                inside: inside.to_owned(),
            });
        }
        let total_bytes = entries
            .iter()
            .try_fold(0u64, |sum, entry| sum.checked_add(entry.size_bytes))
            .ok_or(TreeError::TooLarge)?;
        Ok(Self { entries, total_bytes })
    }

    /// The canonical text: a header line, then `mode hash size path` for each file. The path comes
    /// last and holds no newline, so that nothing needs escaping.
    pub fn encode(&self) -> Bytes {
        let names: usize = self.entries.iter().map(|entry| entry.path.len() + 90).sum();
        let mut text = String::with_capacity(HEADER.len() + 1 + names);
        text.push_str(HEADER);
        text.push('\n');
        for Entry {
            path,
            mode,
            size_bytes,
            hash,
        } in &self.entries
        {
            writeln!(text, "{} {hash} {size_bytes} {path}", mode.letter())
                .expect("writing to a String cannot fail");
        }
        Bytes::from(text)
    }

    /// Reads a canonical text back; any other text of the same tree is refused, so that a tree has
    /// one hash.
    pub fn decode(text: &[u8]) -> Result<Self, TreeError> {
        let body = text
            .strip_prefix(HEADER.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"\n"))
            .ok_or(TreeError::Header)?;
        let mut entries: Vec<Entry> = Vec::new();
        for (index, line) in body.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let number = index + 2;
            let entry = decode_line(line).ok_or(TreeError::Line(number))?;
            match entries.last().map(|last| last.path.cmp(&entry.path)) {
                Some(std::cmp::Ordering::Equal) => return Err(TreeError::Duplicate(entry.path)),
                Some(std::cmp::Ordering::Greater) => return Err(TreeError::Order(number)),
                _ => entries.push(entry),
            }
        }
        Self::from_entries(entries)
    }

    /// BLAKE3 of the canonical text, under which that text is stored as a blob.
    pub fn hash(&self) -> TreeHash {
        TreeHash::from_bytes(*blake3::hash(&self.encode()).as_bytes())
    }

    pub fn get(&self, path: &str) -> Option<&Entry> {
        let at = self
            .entries
            .binary_search_by(|entry| entry.path.as_str().cmp(path))
            .ok()?;
        self.entries.get(at)
    }

    /// All files, sorted by path.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The sum of the sizes of all files, a content counted as often as it stands in the tree.
    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }
}

fn decode_line(line: &[u8]) -> Option<Entry> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let mut fields = line.splitn(4, ' ');
    let mode = match fields.next()? {
        "f" => Mode::File,
        "x" => Mode::Executable,
        _ => return None,
    };
    let hash = fields.next()?.parse().ok()?;
    let digits = fields.next()?;
    let size_bytes: u64 = digits.parse().ok()?;
    // `parse` takes `007` and `+7` as well; only one of them may have this hash.
    let canonical = digits == size_bytes.to_string();
    let path = fields.next()?.to_owned();
    canonical.then_some(Entry {
        path,
        mode,
        size_bytes,
        hash,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(path: &str) -> Entry {
        let hash = BlobHash::from_bytes(*blake3::hash(path.as_bytes()).as_bytes());
        Entry {
            path: path.to_owned(),
            mode: Mode::File,
            size_bytes: path.len() as u64,
            hash,
        }
    }

    #[test]
    fn the_text_of_a_tree_never_changes() {
        let tree = Tree::from_entries(vec![entry("src/top.v"), entry("Makefile")]).unwrap();
        assert_eq!(
            std::str::from_utf8(&tree.encode()).unwrap(),
            "polyphemus-tree 1\n\
             f 39f0bf408bbe92c42efa1d03503d06c16995888950f2d0f7926e5ff6d4621aad 8 Makefile\n\
             f 2fb2d0cbf39b52fca1eb2bd87eee756c9fef300a501791d4ccae1633e8f1024f 9 src/top.v\n"
        );
    }

    #[test]
    fn a_text_that_is_not_canonical_is_refused() {
        let h = "a7".repeat(32);
        let cases = [
            (String::new(), TreeError::Header),
            ("polyphemus-tree 2\n".to_owned(), TreeError::Header),
            (
                format!("polyphemus-tree 1\nf {h} 1 b\nf {h} 1 a\n"),
                TreeError::Order(3),
            ),
            (
                format!("polyphemus-tree 1\nf {h} 1 a\nx {h} 1 a\n"),
                TreeError::Duplicate("a".into()),
            ),
            (format!("polyphemus-tree 1\nf {h} 01 a\n"), TreeError::Line(2)),
            (format!("polyphemus-tree 1\nf {h} +1 a\n"), TreeError::Line(2)),
            (format!("polyphemus-tree 1\nd {h} 1 a\n"), TreeError::Line(2)),
            (format!("polyphemus-tree 1\nf {h} 1 a"), TreeError::Line(2)),
            (
                format!("polyphemus-tree 1\nf {h} 1 ../a\n"),
                TreeError::Path {
                    path: "../a".into(),
                    fault: PathFault::Parent,
                },
            ),
            (
                format!("polyphemus-tree 1\nf {h} {} a\nf {h} 1 b\n", u64::MAX),
                TreeError::TooLarge,
            ),
        ];
        for (text, error) in cases {
            assert_eq!(Tree::decode(text.as_bytes()), Err(error), "{text}");
        }
    }

    #[test]
    fn a_file_that_is_also_a_directory_is_refused() {
        let clash = Tree::from_entries(vec![entry("a/b"), entry("a.c"), entry("a")]);
        assert_eq!(
            clash,
            Err(TreeError::FileAsDirectory {
                file: "a".into(),
                inside: "a/b".into()
            })
        );
    }

    proptest! {
        #[test]
        fn encoding_and_decoding_gives_the_same_tree(
            files in proptest::collection::btree_map("[ -\\[\\]-~äß💡]{1,12}(/[ -\\[\\]-~é]{1,8}){0,3}", (any::<bool>(), any::<u32>()), 0..30)
        ) {
            let entries = files.into_iter().map(|(path, (executable, size))| Entry {
                mode: if executable { Mode::Executable } else { Mode::File },
                size_bytes: size.into(),
                ..entry(&path)
            });
            if let Ok(tree) = Tree::from_entries(entries.collect()) {
                let text = tree.encode();
                let back = Tree::decode(&text).unwrap();
                prop_assert_eq!(&back, &tree);
                prop_assert_eq!(back.encode(), text);
                for entry in tree.entries() {
                    prop_assert_eq!(tree.get(&entry.path), Some(entry));
                    prop_assert_eq!(path::check(&entry.path), Ok(()));
                }
            }
        }

        #[test]
        fn whatever_decodes_is_canonical(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut bytes = b"polyphemus-tree 1\n".to_vec();
            bytes.extend(text);
            if let Ok(tree) = Tree::decode(&bytes) {
                prop_assert_eq!(tree.encode(), Bytes::from(bytes));
            }
        }
    }
}
