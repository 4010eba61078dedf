//! V80, V70 and VCK5000 under AMD's driver `ami` (Xilinx/AVED). Its node `/dev/ami0` is the driver's own and no card's.
use super::pci::{self, Id};
use super::{Probed, Seen};
use crate::device::{Device, Family, Roots, Shell};
use crate::health::{Reading, SymptomKind};
use crate::node::{self, Nodes};
use crate::sysfs::{self, Reason};

/// What the driver accepts, of vendor 10ee with subsystem 10ee:000e.
const BOARDS: &[(&str, &str)] = &[
    ("5094", "v70"),
    ("5048", "vck5000"),
    ("50b4", "v80"),
    ("50bc", "v80p"),
];
/// States in which the card does not work, in the driver's words.
const BAD_STATES: [&str; 5] = ["INIT_ERROR", "SHUTDOWN", "COMPAT", "NO_AMC", "INIT"];

pub(super) fn probe(roots: &Roots, address: &str) -> Option<Probed> {
    let folder = pci::folder(roots, address);
    let id = Id::of(roots, address).ok()??;
    let (_, board) = BOARDS
        .iter()
        .find(|(device, _)| id.vendor == "10ee" && *device == id.device)?;
    let has_driver = sysfs::link_name(&folder.join("driver")).as_deref() == Some("ami");
    let subsystem = |name: &str| sysfs::id(&folder.join(name)).ok().flatten();
    let is_its = subsystem("subsystem_vendor").as_deref() == Some("10ee")
        && subsystem("subsystem_device").as_deref() == Some("000e");
    if !has_driver && !is_its {
        return None;
    }
    let mut reading = Reading::default();
    if !has_driver {
        reading.add(
            SymptomKind::Down,
            "no driver has it; load AMD's driver (modprobe ami)",
        );
    } else if let Err(reason) = minor(roots, address) {
        reading.add(SymptomKind::Unreadable, reason);
    }
    let state = folder.join("dev_state");
    match sysfs::word(&state) {
        Ok(Some(word)) if BAD_STATES.contains(&word.to_ascii_uppercase().as_str()) => {
            reading.add(
                SymptomKind::Down,
                format!("its driver says that its state is {word}"),
            );
        }
        Ok(_) => {}
        Err(reason) => reading.add(SymptomKind::Unreadable, reason),
    }
    let shell = Shell {
        name: format!("ami_{board}"),
        timestamp: "0".to_owned(),
        logic_uuid: sysfs::word(&folder.join("logic_uuid")).ok().flatten(),
    };
    let device = Device {
        labels: vec![format!("fpga:{board}"), format!("fpga:{}", shell.name)],
        address: Some(address.to_owned()),
        serial: sysfs::word(&folder.join("board_serial")).ok().flatten(),
        shell: Some(shell),
        numa_node: pci::numa_node(roots, address),
        ..Device::bare(Family::Ami, address, *board)
    };
    let seen = Seen {
        device,
        reading,
        is_complete: true,
        watch: vec![state],
    };
    Some(seen.into())
}

/// The number of its node: only the driver's own list tells, for the numbers grow with each probe.
fn minor(roots: &Roots, address: &str) -> Result<u32, Reason> {
    let list = roots.sys.join("bus/pci/drivers/ami/devices");
    let text = sysfs::text(&list)?.unwrap_or_default();
    // A line is `bb:dd.f <minor> <hwmon index>`; the first line is their count. The domain is not in it.
    let short = address.split_once(':').map_or(address, |(_, rest)| rest);
    let lines = text
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let minors: Vec<u32> = lines
        .filter(|words| {
            words
                .first()
                .is_some_and(|first| first.eq_ignore_ascii_case(short))
        })
        .filter_map(|words| words.get(1)?.parse().ok())
        .collect();
    match minors[..] {
        [0] => Err(format!("{} gives it the driver's own node ami0", list.display())),
        [minor] => Ok(minor),
        [] => Err(format!("{} does not list it", list.display())),
        _ => Err(format!(
            "{} lists {short} more than once, so that its node cannot be told",
            list.display()
        )),
    }
}

pub(super) fn nodes(roots: &Roots, device: &Device) -> Result<Nodes, Reason> {
    let minor = minor(roots, super::address(device)?)?;
    Ok(Nodes {
        user: vec![node::node(roots, &format!("ami{minor}"), None)?],
        management: Vec::new(),
    })
}
