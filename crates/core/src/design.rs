//! What a flow may know of a source tree when it plans: the names, sizes and, of small text files,
//! the contents.

use std::collections::BTreeMap;

/// The largest file whose text is handed to a flow, in bytes.
pub const TEXT_LIMIT_BYTES: u64 = 1 << 20;

/// A source tree as a flow sees it. Paths are relative, `/`-separated and sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Design {
    files: BTreeMap<String, DesignFile>,
}

/// One file of a source tree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DesignFile {
    pub size_bytes: u64,
    /// The content, where the file is small, is text and `wants_text` asked for it.
    pub text: Option<String>,
}

impl Design {
    pub fn new(files: impl IntoIterator<Item = (String, DesignFile)>) -> Self {
        Self {
            files: files.into_iter().collect(),
        }
    }

    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.text.as_deref()
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The innermost folder that holds every file; `None` where files lie at the root.
    pub fn only_folder(&self) -> Option<String> {
        let folder = |path: &'_ str| {
            path.rsplit_once('/')
                .map_or_else(String::new, |(folder, _)| folder.to_owned())
        };
        let mut paths = self.paths();
        let mut shared = folder(paths.next()?);
        for path in paths {
            while !shared.is_empty() && !path.starts_with(&format!("{shared}/")) {
                shared = folder(&shared);
            }
        }
        (!shared.is_empty()).then_some(shared)
    }

    /// The files below a folder, as they are seen from there.
    pub fn below(&self, folder: &str) -> Self {
        let inside = |path: &str| Some(path.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
        Self::new(
            self.files
                .iter()
                .filter_map(|(path, file)| Some((inside(path)?, file.clone()))),
        )
    }

    pub fn files(&self) -> impl Iterator<Item = (&str, &DesignFile)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }
}

/// Whether any flow wants to see the content of a file of this name and size.
pub fn wants_text(path: &str, size_bytes: u64) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    let by_name = matches!(name, "Makefile" | "makefile" | "GNUmakefile");
    let by_ending = matches!(
        ending,
        Some("v" | "sv" | "vh" | "svh" | "pcf" | "lpf" | "cst" | "c" | "cc" | "cpp" | "cxx" | "h" | "hpp",)
    );
    size_bytes <= TEXT_LIMIT_BYTES && (by_name || by_ending)
}
