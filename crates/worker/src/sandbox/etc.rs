//! The /etc of a sandbox: copies in one folder, since to show each file of the machine's own takes a mount
//! of its own, and a mount takes its time. The only place that knows what there holds no secret.

use super::SandboxError;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// What programs read of /etc and what holds no secret.
const SHOWN: [&str; 11] = [
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "alternatives",
    "nsswitch.conf",
    "localtime",
    "timezone",
    "ssl/certs",
    "ca-certificates.conf",
    "pki/tls/certs",
    "fonts",
];
/// What programs read to reach others. It may change at any time, so that it is never copied.
const NETWORK: [&str; 4] = ["resolv.conf", "hosts", "services", "protocols"];
const PASSWD: &str = "root:x:0:0:root:/home/job:/bin/sh\njob:x:1000:1000:job:/home/job:/bin/sh\n\
                      nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
const GROUP: &str = "root:x:0:\njob:x:1000:\nnogroup:x:65534:\n";

/// The folders that are shown as /etc.
#[derive(Debug, Clone)]
pub(super) struct Etc {
    machine: PathBuf,
    plain: PathBuf,
    network: PathBuf,
}

impl Etc {
    /// In the worker's own folder, from the /etc of the machine.
    pub(super) fn new(folder: &Path, machine: &Path) -> Self {
        Self {
            machine: machine.to_owned(),
            plain: folder.join("etc"),
            network: folder.join("etc-network"),
        }
    }

    /// Makes the copies what the machine's files are now. Programs may be reading them.
    pub(super) fn refresh(&self) -> Result<(), SandboxError> {
        for folder in [&self.plain, &self.network] {
            let failed = |source| SandboxError::Io {
                path: folder.clone(),
                source,
            };
            self.fill(folder).map_err(failed)?;
        }
        for name in NETWORK {
            let path = self.network.join(name);
            write(&path, b"").map_err(|source| SandboxError::Io { path, source })?;
        }
        Ok(())
    }

    /// The folder to show, and what to show in it of the machine.
    pub(super) fn shown(&self, network: bool) -> (&Path, Vec<(PathBuf, String)>) {
        if !network {
            return (&self.plain, Vec::new());
        }
        let files = NETWORK.map(|name| (self.machine.join(name), format!("/etc/{name}")));
        let there = files.into_iter().filter(|(file, _)| file.exists());
        (&self.network, there.collect())
    }

    fn fill(&self, folder: &Path) -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        write(&folder.join("passwd"), PASSWD.as_bytes())?;
        write(&folder.join("group"), GROUP.as_bytes())?;
        for name in SHOWN {
            let copy = folder.join(name);
            match self.machine.join(name).canonicalize() {
                Ok(shown) => {
                    copy.parent().map_or(Ok(()), std::fs::create_dir_all)?;
                    copy_to(&shown, &copy)?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Makes `copy` what `shown` is; links in it stay links, as they would in a mount.
fn copy_to(shown: &Path, copy: &Path) -> io::Result<()> {
    let meta = shown.symlink_metadata()?;
    if meta.is_dir() {
        return copy_folder(shown, copy);
    }
    if meta.is_symlink() {
        let target = std::fs::read_link(shown)?;
        if std::fs::read_link(copy).ok().as_ref() != Some(&target) {
            let unfinished = unfinished(copy);
            symlink(&target, &unfinished)?;
            std::fs::rename(&unfinished, copy)?;
        }
        return Ok(());
    }
    match std::fs::metadata(copy) {
        Ok(now) if is_newer(&now, &meta) => Ok(()),
        // What this worker may not read is not for its jobs either.
        _ if meta.is_file() => match std::fs::read(shown) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            content => write(copy, &content?),
        },
        _ => Ok(()),
    }
}

fn copy_folder(shown: &Path, copy: &Path) -> io::Result<()> {
    std::fs::create_dir_all(copy)?;
    let names = |folder: &Path| -> io::Result<Vec<OsString>> {
        let entries = std::fs::read_dir(folder)?;
        entries.map(|entry| Ok(entry?.file_name())).collect()
    };
    let there = names(shown)?;
    for name in &there {
        copy_to(&shown.join(name), &copy.join(name))?;
    }
    for name in names(copy)?.into_iter().filter(|name| !there.contains(name)) {
        let gone = copy.join(name);
        match gone.symlink_metadata()?.is_dir() {
            true => std::fs::remove_dir_all(gone)?,
            false => std::fs::remove_file(gone)?,
        }
    }
    Ok(())
}

fn is_newer(copy: &Metadata, shown: &Metadata) -> bool {
    let times = (copy.modified(), shown.modified());
    copy.len() == shown.len() && matches!(times, (Ok(copy), Ok(shown)) if copy >= shown)
}

/// The whole content or none of it, for whoever reads the file now.
fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(path);
    std::fs::write(&unfinished, content)?;
    std::fs::rename(&unfinished, path)
}

/// One that was left there by a worker that died is no obstacle.
fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    let unfinished = path.with_file_name(name);
    // Mostly there is none; what cannot be removed shows when it is made.
    let _ = std::fs::remove_file(&unfinished);
    unfinished
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_follow_the_machines_files_and_nothing_else_of_etc_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let machine = folder.path().join("machine");
        std::fs::create_dir_all(machine.join("ssl/certs")).unwrap();
        std::fs::write(machine.join("shadow"), "secret").unwrap();
        std::fs::write(machine.join("ssl/certs/one"), "1").unwrap();
        std::fs::write(machine.join("zone"), "UTC").unwrap();
        symlink("zone", machine.join("localtime")).unwrap();
        symlink("/usr/share/two", machine.join("ssl/certs/two")).unwrap();
        let etc = Etc::new(&folder.path().join("worker"), &machine);
        etc.refresh().unwrap();
        let (copy, more) = etc.shown(false);
        assert_eq!((more.len(), copy.join("shadow").exists()), (0, false));
        assert_eq!(std::fs::read_to_string(copy.join("localtime")).unwrap(), "UTC");
        let link = std::fs::read_link(copy.join("ssl/certs/two")).unwrap();
        assert_eq!(link, Path::new("/usr/share/two"));
        std::fs::remove_file(machine.join("ssl/certs/two")).unwrap();
        std::fs::write(machine.join("ssl/certs/one"), "changed").unwrap();
        std::fs::write(machine.join("hosts"), "").unwrap();
        etc.refresh().unwrap();
        assert_eq!(
            std::fs::read_to_string(copy.join("ssl/certs/one")).unwrap(),
            "changed"
        );
        assert!(copy.join("ssl/certs/two").symlink_metadata().is_err());
        let (network, more) = etc.shown(true);
        assert_eq!(more, [(machine.join("hosts"), "/etc/hosts".to_owned())]);
        assert!(network.join("hosts").exists() && !copy.join("hosts").exists());
    }
}
