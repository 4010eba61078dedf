//! Intel's and its partners' cards under the device feature list (Linux, Documentation/fpga/dfl.rst): a port for users,
//! a management engine for administrators.
use std::path::{Path, PathBuf};

use super::pci::{self, Id};
use super::{Probed, Seen};
use crate::device::{Device, Family, Roots, Shell};
use crate::health::{Reading, SymptomKind};
use crate::node::{self, Nodes};
use crate::sysfs::{self, Reason};

const BOARDS: &[(&str, &str)] = &[
    ("09c4", "pac-a10"),
    ("09c5", "pac-a10"),
    ("0b30", "n3000"),
    ("0b2b", "d5005"),
    ("0b2c", "d5005"),
    ("bcce", "n6000"),
    ("bccf", "n6000"),
];

pub(super) fn may_be(name: &str) -> bool {
    name.starts_with("region")
}

/// A card's region has an engine; the regions inside the engine are its parts.
pub(super) fn probe(roots: &Roots, name: &str) -> Option<Probed> {
    let folder = roots.sys.join("class/fpga_region").join(name);
    let names = match sysfs::names(&folder) {
        Ok(names) => names,
        Err(reason) => return Some(pci::trouble(folder, reason).into()),
    };
    let engine = sysfs::parts(&folder, &names, "dfl-fme.").into_iter().next()?;
    let address = sysfs::link_name(&folder.join("device")).filter(|address| pci::is_address(address));
    let Some(address) = address else {
        return Some(pci::trouble(folder, "its link `device` leads to no PCI device".to_owned()).into());
    };
    let mut reading = Reading::default();
    let interface = interface(&engine).unwrap_or_else(|reason| {
        reading.add(SymptomKind::Unreadable, reason);
        None
    });
    let mut watch = port_signals(&folder, &names, &mut reading);
    if interface.as_deref().is_some_and(all_ones) {
        reading.add(
            SymptomKind::Down,
            "its interface id is all ones: the card has fallen off the bus",
        );
    }
    let shell = interface.filter(|id| !all_ones(id)).map(|id| Shell {
        name: format!("region-{id}"),
        timestamp: "0".to_owned(),
        logic_uuid: Some(id),
    });
    if shell.is_none() {
        reading.add(
            SymptomKind::Unreadable,
            "its interface id (compat_id) is not known",
        );
    }
    let board = board(roots, &address);
    let device = Device {
        labels: vec![format!("fpga:{board}")],
        address: Some(address.clone()),
        numa_node: pci::numa_node(roots, &address),
        shell,
        ..Device::bare(Family::Dfl, address, board)
    };
    if let Err(reason) = nodes(roots, &device) {
        reading.add(SymptomKind::Unreadable, reason);
    }
    watch.push(engine.join("ports_num"));
    let is_complete = device.shell.is_some();
    let seen = Seen {
        device,
        reading,
        is_complete,
        watch,
    };
    Some(seen.into())
}

fn board(roots: &Roots, address: &str) -> String {
    let id = Id::of(roots, address).ok().flatten();
    let known = id.and_then(|id| BOARDS.iter().find(|(device, _)| *device == id.device));
    known.map_or("dfl", |(_, board)| board).to_owned()
}

/// What a design must have been made for.
fn interface(engine: &Path) -> Result<Option<String>, Reason> {
    for part in sysfs::parts(engine, &sysfs::names(engine)?, "dfl-fme-region.") {
        let regions = part.join("fpga_region");
        for region in sysfs::parts(&regions, &sysfs::names(&regions)?, "region") {
            if let Some(id) = sysfs::id(&region.join("compat_id"))? {
                return Ok(Some(id));
            }
        }
    }
    Ok(None)
}

fn port_signals(folder: &Path, names: &[String], reading: &mut Reading) -> Vec<PathBuf> {
    let mut watch = Vec::new();
    for port in sysfs::parts(folder, names, "dfl-port.") {
        let (design, errors) = (port.join("afu_id"), port.join("errors/errors"));
        match sysfs::id(&design) {
            Ok(Some(id)) if all_ones(&id) => {
                reading.add(
                    SymptomKind::Down,
                    "its design's id is all ones: the port does not answer",
                );
            }
            Ok(_) => {}
            Err(reason) => reading.add(SymptomKind::Unreadable, reason),
        }
        if let Ok(Some(bits)) = sysfs::number(&errors)
            && bits != 0
        {
            reading.add(
                SymptomKind::Down,
                format!("its port reports errors ({bits:#x}); clear or reset it"),
            );
        }
        watch.extend([design, errors]);
    }
    watch
}

fn all_ones(id: &str) -> bool {
    !id.is_empty() && id.bytes().all(|b| b == b'f')
}

pub(super) fn nodes(roots: &Roots, device: &Device) -> Result<Nodes, Reason> {
    let address = super::address(device)?;
    let class = roots.sys.join("class/fpga_region");
    for name in sysfs::names(&class)?.iter().filter(|name| may_be(name)) {
        let folder = class.join(name);
        if sysfs::link_name(&folder.join("device")).as_deref() != Some(address) {
            continue;
        }
        let names = sysfs::names(&folder)?;
        let nodes_of = |begin: &str| -> Result<Vec<node::Node>, Reason> {
            let parts = sysfs::parts(&folder, &names, begin);
            let named = parts
                .iter()
                .filter_map(|part| part.file_name()?.to_str().map(|name| (part, name)));
            named
                .map(|(part, name)| node::node(roots, name, Some(&part.join("dev"))))
                .collect()
        };
        let user = nodes_of("dfl-port.")?;
        if !user.is_empty() {
            let management = nodes_of("dfl-fme.").unwrap_or_default();
            return Ok(Nodes { user, management });
        }
    }
    Err(format!(
        "no region of {} belongs to {address} and has a port",
        class.display()
    ))
}
