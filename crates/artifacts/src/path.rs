//! The only place that says which paths a tree may hold, and which paths cannot live side by side.

use std::collections::{HashMap, HashSet};

/// Longest path of a tree in bytes: Linux's PATH_MAX.
pub const PATH_BYTES: usize = 4096;
/// Longest component of a path in bytes: NAME_MAX of ext4, xfs and btrfs.
pub const COMPONENT_BYTES: usize = 255;

/// Why a text is no path of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    #[error("it is empty")]
    Empty,
    #[error("it begins with `/`; a path must be relative")]
    Absolute,
    #[error("it has a `..` component, which could lead out of the tree")]
    Parent,
    #[error("it has an empty or `.` component")]
    Component,
    #[error("it has a backslash; components are separated by `/`")]
    Backslash,
    #[error("it has a control character (a newline, a NUL or the like)")]
    Control,
    #[error("it has an invisible character or one that turns the direction of text (U+202E or the like)")]
    Invisible,
    #[error("a component is longer than {COMPONENT_BYTES} bytes")]
    ComponentTooLong,
    #[error("it is longer than {PATH_BYTES} bytes")]
    TooLong,
}

/// Checks that `path` may stand in a tree: relative, `/`-separated, nothing that leads elsewhere.
pub fn check(path: &str) -> Result<(), PathFault> {
    if path.is_empty() {
        return Err(PathFault::Empty);
    }
    if path.starts_with('/') {
        return Err(PathFault::Absolute);
    }
    if path.len() > PATH_BYTES {
        return Err(PathFault::TooLong);
    }
    if path.contains('\\') {
        return Err(PathFault::Backslash);
    }
    if path.chars().any(char::is_control) {
        return Err(PathFault::Control);
    }
    if path.chars().any(is_invisible) {
        return Err(PathFault::Invisible);
    }
    for component in path.split('/') {
        match component {
            ".." => return Err(PathFault::Parent),
            "" | "." => return Err(PathFault::Component),
            _ if component.len() > COMPONENT_BYTES => return Err(PathFault::ComponentTooLong),
            _ => {}
        }
    }
    Ok(())
}

/// Whether a character shows nothing, or makes others show elsewhere, so that a name looks like another
/// one (Unicode TR 36). The joiners U+200C and U+200D stay: some scripts cannot be written without.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The directories above `path`, nearest last: `a/b/c` gives `a`, `a/b`.
pub fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// The first pair (file, path inside it) where a file would have to be a directory as well.
pub fn file_as_directory<'a>(files: &'a [&'a str]) -> Option<(&'a str, &'a str)> {
    let set: HashSet<&str> = files.iter().copied().collect();
    files.iter().find_map(|path| {
        let file = parents(path).find(|parent| set.contains(parent))?;
        Some((file, *path))
    })
}

/// The first pair of different files that are one file where upper and lower case are the same.
/// Directories that differ in case only are no collision: they merge there without loss.
pub fn case_collision<'a>(files: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let mut folded: HashMap<String, &'a str> = HashMap::with_capacity(files.len());
    for path in files {
        if let Some(other) = folded.insert(path.to_lowercase(), path) {
            return Some((other, path));
        }
    }
    files.iter().find_map(|path| {
        let lower = path.to_lowercase();
        let file = parents(&lower).find_map(|parent| folded.get(parent))?;
        Some((*file, *path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_stay_inside_are_legal() {
        for good in [
            "a",
            "a/b.v",
            "ä/…/x y",
            ".hidden",
            "...",
            "a/..b",
            "-rf",
            "C:",
            "می\u{200c}خواهم",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = "x".repeat(256);
        let deep = format!("{}y", "x/".repeat(2048));
        let cases = [
            ("", PathFault::Empty),
            ("/etc/passwd", PathFault::Absolute),
            ("..", PathFault::Parent),
            ("a/../b", PathFault::Parent),
            ("./a", PathFault::Component),
            ("a//b", PathFault::Component),
            ("a/", PathFault::Component),
            ("a\\b", PathFault::Backslash),
            ("a\nb", PathFault::Control),
            ("a\0b", PathFault::Control),
            ("a\u{85}b", PathFault::Control),
            ("a\u{202e}v.exe", PathFault::Invisible),
            ("a\u{2067}/b", PathFault::Invisible),
            ("a\u{200b}", PathFault::Invisible),
            ("\u{feff}a", PathFault::Invisible),
            (&long, PathFault::ComponentTooLong),
            (&deep, PathFault::TooLong),
        ];
        for (bad, fault) in cases {
            assert_eq!(check(bad), Err(fault), "{bad:?}");
        }
    }

    #[test]
    fn a_file_cannot_be_a_directory_too_even_when_others_sort_between_them() {
        assert_eq!(file_as_directory(&["a", "a.b", "a/b"]), Some(("a", "a/b")));
        assert_eq!(file_as_directory(&["a.b", "a/b", "ab"]), None);
    }

    #[test]
    fn paths_that_differ_in_case_only_collide() {
        assert_eq!(case_collision(&["Top.v", "top.v"]), Some(("Top.v", "top.v")));
        assert_eq!(case_collision(&["SRC", "src/a"]), Some(("SRC", "src/a")));
        assert_eq!(case_collision(&["Src/a", "src/b"]), None);
    }
}
