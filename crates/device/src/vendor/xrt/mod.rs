//! Cards under XRT's driver `xocl` (Alveo, Versal, AWS F1 and F2, Advantech, Arista): one device for each user function.
//! Sources: XRT's `sysfs.rst` and the attributes of its drivers `userpf` and `mgmtpf`.
use std::path::{Path, PathBuf};

use super::pci::{self, Id, Role};
use super::{Probed, Seen};
use crate::device::{Device, Family, Roots, Shell};
use crate::health::{Reading, SymptomKind};
use crate::node::{self, Nodes};
use crate::sysfs::{self, Reason};

mod signal;

/// AMD, Arista, AWS, Advantech.
const VENDORS: [&str; 4] = ["10ee", "3475", "1d0f", "13fe"];

pub(super) fn probe(roots: &Roots, address: &str) -> Option<Probed> {
    let folder = pci::folder(roots, address);
    let id = match Id::of(roots, address) {
        Ok(Some(id)) if VENDORS.contains(&id.vendor.as_str()) => id,
        Ok(_) => return None,
        Err(reason) => return Some(pci::trouble(folder, reason).into()),
    };
    let role = id.role();
    if sysfs::is_there(&folder.join("user_pf")) {
        return Some(user(roots, address, &id).into());
    }
    if sysfs::is_there(&folder.join("mgmt_pf")) || matches!(role, Some(Role::Management(_))) {
        return Some(management(roots, address, role));
    }
    match role {
        Some(Role::User(board)) => {
            let reason = "no driver has it; load XRT's driver (modprobe xocl) and look into the kernel's log";
            Some(sick(roots, address, board, reason).into())
        }
        _ => None,
    }
}

/// A card of which only the management function is there stands for itself; else its user functions do.
fn management(roots: &Roots, address: &str, role: Option<Role>) -> Probed {
    let is_user = |other: &String| {
        let by_id = Id::of(roots, other).ok().flatten().and_then(|id| id.role());
        sysfs::is_there(&pci::folder(roots, other).join("user_pf")) || matches!(by_id, Some(Role::User(_)))
    };
    if pci::siblings(roots, address).iter().any(is_user) {
        return Probed::default();
    }
    let board = match role {
        Some(Role::Management(board)) => board,
        _ => "unknown",
    };
    let reason = "it has no user function: it carries its factory (golden) image, or its shell is being changed; \
                  flash a platform (xbmgmt program --base) and start the machine anew";
    sick(roots, address, board, reason).into()
}

fn sick(roots: &Roots, address: &str, board: &str, reason: &str) -> Seen {
    let mut reading = Reading::default();
    reading.add(SymptomKind::Down, reason);
    Seen {
        device: Device {
            address: Some(address.to_owned()),
            numa_node: pci::numa_node(roots, address),
            ..Device::bare(Family::Xrt, address, board)
        },
        reading,
        is_complete: false,
        watch: Vec::new(),
    }
}

fn user(roots: &Roots, address: &str, id: &Id) -> Seen {
    let folder = pci::folder(roots, address);
    let mut reading = Reading::default();
    let names = sysfs::names(&folder).unwrap_or_else(|reason| {
        reading.add(SymptomKind::Unreadable, reason);
        Vec::new()
    });
    let management = management_of(roots, address);
    let rom = sysfs::parts(&folder, &names, "rom.").into_iter().next();
    let mut watch = signal::read(roots, &folder, &names, management.as_deref(), &mut reading);
    let shell = rom.as_deref().map_or_else(
        || {
            Err(format!(
                "{} has no rom.*: its shell is not known yet",
                folder.display()
            ))
        },
        |rom| shell(&folder, rom),
    );
    let shell = match shell {
        Ok((shell, odd)) => {
            reading.warnings.extend(odd);
            Some(shell)
        }
        Err(reason) => {
            reading.add(SymptomKind::Unreadable, reason);
            None
        }
    };
    watch.extend(
        rom.iter()
            .flat_map(|rom| [rom.join("VBNV"), rom.join("timestamp")]),
    );
    let board = board(shell.as_ref(), id);
    let serial = serial(&folder, &names, &board).unwrap_or_else(|reason| {
        reading.warnings.push(reason);
        None
    });
    if let Err(reason) = node::render_node(roots, &folder) {
        reading.add(SymptomKind::Unreadable, reason);
    }
    let is_complete = shell.is_some();
    let device = Device {
        labels: labels(&board, shell.as_ref()),
        address: Some(address.to_owned()),
        pci_id: Some(format!("0x{}", id.device)),
        management,
        // A U30 is two devices on one card, which its serial number holds together.
        card: serial.clone().filter(|_| board == "u30"),
        serial,
        shell,
        numa_node: pci::numa_node(roots, address),
        ..Device::bare(Family::Xrt, address, board)
    };
    Seen {
        device,
        reading,
        is_complete,
        watch,
    }
}

/// The management function of the same slot; clouds keep theirs to themselves.
fn management_of(roots: &Roots, address: &str) -> Option<String> {
    let siblings = pci::siblings(roots, address);
    siblings
        .into_iter()
        .find(|other| sysfs::is_there(&pci::folder(roots, other).join("mgmt_pf")))
}

