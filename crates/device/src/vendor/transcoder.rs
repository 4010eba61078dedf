//! MA35D: `/sys/class/misc/ama_transcoder<n>` with `bus_id` and `device_info`.
use super::{Probed, Seen, pci};
use crate::device::{Device, Family, Roots, Shell};
use crate::health::{Reading, SymptomKind};
use crate::node::{self, Nodes};
use crate::sysfs::{self, Reason};

pub(super) fn may_be(name: &str) -> bool {
    name.strip_prefix("ama_transcoder")
        .is_some_and(|number| number.parse::<u32>().is_ok())
}

pub(super) fn probe(roots: &Roots, name: &str) -> Option<Probed> {
    let folder = roots.sys.join("class/misc").join(name);
    let id = match sysfs::word(&folder.join("bus_id")) {
        Ok(Some(id)) => id,
        // Without it no name would hold: the numbers of the nodes change.
        Ok(None) => {
            return Some(pci::trouble(folder.clone(), format!("{} has no bus_id", folder.display())).into());
        }
        Err(reason) => return Some(pci::trouble(folder, reason).into()),
    };
    let mut reading = Reading::default();
    let serial = match sysfs::text(&folder.join("device_info")) {
        Ok(text) => text.and_then(|text| field(&text, "Product serial number")),
        Err(reason) => {
            reading.warnings.push(reason);
            None
        }
    };
    if let Err(reason) = node::node(roots, name, Some(&folder.join("dev"))) {
        reading.add(SymptomKind::Unreadable, reason);
    }
    let device = Device {
        labels: vec!["fpga:ma35".to_owned()],
        serial,
        shell: Some(Shell {
            name: "MA35".to_owned(),
            timestamp: "0".to_owned(),
            logic_uuid: None,
        }),
        numa_node: pci::numa_node(roots, &id),
        address: Some(id.clone()),
        ..Device::bare(Family::Transcoder, id, "ma35")
    };
    let seen = Seen {
        device,
        reading,
        is_complete: true,
        watch: vec![folder.join("bus_id")],
    };
    Some(seen.into())
}

/// The value of a line `Product serial number = X`.
fn field(text: &str, name: &str) -> Option<String> {
    let lines = text.lines().filter_map(|line| line.split_once('='));
    let (_, value) = lines.into_iter().find(|(key, _)| key.trim() == name)?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

pub(super) fn nodes(roots: &Roots, device: &Device) -> Result<Nodes, Reason> {
    let address = super::address(device)?;
    let class = roots.sys.join("class/misc");
    for name in sysfs::names(&class)?.iter().filter(|name| may_be(name)) {
        let folder = class.join(name);
        // Another card that cannot be read is not this one.
        if sysfs::word(&folder.join("bus_id")).ok().flatten().as_deref() == Some(address) {
            return Ok(Nodes {
                user: vec![node::node(roots, name, Some(&folder.join("dev")))?],
                management: Vec::new(),
            });
        }
    }
    Err(format!(
        "no ama_transcoder in {} has the bus_id {address}",
        class.display()
    ))
}
