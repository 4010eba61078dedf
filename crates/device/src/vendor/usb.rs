//! Boards on USB, read from sysfs: `bus/usb/devices/<bus>-<port>/{idVendor,idProduct,serial,product,busnum,devnum}`
//! (Linux, Documentation/ABI/testing/sysfs-bus-usb) with a folder for each interface beside them.
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::device::{Device, Discovery, Health, Roots, Trouble, UsbAddress};
use crate::simulate;

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

pub(super) fn probe(roots: &Roots, discovery: &mut Discovery) {
    let folder = roots.sys.join("bus/usb/devices");
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        // A machine without USB, or a container without /sys/bus/usb.
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => return discovery.trouble.push(trouble(folder, &error)),
    };
    let mut found = BTreeMap::new();
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                discovery.trouble.push(trouble(folder.clone(), &error));
                continue;
            }
        };
        match read(&path) {
            Ok(Some(usb)) => {
                found.insert(usb.port.clone(), usb);
            }
            Ok(None) => {}
            Err((path, error)) => discovery.trouble.push(trouble(path, &error)),
        }
    }
    let boards: Vec<_> = found
        .values()
        .filter_map(|usb| Some((usb, known(usb, roots)?)))
        .collect();
    for (usb, known) in &boards {
        let twins = boards.iter().filter(|(other, _)| same_serial(usb, other)).count();
        discovery.devices.push(device(roots, usb, known, twins == 1));
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
    Device {
        id: id(usb, serial_is_unique),
        board: board.map_or("unknown", |board| board.name).to_owned(),
        labels: board.map(|board| board.label.to_owned()).into_iter().collect(),
        simulated: false,
        serial_port: serial_port.unwrap_or(None),
        usb: Some(usb.address),
        loader: Some(known.loader.to_owned()),
        health,
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

/// The node of interface B (number 1): these boards program through A and talk through B.
fn serial_node(roots: &Roots, usb: &Usb) -> Result<Option<PathBuf>, String> {
    let interface = usb.folder.join(format!("{}:1.1", usb.port));
    let entries = fs::read_dir(&interface).map_err(|error| cannot_read(&interface, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| cannot_read(&interface, &error))?;
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("ttyUSB")) {
            let node = roots.dev.join(&name);
            return match node.try_exists() {
                Ok(true) => Ok(Some(node)),
                Ok(false) => Err(format!("{} is missing; udev has not made it", node.display())),
                Err(error) => Err(cannot_read(&node, &error)),
            };
        }
    }
    Err(format!(
        "interface B of {} has no serial port; load the driver (modprobe ftdi_sio) and plug the board in again",
        usb.port
    ))
}

/// What openFPGALoader opens.
fn usb_node(roots: &Roots, usb: &Usb) -> Result<(), String> {
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
        Err(error) => Err(cannot_read(&node, &error)),
    }
}

/// None for what is not a device: interfaces (`1-1:1.0`) and root hubs (`usb1`).
fn read(folder: &Path) -> Result<Option<Usb>, (PathBuf, io::Error)> {
    let Some(port) = folder.file_name().and_then(|name| name.to_str()) else {
        return Ok(None);
    };
    if port.contains(':') || port.starts_with("usb") {
        return Ok(None);
    }
    let Some(vendor) = attribute(folder, "idVendor")? else {
        return Ok(None);
    };
    let Some(product) = attribute(folder, "idProduct")? else {
        return Ok(None);
    };
    let wanted = |known: &Known| known.vendor == vendor && known.product == product;
    if !KNOWN.iter().any(wanted) {
        return Ok(None);
    }
    let address = UsbAddress {
        bus: number(folder, "busnum")?,
        device: number(folder, "devnum")?,
    };
    Ok(Some(Usb {
        folder: folder.to_owned(),
        port: port.to_owned(),
        vendor,
        product,
        product_string: attribute(folder, "product")?.unwrap_or_default(),
        serial: attribute(folder, "serial")?.filter(|serial| !serial.is_empty()),
        address,
    }))
}

/// None when there is no such attribute: a device without a serial number, or one that has just been pulled out.
fn attribute(folder: &Path, name: &str) -> Result<Option<String>, (PathBuf, io::Error)> {
    let path = folder.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).trim().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err((path, error)),
    }
}

fn number(folder: &Path, name: &str) -> Result<u16, (PathBuf, io::Error)> {
    let text = attribute(folder, name)?.unwrap_or_default();
    text.parse().map_err(|_| {
        let error = io::Error::new(ErrorKind::InvalidData, format!("{text:?} is not a number"));
        (folder.join(name), error)
    })
}

fn trouble(path: PathBuf, error: &io::Error) -> Trouble {
    let reason = cannot_read(&path, error);
    Trouble { path, reason }
}

fn cannot_read(path: &Path, error: &io::Error) -> String {
    format!(
        "{} cannot be read ({error}); whether there is a board cannot be told",
        path.display()
    )
}
