//! Finds the file that a symlink stands for, by names alone.

use super::error::LinkFault;
use std::collections::HashMap;

/// Longest chain of symlinks followed, as in Linux.
const CHAIN: usize = 40;

/// The path that `target` means in a symlink at `link`, both relative to the root.
pub(crate) fn join(link: &str, target: &str) -> Result<String, LinkFault> {
    if target.starts_with('/') {
        return Err(LinkFault::Absolute);
    }
    let mut path: Vec<&str> = link.split('/').collect();
    path.pop();
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." => {
                path.pop().ok_or(LinkFault::Leaves)?;
            }
            component => path.push(component),
        }
    }
    Ok(path.join("/"))
}

/// Follows the symlink `link` through others until `file` knows the path.
pub(super) fn resolve<'a, F>(
    link: &str,
    links: &'a HashMap<String, String>,
    file: impl Fn(&str) -> Option<&'a F>,
    is_directory: impl Fn(&str) -> bool,
) -> Result<&'a F, LinkFault> {
    let mut at = link.to_owned();
    for _ in 0..CHAIN {
        let Some(target) = links.get(&at) else {
            let fault = if is_directory(&at) {
                LinkFault::Directory
            } else {
                LinkFault::Dangling
            };
            return file(&at).ok_or(fault);
        };
        at = join(&at, target)?;
    }
    Err(LinkFault::Loop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_counts_from_the_links_own_directory() {
        assert_eq!(join("a/b/link", "../c.v"), Ok("a/c.v".to_owned()));
        assert_eq!(join("link", "./x//y"), Ok("x/y".to_owned()));
        assert_eq!(join("a/link", "../../c"), Err(LinkFault::Leaves));
        assert_eq!(join("link", "/etc/passwd"), Err(LinkFault::Absolute));
    }
}
