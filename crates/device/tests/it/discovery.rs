//! USB boards, found in a copy of sysfs.
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use polyphemus_device::{Device, Family, Health, Roots, UsbAddress, UsbRule, discover};
use tempfile::TempDir;

struct Machine {
    folder: TempDir,
    rules: Vec<UsbRule>,
}

/// A USB device as sysfs shows it: the entry in `bus/usb/devices` is a link into `devices/`.
struct Plugged<'a> {
    port: &'a str,
    ids: (&'a str, &'a str),
    product: &'a str,
    serial: Option<&'a str>,
    tty: Option<&'a str>,
}

const ICEBREAKER: Plugged<'static> = Plugged {
    port: "1-2",
    ids: ("0403", "6010"),
    product: "iCEBreaker V1.0e",
    serial: Some("ib0042"),
    tty: Some("ttyUSB1"),
};
const LATTICE: Plugged<'static> = Plugged {
    port: "1-1.4",
    ids: ("0403", "6010"),
    product: "Lattice FTUSB Interface Cable",
    serial: None,
    tty: Some("ttyUSB3"),
};

impl Machine {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("sys/bus/usb/devices")).unwrap();
        Self {
            folder,
            rules: Vec::new(),
        }
    }

    fn plug(&self, device: &Plugged<'_>, number: u16) -> PathBuf {
        let root = self.folder.path();
        let real = root.join("sys/devices/pci0000:00/usb1").join(device.port);
        fs::create_dir_all(&real).unwrap();
        symlink(&real, root.join("sys/bus/usb/devices").join(device.port)).unwrap();
        let write = |name: &str, text: &str| fs::write(real.join(name), format!("{text}\n")).unwrap();
        write("idVendor", device.ids.0);
        write("idProduct", device.ids.1);
        write("product", device.product);
        write("busnum", "1");
        write("devnum", &number.to_string());
        if let Some(serial) = device.serial {
            write("serial", serial);
        }
        for interface in ["1.0", "1.1"] {
            let name = format!("{}:{interface}", device.port);
            fs::create_dir_all(real.join(&name)).unwrap();
            symlink(real.join(&name), root.join("sys/bus/usb/devices").join(&name)).unwrap();
        }
        if let Some(tty) = device.tty {
            fs::create_dir_all(real.join(format!("{}:1.0/ttyUSB9", device.port))).unwrap();
            fs::create_dir_all(real.join(format!("{}:1.1/{tty}", device.port))).unwrap();
            self.node(tty);
        }
        self.node(&format!("bus/usb/001/{number:03}"));
        real
    }

    fn node(&self, path: &str) {
        let path = self.folder.path().join("dev").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    fn roots(&self) -> Roots {
        let root = self.folder.path();
        Roots {
            sys: root.join("sys"),
            dev: root.join("dev"),
            usb_rules: self.rules.clone(),
        }
    }

    fn devices(&self) -> Vec<Device> {
        let found = discover(&self.roots());
        assert!(found.trouble.is_empty(), "{:?}", found.trouble);
        found.devices
    }
}

fn reason(device: &Device) -> &str {
    match &device.health {
        Health::Sick { reason } => reason,
        Health::Healthy => panic!("{device:?} is healthy"),
    }
}

#[test]
fn an_icebreaker_is_found_with_the_port_of_its_interface_b() {
    let machine = Machine::new();
    machine.plug(&ICEBREAKER, 17);
    let expected = Device {
        labels: vec!["fpga:ice40-up5k".to_owned()],
        serial_port: Some(machine.folder.path().join("dev/ttyUSB1")),
        usb: Some(UsbAddress { bus: 1, device: 17 }),
        loader: Some("ice40_generic".to_owned()),
        address: Some("1-2".to_owned()),
        serial: Some("ib0042".to_owned()),
        ..Device::bare(Family::Usb, "usb-0403:6010-ib0042", "ice40-up5k")
    };
    assert_eq!(machine.devices(), [expected]);
}

