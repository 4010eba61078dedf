//! Boards on USB, read from sysfs: `bus/usb/devices/<bus>-<port>/{idVendor,idProduct,serial,product,busnum,devnum}`
//! (Linux, Documentation/ABI/testing/sysfs-bus-usb) with a folder for each interface beside them.
use std::path::{Path, PathBuf};

use super::{Probed, Seen, pci};
use crate::device::{Device, Family, Health, Roots, UsbAddress};
use crate::health::{Reading, SymptomKind};
use crate::node::{self, Nodes};
use crate::simulate;
use crate::sysfs::{self, Reason};

/// How a board shows itself on USB.
struct Known {
    vendor: &'static str,
    product: &'static str,
    /// Part of the product string. A bare FT2232H (0403:6010) may be anything: only its strings tell.
    product_string: &'static str,
    board: Told,
    loader: &'static str,
    has_serial: bool,
}

enum Told {
    Board(&'static str),
    /// The strings are those of several boards; only the operator knows.
    OneOf(&'static [&'static str]),
}

const KNOWN: &[Known] = &[
    Known {
        vendor: "0403",
        product: "6010",
        product_string: "Lattice FTUSB Interface Cable",
        board: Told::OneOf(&["ice40-hx1k", "ice40-hx8k"]),
        loader: "ice40_generic",
        has_serial: true,
    },
    Known {
        vendor: "0403",
        product: "6010",
        product_string: "iCEBreaker",
        board: Told::Board("ice40-up5k"),
        loader: "ice40_generic",
        has_serial: true,
    },
    // iCEBreaker bitsy: loaded over its own USB (DFU); there is no serial port until the design makes one.
    Known {
        vendor: "1d50",
        product: "6146",
        product_string: "",
        board: Told::Board("ice40-up5k"),
        loader: "icebreaker-bitsy",
        has_serial: false,
    },
];

/// What sysfs says of one USB device.
struct Usb {
    folder: PathBuf,
    /// `1-1.2`: bus and ports, the same as long as the cable stays where it is.
    port: String,
    vendor: String,
    product: String,
    product_string: String,
    serial: Option<String>,
    address: UsbAddress,
}

/// Not an interface (`1-1:1.0`) and not a root hub (`usb1`).
pub(super) fn may_be(name: &str) -> bool {
    !name.contains(':') && !name.starts_with("usb")
}

/// All boards of the bus at once: whether a serial number tells a board apart depends on the others.
pub(super) fn probe_all(roots: &Roots, _: &str) -> Option<Probed> {
    let folder = roots.sys.join("bus/usb/devices");
    let mut probed = Probed::default();
    let names = match sysfs::names(&folder) {
        Ok(names) => names,
        Err(reason) => return Some(pci::trouble(folder, reason).into()),
    };
    let mut found = Vec::new();
    for name in names.iter().filter(|name| may_be(name)) {
        match read(&folder.join(name), name) {
            Ok(usb) => found.extend(usb),
            Err((path, reason)) => probed.trouble.push(pci::trouble(path, reason)),
        }
    }
    let boards: Vec<_> = found
        .iter()
        .filter_map(|usb| Some((usb, known(usb, roots)?)))
        .collect();
    for (usb, known) in &boards {
        let twins = boards.iter().filter(|(other, _)| same_serial(usb, other)).count();
        probed.seen.push(seen(roots, usb, known, twins == 1));
    }
    Some(probed)
}

fn seen(roots: &Roots, usb: &Usb, known: &Known, serial_is_unique: bool) -> Seen {
    let device = device(roots, usb, known, serial_is_unique);
    let mut reading = Reading::default();
    if let Health::Sick { reason } = &device.health {
        reading.add(SymptomKind::Unreadable, reason.clone());
    }
    Seen {
        device,
        reading,
        is_complete: true,
        watch: vec![usb.folder.join("devnum")],
    }
}

fn known(usb: &Usb, roots: &Roots) -> Option<&'static Known> {
    let same_ids = |known: &&Known| known.vendor == usb.vendor && known.product == usb.product;
    let by_strings = KNOWN
        .iter()
        .filter(same_ids)
        .find(|known| usb.product_string.contains(known.product_string));
    // A rule makes a board of a chip whose strings say nothing.
    by_strings.or_else(|| rule(usb, roots).and_then(|_| KNOWN.iter().find(same_ids)))
}

fn rule<'a>(usb: &Usb, roots: &'a Roots) -> Option<&'a str> {
    let names = |text: &str| text == usb.port || usb.serial.as_deref() == Some(text);
    roots
        .usb_rules
        .iter()
        .find(|rule| names(&rule.serial_or_port))
        .map(|rule| rule.board.as_str())
}

fn device(roots: &Roots, usb: &Usb, known: &Known, serial_is_unique: bool) -> Device {
    let serial_port = if known.has_serial {
        serial_node(roots, usb)
    } else {
        Ok(None)
    };
    let board = match (rule(usb, roots), &known.board) {
        (Some(name), _) => {
            simulate::board(name).map_err(|error| format!("the rule for it is wrong: {error}"))
        }
        (None, Told::Board(name)) => simulate::board(name).map_err(|error| error.to_string()),
        (None, Told::OneOf(names)) => Err(format!(
            "{} tells only {:?}, which is {}; add a rule with its {} that says which one it is",
            usb.port,
            usb.product_string,
            names.join(" or "),
            usb.serial.as_ref().map_or_else(
                || format!("port {}", usb.port),
                |serial| format!("serial number {serial} or port {}", usb.port)
            )
        )),
    };
    let health = match (&board, &serial_port, &usb_node(roots, usb)) {
        (Err(reason), ..) | (_, Err(reason), _) | (.., Err(reason)) => Health::Sick {
            reason: reason.clone(),
        },
        (Ok(_), Ok(_), Ok(())) => Health::Healthy,
    };
    let board = board.ok();
    let name = board.map_or("unknown", |board| board.name);
    Device {
        labels: board.map(|board| board.label.to_owned()).into_iter().collect(),
        serial_port: serial_port.unwrap_or(None),
        usb: Some(usb.address),
        loader: Some(known.loader.to_owned()),
        address: Some(usb.port.clone()),
        serial: usb.serial.clone(),
        health,
        ..Device::bare(Family::Usb, id(usb, serial_is_unique), name)
    }
}

