//! What is found on a machine with cards of every family, whole and broken.
use polyphemus_device::{Device, Discovery, Family, Health, Roots, discover};
use polyphemus_testkit::sysfs::{AmiCard, DflCard, Machine, Transcoder, XrtCard};
use std::fs;

pub(crate) fn roots(machine: &Machine) -> Roots {
    Roots::new(machine.sys(), machine.dev())
}

pub(crate) fn find<'a>(found: &'a Discovery, id: &str) -> &'a Device {
    let device = found.devices.iter().find(|device| device.id == id);
    device.unwrap_or_else(|| panic!("no {id} in {found:#?}"))
}

fn reason(device: &Device) -> &str {
    match &device.health {
        Health::Sick { reason } => reason,
        Health::Healthy => panic!("{device:?} is healthy"),
    }
}

fn user_nodes(machine: &Machine, device: &Device) -> Vec<String> {
    let nodes = device
        .nodes(&roots(machine))
        .unwrap_or_else(|error| panic!("{error}"));
    nodes.user.into_iter().map(|node| node.name).collect()
}

#[test]
fn an_alveo_card_is_one_device_with_shell_serial_memory_and_node() {
    let machine = Machine::new();
    XrtCard::u200(0x04).plug(&machine);
    XrtCard::u250(0x81).plug(&machine);
    let found = discover(&roots(&machine));
    assert!(found.trouble.is_empty(), "{found:?}");
    assert_eq!(found.devices.len(), 2);
    let u200 = find(&found, "0000:04:00.1");
    assert!(u200.health.is_healthy(), "{u200:?}");
    let shell = u200.shell.as_ref().unwrap();
    assert_eq!(
        (shell.name.as_str(), shell.timestamp.as_str()),
        ("xilinx_u200_xdma_201820_1", "1535712995")
    );
    assert_eq!((u200.board.as_str(), u200.family), ("u200", Family::Xrt));
    assert_eq!(u200.labels, ["fpga:u200", "fpga:xilinx_u200_xdma_201820_1"]);
    assert_eq!(u200.serial.as_deref(), Some("21330621U04D"));
    assert_eq!(u200.management.as_deref(), Some("0000:04:00.0"));
    assert_eq!(u200.numa_node, Some(0));
    assert_eq!(user_nodes(&machine, u200), ["dri/renderD132"]);
    let nodes = u200.nodes(&roots(&machine)).unwrap();
    assert_eq!(nodes.management[0].name, "xclmgmt1024");
    assert_eq!(find(&found, "0000:81:00.1").numa_node, Some(1));
}

#[test]
fn the_two_devices_of_a_u30_have_one_card() {
    let machine = Machine::new();
    for device in XrtCard::u30(0x21, "XFL1RT5PHT31") {
        device.plug(&machine);
    }
    let found = discover(&roots(&machine));
    let cards: Vec<_> = found
        .devices
        .iter()
        .map(|device| device.card.as_deref())
        .collect();
    assert_eq!(cards, [Some("XFL1RT5PHT31"); 2]);
}

#[test]
fn an_f1_slot_has_no_serial_number_and_no_management_function() {
    let machine = Machine::new();
    XrtCard::f1(0x00).plug(&machine);
    let found = discover(&roots(&machine));
    let device = find(&found, "0000:00:1d.0");
    assert!(device.health.is_healthy(), "{device:?}");
    assert_eq!(
        (device.board.as_str(), &device.serial, &device.management),
        ("aws-vu9p-f1", &None, &None)
    );
    let bare = Machine::new();
    bare.function("0000:00:1d.0", "1d0f", "f000");
    let found = discover(&roots(&bare));
    assert_eq!(find(&found, "0000:00:1d.0").labels, ["fpga:f1"]);
    assert!(find(&found, "0000:00:1d.0").nodes(&roots(&bare)).is_err());
}