#[test]
fn lattices_cable_needs_the_operators_word() {
    let mut machine = Machine::new();
    machine.plug(&LATTICE, 4);
    let devices = machine.devices();
    assert!(devices[0].labels.is_empty());
    assert!(
        reason(&devices[0]).contains("ice40-hx1k or ice40-hx8k"),
        "{}",
        reason(&devices[0])
    );
    machine.rules.push(UsbRule {
        serial_or_port: "1-1.4".to_owned(),
        board: "ice40-hx8k".to_owned(),
    });
    let device = &machine.devices()[0];
    assert_eq!(
        (device.id.as_str(), device.labels[0].as_str()),
        ("usb-0403:6010-1-1.4", "fpga:ice40-hx8k")
    );
    assert!(device.health.is_healthy());
    machine.rules[0].board = "hx9k".to_owned();
    assert!(reason(&machine.devices()[0]).contains("hx9k"));
}

#[test]
fn a_bare_chip_is_a_board_only_by_rule() {
    let mut machine = Machine::new();
    machine.plug(
        &Plugged {
            product: "Dual RS232-HS",
            serial: Some("FT1"),
            ..LATTICE
        },
        4,
    );
    machine.plug(
        &Plugged {
            port: "1-5",
            ids: ("046d", "c31c"),
            product: "iCEBreaker keyboard",
            ..LATTICE
        },
        5,
    );
    assert_eq!(machine.devices(), []);
    machine.rules.push(UsbRule {
        serial_or_port: "FT1".to_owned(),
        board: "ice40-hx1k".to_owned(),
    });
    assert_eq!(machine.devices()[0].board, "ice40-hx1k");
}

#[test]
fn twins_with_one_serial_number_are_told_apart_by_their_ports() {
    let machine = Machine::new();
    machine.plug(&ICEBREAKER, 17);
    machine.plug(
        &Plugged {
            port: "2-1",
            tty: Some("ttyUSB5"),
            ..ICEBREAKER
        },
        18,
    );
    let ids: Vec<_> = machine.devices().into_iter().map(|device| device.id).collect();
    assert_eq!(ids, ["usb-0403:6010-1-2", "usb-0403:6010-2-1"]);
}

#[test]
fn a_board_without_its_driver_is_sick_and_hides_no_other() {
    let machine = Machine::new();
    machine.plug(
        &Plugged {
            port: "1-1",
            serial: Some("a"),
            tty: None,
            ..ICEBREAKER
        },
        16,
    );
    machine.plug(&ICEBREAKER, 17);
    let devices = machine.devices();
    assert!(reason(&devices[0]).contains("modprobe ftdi_sio"));
    assert!(devices[1].health.is_healthy());
}

#[test]
fn a_board_whose_nodes_are_missing_is_sick() {
    for node in ["ttyUSB1", "bus/usb/001/017"] {
        let machine = Machine::new();
        machine.plug(&ICEBREAKER, 17);
        fs::remove_file(machine.folder.path().join("dev").join(node)).unwrap();
        assert!(reason(&machine.devices()[0]).contains(node));
    }
}

#[test]
fn what_cannot_be_read_is_told_and_hides_no_other() {
    let machine = Machine::new();
    let broken = machine.plug(
        &Plugged {
            port: "1-1",
            ..ICEBREAKER
        },
        16,
    );
    // A folder in a file's place cannot be read by root either.
    fs::remove_file(broken.join("idVendor")).unwrap();
    fs::create_dir(broken.join("idVendor")).unwrap();
    let garbled = machine.plug(
        &Plugged {
            port: "1-3",
            ..ICEBREAKER
        },
        18,
    );
    fs::write(garbled.join("devnum"), "many\n").unwrap();
    machine.plug(&ICEBREAKER, 17);
    let found = discover(&machine.roots());
    assert_eq!(found.devices.len(), 1);
    let paths: Vec<&Path> = found
        .trouble
        .iter()
        .map(|trouble| trouble.path.as_path())
        .collect();
    assert!(paths.len() == 2 && paths[0] != paths[1], "{paths:?}");
}

#[test]
fn a_machine_without_usb_has_no_boards() {
    let folder = TempDir::new().unwrap();
    let roots = Roots {
        sys: folder.path().to_owned(),
        dev: folder.path().to_owned(),
        usb_rules: Vec::new(),
    };
    assert_eq!(discover(&roots), Default::default());
}