/// `usb-<vendor>:<product>-<serial>`, or the port where a serial number is missing or not the only one of its kind.
fn id(usb: &Usb, serial_is_unique: bool) -> String {
    let serial = usb.serial.as_deref().filter(|serial| {
        serial_is_unique
            && serial.len() <= 48
            && serial.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    });
    format!(
        "usb-{}:{}-{}",
        usb.vendor,
        usb.product,
        serial.unwrap_or(&usb.port)
    )
}

fn same_serial(a: &Usb, b: &Usb) -> bool {
    a.serial == b.serial && a.vendor == b.vendor && a.product == b.product
}

/// The port of interface B (number 1): these boards program through A and talk through B.
fn serial_node(roots: &Roots, usb: &Usb) -> Result<Option<PathBuf>, Reason> {
    let Some(tty) = tty(usb)? else {
        return Err(format!(
            "interface B of {} has no serial port; load the driver (modprobe ftdi_sio) and plug the board in again",
            usb.port
        ));
    };
    let node = roots.dev.join(tty);
    match node.try_exists() {
        Ok(true) => Ok(Some(node)),
        Ok(false) => Err(format!("{} is missing; udev has not made it", node.display())),
        Err(error) => Err(sysfs::cannot_read(&node, &error)),
    }
}

fn tty(usb: &Usb) -> Result<Option<String>, Reason> {
    let interface = usb.folder.join(format!("{}:1.1", usb.port));
    let names = sysfs::names(&interface)?;
    Ok(names.into_iter().find(|name| name.starts_with("ttyUSB")))
}

/// What openFPGALoader opens.
fn usb_node(roots: &Roots, usb: &Usb) -> Result<(), Reason> {
    let node = roots.dev.join(format!(
        "bus/usb/{:03}/{:03}",
        usb.address.bus, usb.address.device
    ));
    match node.try_exists() {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "{} is missing; give this process /dev/bus/usb",
            node.display()
        )),
        Err(error) => Err(sysfs::cannot_read(&node, &error)),
    }
}

/// None for what cannot be a board, and for what has just been pulled out.
fn read(folder: &Path, port: &str) -> Result<Option<Usb>, (PathBuf, Reason)> {
    let at = |name: &str| folder.join(name);
    let id = |name: &str| sysfs::id(&at(name)).map_err(|reason| (at(name), reason));
    let (Some(vendor), Some(product)) = (id("idVendor")?, id("idProduct")?) else {
        return Ok(None);
    };
    let wanted = |known: &Known| known.vendor == vendor && known.product == product;
    if !KNOWN.iter().any(wanted) {
        return Ok(None);
    }
    let string = |name: &str| sysfs::word(&at(name)).map_err(|reason| (at(name), reason));
    let address = UsbAddress {
        bus: number(folder, "busnum")?,
        device: number(folder, "devnum")?,
    };
    Ok(Some(Usb {
        folder: folder.to_owned(),
        port: port.to_owned(),
        vendor,
        product,
        product_string: string("product")?.unwrap_or_default(),
        serial: string("serial")?,
        address,
    }))
}

/// The nodes for the bus and for the serial port, as they are after the last replug.
pub(super) fn nodes(roots: &Roots, device: &Device) -> Result<Nodes, Reason> {
    let port = super::address(device)?;
    let folder = roots.sys.join("bus/usb/devices").join(port);
    let gone = || format!("nothing is plugged in at USB port {port} any more");
    let usb = read(&folder, port)
        .map_err(|(_, reason)| reason)?
        .ok_or_else(gone)?;
    if usb.serial != device.serial || known(&usb, roots).is_none() {
        return Err(format!("another thing is plugged in at USB port {port} now"));
    }
    let bus = format!("bus/usb/{:03}/{:03}", usb.address.bus, usb.address.device);
    let mut user = vec![node::node(roots, &bus, Some(&folder.join("dev")))?];
    if device.serial_port.is_some()
        && let Some(tty) = tty(&usb)?
    {
        let dev = folder
            .join(format!("{port}:1.1"))
            .join(&tty)
            .join("tty")
            .join(&tty)
            .join("dev");
        user.push(node::node(roots, &tty, Some(&dev))?);
    }
    Ok(Nodes {
        user,
        management: Vec::new(),
    })
}

fn number(folder: &Path, name: &str) -> Result<u16, (PathBuf, Reason)> {
    let path = folder.join(name);
    let parsed = match sysfs::number(&path) {
        Ok(Some(number)) => u16::try_from(number).map_err(|_| format!("{} holds {number}", path.display())),
        Ok(None) => Err(format!("{} is missing", path.display())),
        Err(reason) => Err(reason),
    };
    parsed.map_err(|reason| (path, reason))
}