/// The shell, and what of it could not be read but is not needed.
fn shell(folder: &Path, rom: &Path) -> Result<(Shell, Option<Reason>), Reason> {
    let must = |path: PathBuf| {
        let none = format!(
            "{} is missing or empty: its shell is not known yet",
            path.display()
        );
        sysfs::word(&path)?.ok_or(none)
    };
    // Dots and colons have no place in the name of a resource; AMD's plugin writes them so.
    let name = must(rom.join("VBNV"))?.replace([':', '.'], "_");
    let timestamp = must(rom.join("timestamp"))?;
    let (uuid, odd) = match sysfs::word(&folder.join("logic_uuids")) {
        Ok(text) => (text.and_then(|text| text.lines().next().map(str::to_owned)), None),
        // The driver answers EINVAL where the card has no device tree.
        Err(reason) => (None, Some(reason)),
    };
    let shell = Shell {
        name,
        timestamp,
        logic_uuid: uuid,
    };
    Ok((shell, odd))
}

/// `u250` of `xilinx_u250_gen3x16_xdma_shell_4_1`; by its id where the shell has no such name.
fn board(shell: Option<&Shell>, id: &Id) -> String {
    let by_shell = shell
        .and_then(|shell| shell.name.split('_').nth(1))
        .filter(|word| !word.is_empty());
    let by_id = match id.role() {
        Some(Role::User(board) | Role::Management(board)) => board,
        None if id.vendor == "1d0f" => "aws",
        None => "unknown",
    };
    by_shell.unwrap_or(by_id).to_ascii_lowercase()
}

fn serial(folder: &Path, names: &[String], board: &str) -> Result<Option<String>, Reason> {
    let begins: &[&str] = if board == "v70" {
        &["hwmon_sdm.u."]
    } else {
        &["xmc.u.", "xmc.u2.", "hwmon_sdm.u."]
    };
    for begin in begins {
        for part in sysfs::parts(folder, names, begin) {
            if let Some(serial) = sysfs::word(&part.join("serial_num"))? {
                return Ok(Some(serial));
            }
        }
    }
    Ok(None)
}

fn labels(board: &str, shell: Option<&Shell>) -> Vec<String> {
    let shell = shell.map(|shell| format!("fpga:{}", shell.name));
    let Some(shell) = shell else { return Vec::new() };
    vec![format!("fpga:{board}"), shell]
}

pub(super) fn nodes(roots: &Roots, device: &Device) -> Result<Nodes, Reason> {
    let address = super::address(device)?;
    let folder = pci::folder(roots, address);
    is_still(&folder, device)?;
    let mut user = vec![node::render_node(roots, &folder)?];
    user.extend(streaming_node(roots, &folder, address)?);
    let management = device
        .management
        .iter()
        .filter_map(|function| management_node(roots, function));
    Ok(Nodes {
        management: management.collect(),
        user,
    })
}

/// Whether it is still the card that was found: whoever asked for a shell must not be given another one.
fn is_still(folder: &Path, device: &Device) -> Result<(), Reason> {
    if let Some(value) = sysfs::number(&folder.join("dev_offline"))?.filter(|value| *value != 0) {
        return Err(format!("the card is offline (dev_offline is {value})"));
    }
    let names = sysfs::names(folder)?;
    let rom = sysfs::parts(folder, &names, "rom.").into_iter().next();
    let rom = rom.ok_or_else(|| format!("{} has no rom.* any more", folder.display()))?;
    let (now, _) = shell(folder, &rom)?;
    match &device.shell {
        Some(found) if (&found.name, &found.timestamp) != (&now.name, &now.timestamp) => Err(format!(
            "its shell is {}-{} now, not {}-{}",
            now.name, now.timestamp, found.name, found.timestamp
        )),
        _ => Ok(()),
    }
}

/// The node of a QDMA shell, where the driver has made one.
fn streaming_node(roots: &Roots, folder: &Path, address: &str) -> Result<Option<node::Node>, Reason> {
    let names = sysfs::names(folder)?;
    let has_part = !sysfs::parts(folder, &names, "dma.qdma.u").is_empty();
    let Some([domain, bus, slot, function]) = pci::numbers(address).filter(|_| has_part) else {
        return Ok(None);
    };
    let instance = (domain << 16) + (bus << 8) + (slot << 3) + function;
    let name = format!("xfpga/dma.qdma.u{instance}.0");
    match sysfs::is_there(&roots.dev.join(&name)) {
        true => node::node(roots, &name, None).map(Some),
        false => Ok(None),
    }
}

fn management_node(roots: &Roots, function: &str) -> Option<node::Node> {
    let instance = sysfs::number(&pci::folder(roots, function).join("instance")).ok()??;
    let dev = format!("xrt_mgmt/xclmgmt{instance}/dev");
    let dev = pci::folder(roots, function).join(dev);
    node::node(roots, &format!("xclmgmt{instance}"), Some(&dev)).ok()
}
