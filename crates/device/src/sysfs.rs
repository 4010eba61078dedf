//! Reading sysfs: each file bounded and with a reason when it cannot be used. The only place that opens a file of it.
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

/// More than any attribute that is read here may be; the kernel hands out at most a page (Documentation/filesystems/sysfs).
const LONGEST: u64 = 16 * 1024;

/// A sentence for people: which file, and what was wrong with it.
pub(crate) type Reason = String;

/// The text of an attribute without the white space around it; None when there is no such attribute, or no such
/// device any more.
pub(crate) fn text(path: &Path) -> Result<Option<String>, Reason> {
    let mut bytes = Vec::new();
    match File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut bytes)) {
        Ok(length) if length as u64 > LONGEST => Err(format!(
            "{} is longer than an attribute can be ({LONGEST} bytes)",
            path.display()
        )),
        Ok(_) => plain(bytes, path).map(Some),
        Err(error) if is_absent(&error) => Ok(None),
        Err(error) => Err(cannot_read(path, &error)),
    }
}

fn plain(bytes: Vec<u8>, path: &Path) -> Result<String, Reason> {
    let not_text = || format!("{} does not hold text", path.display());
    let text = String::from_utf8(bytes).map_err(|_| not_text())?;
    let odd = |c: char| c.is_control() && !c.is_whitespace();
    if text.contains(odd) {
        return Err(not_text());
    }
    Ok(text.trim().to_owned())
}

/// Not there, or on a device that has just gone (the kernel answers ENODEV or ENXIO then).
fn is_absent(error: &io::Error) -> bool {
    let gone = [rustix::io::Errno::NODEV, rustix::io::Errno::NXIO];
    error.kind() == ErrorKind::NotFound
        || gone
            .iter()
            .any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// A text that says something: an empty attribute is as good as none.
pub(crate) fn word(path: &Path) -> Result<Option<String>, Reason> {
    Ok(text(path)?.filter(|text| !text.is_empty()))
}

/// A whole number as drivers print them: `1`, `0x1`, `-19`.
pub(crate) fn number(path: &Path) -> Result<Option<i64>, Reason> {
    let Some(text) = word(path)? else { return Ok(None) };
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => i64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map(Some).map_err(|_| {
        format!(
            "{} holds {:?}, which is no number",
            path.display(),
            shortened(&text)
        )
    })
}

/// A PCI or subsystem id without `0x`, in lower case.
pub(crate) fn id(path: &Path) -> Result<Option<String>, Reason> {
    let id = word(path)?.map(|text| text.to_ascii_lowercase());
    Ok(id.map(|text| text.strip_prefix("0x").unwrap_or(&text).to_owned()))
}

/// The names in a folder in their order; none when there is no such folder.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, Reason> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(Vec::new()),
        Err(error) => return Err(cannot_read(folder, &error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        match entry {
            // No name of the kernel's is anything but ASCII.
            Ok(entry) => names.extend(entry.file_name().into_string().ok()),
            Err(error) if is_absent(&error) => break,
            Err(error) => return Err(cannot_read(folder, &error)),
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The sub-devices of a card whose names begin so: `xmc.u.` finds `xmc.u.19922944`. Their numbers mean nothing, so
/// they are never computed. Only folders: a function with an expansion ROM has a *file* `rom`.
pub(crate) fn parts(folder: &Path, names: &[String], begin: &str) -> Vec<PathBuf> {
    let found = names.iter().filter(|name| name.starts_with(begin));
    found
        .map(|name| folder.join(name))
        .filter(|path| path.is_dir())
        .collect()
}

/// Whether something of this name is there; what cannot be looked at is not.
pub(crate) fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// The last name of what a link leads to: a driver's, a bus address.
pub(crate) fn link_name(path: &Path) -> Option<String> {
    let target = fs::read_link(path).ok()?;
    Some(target.file_name()?.to_str()?.to_owned())
}

pub(crate) fn cannot_read(path: &Path, error: &io::Error) -> Reason {
    format!("{} cannot be read ({error})", path.display())
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
