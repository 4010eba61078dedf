//! Cards under `xocl` and `xclmgmt`, with the numbers of real ones.
use super::{Machine, write};
use std::fs;

/// A card with a management function `.0` and a user function `.1`.
#[derive(Debug, Clone)]
pub struct XrtCard {
    /// `0000:04:00`
    pub slot: String,
    pub vendor: String,
    /// The ids of its management and its user function.
    pub ids: (String, String),
    pub shell: String,
    pub timestamp: String,
    pub logic_uuid: String,
    pub serial: Option<String>,
    pub numa_node: i32,
    /// The number of its render node.
    pub render: u32,
    /// Clouds keep the management function to themselves.
    pub has_management: bool,
}

impl XrtCard {
    /// A card of this kind, in the slot with this bus number; its other numbers follow from it.
    pub fn new(bus: u8, id: (&str, &str), shell: &str, timestamp: &str) -> Self {
        Self {
            slot: format!("0000:{bus:02x}:00"),
            vendor: "10ee".to_owned(),
            ids: (id.0.to_owned(), id.1.to_owned()),
            shell: shell.to_owned(),
            timestamp: timestamp.to_owned(),
            logic_uuid: "12c8fafb0632499db1c0c6676271b8a6".to_owned(),
            serial: Some(format!("21330621U{bus:02X}D")),
            numa_node: i32::from(bus >= 0x80),
            render: 128 + u32::from(bus),
            has_management: true,
        }
    }

    pub fn u250(bus: u8) -> Self {
        Self::new(bus, ("5004", "5005"), "xilinx_u250_gen3x16_xdma_shell_4_1", "0")
    }

    pub fn u200(bus: u8) -> Self {
        Self::new(bus, ("5000", "5001"), "xilinx_u200_xdma_201820_1", "1535712995")
    }

    pub fn u55c(bus: u8) -> Self {
        Self::new(bus, ("505c", "505d"), "xilinx_u55c_gen3x16_xdma_base_3", "0")
    }

    /// The two devices of a U30 card.
    pub fn u30(bus: u8, serial: &str) -> [Self; 2] {
        [bus, bus + 1].map(|bus| Self {
            serial: Some(serial.to_owned()),
            ..Self::new(bus, ("503c", "503d"), "xilinx_u30_gen3x4_base_2", "0")
        })
    }

    /// An F1 slot: no management function, no serial number.
    pub fn f1(bus: u8) -> Self {
        let shell = "xilinx_aws-vu9p-f1_shell-v04261818_201920_3";
        Self {
            vendor: "1d0f".to_owned(),
            serial: None,
            has_management: false,
            slot: format!("0000:{bus:02x}:1d"),
            ..Self::new(bus, ("1040", "f010"), shell, "43981")
        }
    }

    /// The address of the user function: the device's id.
    pub fn user(&self) -> String {
        let function = if self.has_management { 1 } else { 0 };
        format!("{}.{function}", self.slot)
    }

    pub fn management(&self) -> String {
        format!("{}.0", self.slot)
    }

    pub fn render_node(&self) -> String {
        format!("dri/renderD{}", self.render)
    }

    /// Writes it as a healthy card shows itself.
    pub fn plug(&self, machine: &Machine) {
        if self.has_management {
            self.plug_management(machine);
        }
        self.plug_user(machine);
    }

    pub fn unplug(&self, machine: &Machine) {
        if self.has_management {
            machine.unplug(&self.management());
        }
        machine.unplug(&self.user());
        let _ = fs::remove_file(machine.dev().join(self.render_node()));
    }

    fn plug_user(&self, machine: &Machine) {
        let user = self.user();
        let folder = machine.function(&user, &self.vendor, &self.ids.1);
        let set = |name: &str, value: &str| write(&folder.join(name), value);
        write(&folder.join("user_pf"), "");
        set("numa_node", &self.numa_node.to_string());
        set("dev_offline", "0");
        set("ready", "0x1");
        set("device_bad_state", "0");
        set("shutdown", "0");
        set("link_width", "16");
        set("link_width_max", "16");
        set("logic_uuids", &self.logic_uuid);
        // The expansion ROM's own attribute, which is a file.
        set("rom", "");
        set("rom.u.1025/VBNV", &self.shell);
        set("rom.u.1025/timestamp", &self.timestamp);
        set("xmc.u.19922944/xmc_fpga_temp", "45");
        if let Some(serial) = &self.serial {
            set("xmc.u.19922944/serial_num", serial);
        }
        self.make_render_node(machine, self.render);
    }

    /// Gives the card this render node, as the driver does at each change of the shell.
    pub fn make_render_node(&self, machine: &Machine, number: u32) {
        let drm = machine.pci(&self.user()).join("drm");
        let _ = fs::remove_dir_all(&drm);
        let numbers = machine.node(&format!("dri/renderD{number}"), 226, number);
        write(&drm.join(format!("renderD{number}/dev")), &numbers);
        write(&drm.join("card1/dev"), "226:1");
    }

    fn plug_management(&self, machine: &Machine) {
        let address = self.management();
        let folder = machine.function(&address, &self.vendor, &self.ids.0);
        let bus = u32::from_str_radix(&self.slot[5..7], 16).expect("a slot has a bus number");
        let instance = bus << 8;
        let set = |name: &str, value: &str| write(&folder.join(name), value);
        write(&folder.join("mgmt_pf"), "");
        set("instance", &instance.to_string());
        set("firewall.m.14680064/detected_level", "0");
        set("firewall.m.14680064/level", "0");
        set("mig.m.15728640/ecc_enabled", "1");
        set("mig.m.15728640/ecc_ue_cnt", "0");
        set("xmc.m.18874369/scaling_critical_temp_threshold", "97");
        let numbers = machine.node(&format!("xclmgmt{instance}"), 238, instance);
        set(&format!("xrt_mgmt/xclmgmt{instance}/dev"), &numbers);
    }
}