/// What is wrong with a card, and how it is made so.
type Break = (&'static str, fn(&Machine, &XrtCard));

#[test]
fn a_broken_card_of_any_kind_hides_no_other() {
    let breaks: [Break; 11] = [
        ("no name of the shell", |m, c| {
            m.set(&c.user(), "rom.u.1025/VBNV", "")
        }),
        ("its name is a folder", |m, c| {
            m.make_unreadable(&c.user(), "rom.u.1025/VBNV")
        }),
        ("its name is binary", |m, c| {
            fs::write(m.pci(&c.user()).join("rom.u.1025/VBNV"), [0xff, 0, 1]).unwrap()
        }),
        ("its name is endless", |m, c| {
            m.set(&c.user(), "rom.u.1025/VBNV", &"x".repeat(100_000))
        }),
        ("no rom", |m, c| m.remove(&c.user(), "rom.u.1025")),
        ("no node", |m, c| m.remove(&c.user(), "drm")),
        ("an empty drm", |m, c| {
            m.remove(&c.user(), &format!("drm/renderD{}", c.render))
        }),
        ("the node is gone", |m, c| m.remove_node(&c.render_node())),
        ("offline", |m, c| m.set(&c.user(), "dev_offline", "-19")),
        ("offline unreadable", |m, c| {
            m.make_unreadable(&c.user(), "dev_offline")
        }),
        ("the driver is gone", |m, c| m.remove(&c.user(), "user_pf")),
    ];
    for (what, break_it) in breaks {
        let machine = Machine::new();
        let (broken, well) = (XrtCard::u250(0x04), XrtCard::u250(0x05));
        broken.plug(&machine);
        well.plug(&machine);
        break_it(&machine, &broken);
        let found = discover(&roots(&machine));
        assert!(find(&found, &well.user()).health.is_healthy(), "{what}");
        assert!(reason(find(&found, &broken.user())).len() > 20, "{what}");
    }
}

#[test]
fn a_vendor_that_cannot_be_read_is_told_and_hides_no_other() {
    let machine = Machine::new();
    XrtCard::u250(0x04).plug(&machine);
    XrtCard::u250(0x05).plug(&machine);
    machine.make_unreadable("0000:04:00.1", "vendor");
    let found = discover(&roots(&machine));
    assert!(find(&found, "0000:05:00.1").health.is_healthy());
    assert_eq!(found.trouble.len(), 1, "{found:?}");
}

#[test]
fn a_shell_without_parts_in_its_name_and_without_uuid_is_a_board_by_its_id() {
    let machine = Machine::new();
    let card = XrtCard::new(0x04, ("505c", "505d"), "golden", "0");
    card.plug(&machine);
    machine.set(&card.user(), "logic_uuids", "");
    let found = discover(&roots(&machine));
    let device = find(&found, &card.user());
    assert_eq!(
        (device.board.as_str(), device.health.is_healthy()),
        ("u55c", true),
        "{device:?}"
    );
    assert_eq!(device.shell.as_ref().unwrap().logic_uuid, None);
}

#[test]
fn a_card_with_its_factory_image_says_so() {
    let machine = Machine::new();
    let folder = machine.function("0000:04:00.0", "10ee", "d004");
    fs::write(folder.join("mgmt_pf"), "\n").unwrap();
    let found = discover(&roots(&machine));
    assert!(reason(find(&found, "0000:04:00.0")).contains("golden"));
}

#[test]
fn every_signal_of_sickness_has_its_reason() {
    let signals = [
        ("0000:04:00.1", "device_bad_state", "1", "hung"),
        ("0000:04:00.1", "shutdown", "1", "shut down"),
        ("0000:04:00.1", "ready", "0x0", "not ready"),
        (
            "0000:04:00.0",
            "firewall.m.14680064/detected_level",
            "3",
            "firewall",
        ),
        (
            "0000:04:00.1",
            "xmc.u.19922944/xmc_heartbeat_stall",
            "1",
            "controller",
        ),
        ("0000:04:00.1", "xmc.u.19922944/xmc_fpga_temp", "96", "cooling"),
    ];
    for (function, attribute, value, word) in signals {
        let machine = Machine::new();
        XrtCard::u250(0x04).plug(&machine);
        machine.set(function, attribute, value);
        let found = discover(&roots(&machine));
        let reason = reason(find(&found, "0000:04:00.1"));
        assert!(reason.contains(word), "{attribute}: {reason}");
    }
}

#[test]
fn a_narrow_link_is_a_warning_and_no_sickness() {
    let machine = Machine::new();
    XrtCard::u250(0x04).plug(&machine);
    machine.set("0000:04:00.1", "link_width", "8");
    let found = discover(&roots(&machine));
    let device = find(&found, "0000:04:00.1");
    assert!(device.health.is_healthy());
    assert!(device.warnings[0].contains("8 of 16"), "{device:?}");
}

#[test]
fn the_nodes_are_those_of_the_moment_and_never_anothers() {
    let machine = Machine::new();
    let (card, other) = (XrtCard::u250(0x04), XrtCard::u250(0x05));
    card.plug(&machine);
    other.plug(&machine);
    let found = discover(&roots(&machine));
    let device = find(&found, &card.user());
    card.make_render_node(&machine, 200);
    assert_eq!(user_nodes(&machine, device), ["dri/renderD200"]);
    // A file where the node should be is no device.
    machine.remove_node("dri/renderD200");
    fs::write(machine.dev().join("dri/renderD200"), "").unwrap();
    assert!(device.nodes(&roots(&machine)).is_err());
    // Nor is a node with the numbers of another one.
    machine.node("dri/renderD200", 226, 201);
    machine.set(&card.user(), "drm/renderD200/dev", "226:77");
    let error = device.nodes(&roots(&machine)).unwrap_err().to_string();
    assert!(error.contains("another device"), "{error}");
}

#[test]
fn a_card_whose_shell_has_changed_since_is_not_handed_out_as_the_old_one() {
    let machine = Machine::new();
    let card = XrtCard::u250(0x04);
    card.plug(&machine);
    let found = discover(&roots(&machine));
    let device = find(&found, &card.user());
    machine.set(&card.user(), "rom.u.1025/VBNV", "xilinx_u250_gen3x16_base_4");
    assert!(
        device
            .nodes(&roots(&machine))
            .unwrap_err()
            .reason
            .contains("xilinx_u250_gen3x16_base_4")
    );
    machine.set(&card.user(), "rom.u.1025/VBNV", &card.shell);
    machine.set(&card.user(), "dev_offline", "1");
    assert!(
        device
            .nodes(&roots(&machine))
            .unwrap_err()
            .reason
            .contains("offline")
    );
}

#[test]
fn two_user_functions_of_one_slot_are_two_devices() {
    let machine = Machine::new();
    let card = XrtCard::new(0x04, ("5074", "5075"), "xilinx_x3522pv_gen4x8_1", "0");
    card.plug(&machine);
    let folder = machine.function("0000:04:00.2", "10ee", "5086");
    for (name, value) in [
        ("user_pf", ""),
        ("rom.u.1/VBNV", "xilinx_x3522pv_gen4x8_1"),
        ("rom.u.1/timestamp", "0"),
    ] {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::write(folder.join(name), value).unwrap();
    }
    let numbers = machine.node("dri/renderD140", 226, 140);
    fs::create_dir_all(folder.join("drm/renderD140")).unwrap();
    fs::write(folder.join("drm/renderD140/dev"), numbers).unwrap();
    let found = discover(&roots(&machine));
    assert_eq!(
        user_nodes(&machine, find(&found, "0000:04:00.1")),
        ["dri/renderD132"]
    );
    assert_eq!(
        user_nodes(&machine, find(&found, "0000:04:00.2")),
        ["dri/renderD140"]
    );
}

#[test]
fn a_v80_has_the_node_that_its_driver_lists_and_never_the_drivers_own() {
    let machine = Machine::new();
    let card = |bus: u8, minor| AmiCard {
        address: format!("0000:{bus:02x}:00.0"),
        minor,
    };
    let cards = [card(0x81, 2), card(0xc1, 5)];
    cards.iter().for_each(|card| card.plug(&machine));
    AmiCard::list(&machine, &cards);
    let found = discover(&roots(&machine));
    assert_eq!(user_nodes(&machine, find(&found, "0000:81:00.0")), ["ami2"]);
    assert_eq!(user_nodes(&machine, find(&found, "0000:c1:00.0")), ["ami5"]);
    assert!(
        found.devices.iter().all(|device| device.health.is_healthy()),
        "{found:?}"
    );
    machine.set("0000:81:00.0", "dev_state", "INIT_ERROR");
    AmiCard::list(&machine, &cards[..1]);
    let found = discover(&roots(&machine));
    assert!(reason(find(&found, "0000:81:00.0")).contains("INIT_ERROR"));
    assert!(reason(find(&found, "0000:c1:00.0")).contains("does not list"));
}

#[test]
fn transcoders_dfl_cards_and_the_machines_own_chip_are_found() {
    let machine = Machine::new();
    let transcoder = |number, bus: u8| Transcoder {
        number,
        bus_id: format!("0000:{bus:02x}:00.0"),
    };
    transcoder(0, 0x61).plug(&machine);
    transcoder(1, 0x62).plug(&machine);
    let card = DflCard {
        number: 0,
        address: "0000:af:00.0".to_owned(),
    };
    card.plug(&machine);
    machine.be_a_kria();
    let found = discover(&roots(&machine));
    assert!(found.trouble.is_empty() && found.devices.len() == 4, "{found:#?}");
    assert!(
        found.devices.iter().all(|device| device.health.is_healthy()),
        "{found:#?}"
    );
    assert_eq!(
        user_nodes(&machine, find(&found, "0000:62:00.0")),
        ["ama_transcoder1"]
    );
    let dfl = find(&found, "0000:af:00.0");
    assert_eq!(
        dfl.shell.as_ref().unwrap().name,
        format!("region-{}", DflCard::INTERFACE)
    );
    assert_eq!(user_nodes(&machine, dfl), ["dfl-port.0"]);
    assert_eq!(
        dfl.nodes(&roots(&machine)).unwrap().management[0].name,
        "dfl-fme.0"
    );
    assert_eq!(find(&found, "soc-fpga0").board, "kv260");
    assert_eq!(
        user_nodes(&machine, find(&found, "soc-fpga0")),
        ["dri/renderD128"]
    );
    fs::write(
        card.port(&machine).join("afu_id"),
        "ffffffffffffffffffffffffffffffff\n",
    )
    .unwrap();
    assert!(reason(find(&discover(&roots(&machine)), "0000:af:00.0")).contains("all ones"));
}

#[test]
fn a_usb_board_that_was_replugged_is_handed_out_with_its_new_node() {
    let machine = Machine::new();
    machine.plug_icebreaker("1-2", 17, "ib0042");
    let found = discover(&roots(&machine));
    let device = find(&found, "usb-0403:6010-ib0042");
    machine.unplug_usb("1-2");
    assert!(device.nodes(&roots(&machine)).is_err());
    machine.plug_icebreaker("1-2", 18, "ib0042");
    assert_eq!(user_nodes(&machine, device), ["bus/usb/001/018", "ttyUSB18"]);
    machine.unplug_usb("1-2");
    machine.plug_icebreaker("1-2", 19, "another");
    assert!(device.nodes(&roots(&machine)).is_err());
}
