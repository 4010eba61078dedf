//! The device nodes of a board, looked up at the moment that they are handed out: a reset, a new shell or a replug
//! gives a board other ones.
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::device::{Device, Roots};
use crate::sysfs::{self, Reason};
use crate::vendor;

/// A character device that is there and is the one that sysfs means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Below the dev folder that was given.
    pub path: PathBuf,
    /// Its path below `/dev`: `dri/renderD129`.
    pub name: String,
}

/// What a device has nodes for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Nodes {
    /// What a user's program opens.
    pub user: Vec<Node>,
    /// Flash, reset and firewall of the whole card: for administrators alone.
    pub management: Vec<Node>,
}

/// Why a device cannot be handed out now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("device {device} has no usable node: {reason}")]
pub struct NodeError {
    pub device: String,
    pub reason: Reason,
}

impl Device {
    /// The nodes it has at this moment.
    ///
    /// # Errors
    /// When one that a user needs is missing, or is another device's than sysfs says.
    pub fn nodes(&self, roots: &Roots) -> Result<Nodes, NodeError> {
        vendor::nodes(roots, self).map_err(|reason| NodeError {
            device: self.id.clone(),
            reason,
        })
    }
}

/// The node of this name. `dev` is the attribute that tells its numbers (`226:129`), where there is one.
pub(crate) fn node(roots: &Roots, name: &str, dev: Option<&Path>) -> Result<Node, Reason> {
    let path = roots.dev.join(name);
    let metadata = match fs::metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(format!(
                "{} is missing; load the card's driver, and let this program see the machine's /dev",
                path.display()
            ));
        }
        Err(error) => return Err(sysfs::cannot_read(&path, &error)),
    };
    if !metadata.file_type().is_char_device() {
        return Err(format!("{} is not a character device", path.display()));
    }
    if let Some(dev) = dev
        && let Some(wanted) = sysfs::word(dev)?
    {
        let rdev = metadata.rdev();
        let is = format!("{}:{}", rustix::fs::major(rdev), rustix::fs::minor(rdev));
        if is != wanted {
            return Err(format!(
                "{} is the node of {is}, but the card's is {wanted}; it was made for another device",
                path.display()
            ));
        }
    }
    Ok(Node {
        path,
        name: name.to_owned(),
    })
}

/// The render node in a device's `drm` folder.
pub(crate) fn render_node(roots: &Roots, folder: &Path) -> Result<Node, Reason> {
    let drm = folder.join("drm");
    let is_render = |name: &&String| {
        name.strip_prefix("renderD")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    };
    let names = sysfs::names(&drm)?;
    let Some(name) = names.iter().find(is_render) else {
        return Err(format!(
            "{} has no renderD*; the driver has not made the card's node",
            drm.display()
        ));
    };
    node(roots, &format!("dri/{name}"), Some(&drm.join(name).join("dev")))
}
