//! Where a server is: at an address of HTTP, or behind the Unix socket of its instance directory.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The socket's name in the instance directory.
pub const SOCKET: &str = "polyphemus.sock";
const SCHEME: &str = "unix:";
/// What a socket's address has room for, without the zero at its end.
const LONGEST: usize = 107;

/// What a user named: `http://host:8000`, `unix:/srv/polyphemus/polyphemus.sock`, or an instance directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    Http(String),
    /// The socket's path.
    Socket(PathBuf),
}

impl Address {
    /// Never fails: what is neither a socket nor a directory is for the parser of URLs to judge.
    pub fn parse(text: &str) -> io::Result<Self> {
        if let Some(path) = text.strip_prefix(SCHEME) {
            return socket_at(Path::new(path));
        }
        let is_path = text.starts_with(['/', '.']) || (!text.contains(':') && Path::new(text).is_dir());
        if is_path {
            return socket_at(Path::new(text));
        }
        Ok(Self::Http(text.to_owned()))
    }

    /// The same, as it can be given to any command.
    pub fn of_socket(path: &Path) -> String {
        format!("{SCHEME}{}", path.display())
    }
}

fn socket_at(path: &Path) -> io::Result<Address> {
    let path = std::path::absolute(path)?;
    let is_socket = !path.is_dir() && path.extension().is_some_and(|ending| ending == "sock");
    Ok(Address::Socket(if is_socket { path } else { socket_of(&path) }))
}

/// The socket of the server of this instance directory.
pub fn socket_of(instance: &Path) -> PathBuf {
    instance.join(SOCKET)
}

/// A path to a socket that the kernel takes however long the real one is.
#[derive(Debug, Clone)]
pub struct Reachable {
    path: PathBuf,
    /// What a path through `/proc/self/fd` goes through, as long as it is used.
    _folder: Option<Arc<File>>,
}

impl Reachable {
    /// # Errors
    /// Where the path is too long and its folder cannot be opened.
    pub fn of(path: &Path) -> io::Result<Self> {
        let (folder, name) = match (path.parent(), path.file_name()) {
            (Some(folder), Some(name)) if path.as_os_str().as_bytes().len() > LONGEST => (folder, name),
            _ => {
                return Ok(Self {
                    path: path.to_owned(),
                    _folder: None,
                });
            }
        };
        let folder = File::open(folder)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
        Ok(Self {
            path,
            _folder: Some(Arc::new(folder)),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test ends by panic, and says why")]
mod tests {
    use super::*;

    #[test]
    fn sockets_directories_and_urls_are_told_apart() {
        let socket = |path: &str| Address::Socket(path.into());
        let here = std::env::current_dir().unwrap();
        for (text, address) in [
            (
                "http://127.0.0.1:8000",
                Address::Http("http://127.0.0.1:8000".into()),
            ),
            ("fpga.example", Address::Http("fpga.example".into())),
            ("unix:/no/such/a.sock", socket("/no/such/a.sock")),
            ("unix:/no/such", socket("/no/such/polyphemus.sock")),
            ("/no/such", socket("/no/such/polyphemus.sock")),
            ("/no/such/b.sock", socket("/no/such/b.sock")),
            ("./c", Address::Socket(here.join("c/polyphemus.sock"))),
            ("src", Address::Socket(here.join("src/polyphemus.sock"))),
        ] {
            assert_eq!(Address::parse(text).unwrap(), address, "{text}");
        }
    }

    #[test]
    fn a_path_of_any_length_becomes_one_that_the_kernel_takes() {
        let short = Path::new("/run/polyphemus/polyphemus.sock");
        assert_eq!(Reachable::of(short).unwrap().path(), short);
        let deep =
            std::env::temp_dir().join(format!("polyphemus-{}-{}", std::process::id(), "x".repeat(120)));
        std::fs::create_dir_all(&deep).unwrap();
        let reachable = Reachable::of(&socket_of(&deep)).unwrap();
        assert!(reachable.path().as_os_str().len() <= LONGEST);
        std::fs::write(reachable.path(), "here").unwrap();
        assert!(socket_of(&deep).is_file());
        std::fs::remove_dir_all(&deep).unwrap();
        assert!(Reachable::of(&socket_of(&deep)).is_err());
    }
}
