//! Boards that are not under XRT: AMI, MA35D, Intel's feature list, the FPGA of the machine's own chip, USB.
use super::{Machine, write};
use std::fs;
use std::os::unix::fs::symlink;

/// A V80 under the driver `ami`.
#[derive(Debug, Clone)]
pub struct AmiCard {
    pub address: String,
    /// The number of its node, from 1 up.
    pub minor: u32,
}

impl AmiCard {
    pub fn plug(&self, machine: &Machine) {
        let folder = machine.function(&self.address, "10ee", "50b4");
        let set = |name: &str, value: &str| write(&folder.join(name), value);
        set("subsystem_vendor", "0x10ee");
        set("subsystem_device", "0x000e");
        set("dev_state", "READY");
        set("logic_uuid", "97088961feaeda9152a21d9dfd63ccef");
        set("board_serial", "XFL1V80");
        set("numa_node", "0");
        let driver = machine.sys().join("bus/pci/drivers/ami");
        fs::create_dir_all(&driver).expect("a folder can be made");
        symlink(&driver, folder.join("driver")).expect("a link can be made");
        machine.node(&format!("ami{}", self.minor), 235, self.minor);
    }

    /// The driver's list of all cards that it has.
    pub fn list(machine: &Machine, cards: &[Self]) {
        let mut lines = vec![cards.len().to_string()];
        lines.extend(
            cards
                .iter()
                .map(|card| format!("{} {} 5", &card.address[5..], card.minor)),
        );
        write(
            &machine.sys().join("bus/pci/drivers/ami/devices"),
            &lines.join("\n"),
        );
        machine.node("ami0", 235, 0);
    }
}

/// One device of an MA35D.
#[derive(Debug, Clone)]
pub struct Transcoder {
    pub number: u32,
    pub bus_id: String,
}

impl Transcoder {
    pub fn plug(&self, machine: &Machine) {
        let name = format!("ama_transcoder{}", self.number);
        let folder = machine.sys().join("class/misc").join(&name);
        write(&folder.join("bus_id"), &self.bus_id);
        write(
            &folder.join("device_info"),
            "Product name = MA35D\nProduct serial number = XMA35D01\nPCIe device ID = 0x5070",
        );
        let numbers = machine.node(&name, 10, 100 + self.number);
        write(&folder.join("dev"), &numbers);
        let function = machine.function(&self.bus_id, "10ee", "5070");
        write(&function.join("numa_node"), "1");
    }

    pub fn unplug(&self, machine: &Machine) {
        let name = format!("ama_transcoder{}", self.number);
        fs::remove_dir_all(machine.sys().join("class/misc").join(&name)).expect("the device was there");
        machine.remove_node(&name);
        machine.unplug(&self.bus_id);
    }
}

/// A card of Intel's under the device feature list.
#[derive(Debug, Clone)]
pub struct DflCard {
    pub number: u32,
    pub address: String,
}

impl DflCard {
    pub const INTERFACE: &str = "9926ab6d6c925a68aabca7d84c545738";

    pub fn plug(&self, machine: &Machine) {
        let function = machine.function(&self.address, "8086", "0b2b");
        write(&function.join("numa_node"), "0");
        let number = self.number;
        let region = function.join(format!("fpga_region/region{number}"));
        let engine = region.join(format!("dfl-fme.{number}"));
        write(&engine.join("ports_num"), "1");
        let part = engine.join("dfl-fme-region.1/fpga_region/region9");
        write(&part.join("compat_id"), Self::INTERFACE);
        let port = region.join(format!("dfl-port.{number}"));
        write(&port.join("afu_id"), "d8424dc4a4a3c413f89e433683f9040b");
        write(&port.join("errors/errors"), "0x0");
        let numbers = machine.node(&format!("dfl-port.{number}"), 240, number);
        write(&port.join("dev"), &numbers);
        let numbers = machine.node(&format!("dfl-fme.{number}"), 239, number);
        write(&engine.join("dev"), &numbers);
        symlink(&function, region.join("device")).expect("a link can be made");
        let class = machine.sys().join("class/fpga_region");
        fs::create_dir_all(&class).expect("a folder can be made");
        symlink(&region, class.join(format!("region{number}"))).expect("a link can be made");
        // The part that designs are loaded into is a region too, but no card.
        symlink(&part, class.join(format!("region{}", number + 100))).expect("a link can be made");
    }

    pub fn port(&self, machine: &Machine) -> std::path::PathBuf {
        let number = self.number;
        machine
            .pci(&self.address)
            .join(format!("fpga_region/region{number}/dfl-port.{number}"))
    }
}

impl Machine {
    /// The machine is a Kria board: an FPGA in its own chip, with XRT's `zocl`.
    pub fn be_a_kria(&self) {
        let manager = self
            .sys()
            .join("devices/platform/firmware:zynqmp-firmware:pcap/fpga_manager/fpga0");
        write(&manager.join("state"), "operating");
        let class = self.sys().join("class/fpga_manager");
        fs::create_dir_all(&class).expect("a folder can be made");
        symlink(&manager, class.join("fpga0")).expect("a link can be made");
        let tree = self.sys().join("firmware/devicetree/base");
        fs::create_dir_all(&tree).expect("a folder can be made");
        fs::write(
            tree.join("compatible"),
            b"xlnx,zynqmp-sk-kv260-rev1\0xlnx,zynqmp\0",
        )
        .expect("a file can be written");
        let drm = self.sys().join("bus/platform/devices/axi:zyxclmm_drm/drm");
        let numbers = self.node("dri/renderD128", 226, 128);
        write(&drm.join("renderD128/dev"), &numbers);
    }

    /// An iCEBreaker at this USB port.
    pub fn plug_icebreaker(&self, port: &str, number: u16, serial: &str) {
        let folder = self.sys().join("bus/usb/devices").join(port);
        let set = |name: &str, value: &str| write(&folder.join(name), value);
        set("idVendor", "0403");
        set("idProduct", "6010");
        set("product", "iCEBreaker V1.0e");
        set("serial", serial);
        set("busnum", "1");
        set("devnum", &number.to_string());
        let numbers = self.node(&format!("bus/usb/001/{number:03}"), 189, u32::from(number) - 1);
        set("dev", &numbers);
        let tty = format!("ttyUSB{number}");
        let numbers = self.node(&tty, 188, u32::from(number));
        set(&format!("{port}:1.1/{tty}/tty/{tty}/dev"), &numbers);
    }

    pub fn unplug_usb(&self, port: &str) {
        fs::remove_dir_all(self.sys().join("bus/usb/devices").join(port)).expect("the board was there");
    }
}
