//! The FPGA of the chip that Linux itself runs on (Zynq, Kria, Cyclone V): `fpga_manager`, and the node of XRT's `zocl`
//! where it is loaded.
use std::fs;
use std::path::{Path, PathBuf};

use super::{Probed, Seen, pci};
use crate::device::{Device, Family, Roots};
use crate::health::{Reading, SymptomKind};
use crate::node::{self, Nodes};
use crate::sysfs::{self, Reason};

pub(super) fn may_be(name: &str) -> bool {
    name.starts_with("fpga")
}

pub(super) fn probe(roots: &Roots, name: &str) -> Option<Probed> {
    let folder = roots.sys.join("class/fpga_manager").join(name);
    // Cards on PCI have one too; they are found as cards.
    let real = fs::canonicalize(&folder).ok()?;
    if real.iter().filter_map(|part| part.to_str()).any(pci::is_address) {
        return None;
    }
    let mut reading = Reading::default();
    let state = folder.join("state");
    match sysfs::word(&state) {
        Ok(Some(text)) if text.contains("error") => {
            reading.add(
                SymptomKind::Down,
                format!("the last design could not be loaded (state is {text:?})"),
            );
        }
        Ok(_) => {}
        Err(reason) => reading.add(SymptomKind::Unreadable, reason),
    }
    let board = board(roots).unwrap_or_else(|| "soc".to_owned());
    let device = Device {
        labels: vec![format!("fpga:{board}")],
        address: Some(name.to_owned()),
        ..Device::bare(Family::Soc, format!("soc-{name}"), board)
    };
    if let Some(driver) = accelerator(roots)
        && let Err(reason) = node::render_node(roots, &driver)
    {
        reading.add(SymptomKind::Unreadable, reason);
    }
    let seen = Seen {
        device,
        reading,
        is_complete: true,
        watch: vec![state],
    };
    Some(seen.into())
}

/// `kv260` of `xlnx,zynqmp-sk-kv260-rev1`, `zcu102` of `xlnx,zynqmp-zcu102-rev1.0`: the first words of the device tree.
fn board(roots: &Roots) -> Option<String> {
    let path = roots.sys.join("firmware/devicetree/base/compatible");
    let bytes = fs::read(path).ok().filter(|bytes| bytes.len() < 4096)?;
    // A list of names, each closed by a zero byte.
    let first = String::from_utf8_lossy(bytes.split(|b| *b == 0).next()?).to_ascii_lowercase();
    let is_board = |word: &&str| {
        let letters = word.bytes().take_while(u8::is_ascii_lowercase).count();
        letters > 0
            && letters < word.len()
            && word[letters..].bytes().all(|b| b.is_ascii_digit())
            && !word.starts_with("rev")
    };
    let after = first.split_once(',').map_or(first.as_str(), |(_, name)| name);
    after.split('-').find(is_board).map(str::to_owned)
}

fn accelerator(roots: &Roots) -> Option<PathBuf> {
    let bus = roots.sys.join("bus/platform/devices");
    let names = sysfs::names(&bus).ok()?;
    let name = names.iter().find(|name| name.contains("zyxclmm_drm"))?;
    Some(bus.join(name))
}

pub(super) fn nodes(roots: &Roots, _: &Device) -> Result<Nodes, Reason> {
    let none = "it has no node: load XRT's driver for the chip's own FPGA (modprobe zocl)";
    let driver: &Path = &accelerator(roots).ok_or(none)?;
    Ok(Nodes {
        user: vec![node::render_node(roots, driver)?],
        management: Vec::new(),
    })
}
