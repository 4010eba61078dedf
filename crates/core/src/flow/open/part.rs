//! The parts that the open flow can build for, and which one is taken when the user names none.

use super::constraint::PinNames;
use super::option::{Options, bad_value};
use crate::flow::PlanError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ice40,
    Ecp5,
}

impl Family {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ice40 => "ice40",
            Self::Ecp5 => "ecp5",
        }
    }
}

/// A device with the packages it comes in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Device {
    pub(super) family: Family,
    /// As nextpnr's option of that name.
    pub(super) name: &'static str,
    /// As nextpnr's `--package` takes them (each tried: nextpnr-ice40 0.4, nextpnr-ecp5 0.11); the first is the default.
    packages: &'static [&'static str],
    /// What is added to a package's name in icestorm's tables, where two devices share a die.
    icestorm_suffix: &'static str,
}

/// In the order in which a package that several devices have picks its device.
static DEVICES: [Device; 18] = [
    ice40(
        "hx8k",
        &["ct256", "bg121", "cb132", "cm121", "cm225", "cm81", "tq144:4k"],
        "",
    ),
    ice40("hx1k", HX1K_PACKAGES, ""),
    ice40("up5k", &["sg48", "uwg30"], ""),
    ice40("hx4k", HX4K_PACKAGES, ":4k"),
    ice40("lp8k", &["cm81", "bg121", "cb132", "cm121", "cm225", "ct256"], ""),
    ice40("lp4k", HX4K_PACKAGES, ":4k"),
    ice40("lp1k", HX1K_PACKAGES, ""),
    ice40("u4k", &["sg48"], ""),
    ecp5("85k", LARGE_ECP5),
    ecp5("45k", MIDDLE_ECP5),
    ecp5("25k", SMALL_ECP5),
    ecp5("12k", SMALL_ECP5),
    ecp5("um5g-85k", LARGE_ECP5),
    ecp5("um5g-45k", MIDDLE_ECP5),
    ecp5("um5g-25k", SMALL_ECP5),
    ecp5("um-85k", LARGE_ECP5),
    ecp5("um-45k", MIDDLE_ECP5),
    ecp5("um-25k", SMALL_ECP5),
];

const HX1K_PACKAGES: &[&str] = &[
    "tq144", "cb121", "cb132", "cb81", "cm121", "cm36", "cm49", "cm81", "qn84", "swg16tr", "vq100",
];
const HX4K_PACKAGES: &[&str] = &["tq144", "bg121", "cb132", "cm121", "cm225", "cm81"];

const LARGE_ECP5: &[&str] = &["CABGA381", "CSFBGA285", "CABGA554", "CABGA756"];
const MIDDLE_ECP5: &[&str] = &["CABGA381", "CABGA256", "CSFBGA285", "CABGA554", "TQFP144"];
const SMALL_ECP5: &[&str] = &["CABGA381", "CABGA256", "CSFBGA285", "TQFP144"];

/// The pins of an sg48 that can be ports (icestorm's tables of the up5k).
const SG48_PINS: [u32; 39] = [
    2, 3, 4, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 23, 25, 26, 27, 28, 31, 32, 34, 35, 36,
    37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48,
];
/// Those of them that are no ports of an hx1k's tq144.
const SG48_NOT_TQ144: [u32; 12] = [6, 13, 14, 15, 16, 17, 18, 27, 35, 36, 40, 46];

const fn ice40(
    name: &'static str,
    packages: &'static [&'static str],
    icestorm_suffix: &'static str,
) -> Device {
    Device {
        family: Family::Ice40,
        name,
        packages,
        icestorm_suffix,
    }
}

const fn ecp5(name: &'static str, packages: &'static [&'static str]) -> Device {
    Device {
        family: Family::Ecp5,
        name,
        packages,
        icestorm_suffix: "",
    }
}

/// A device in a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) device: &'static Device,
    pub(super) package: &'static str,
    /// Why it was taken, where the user did not name it.
    pub(super) why_device: Option<&'static str>,
    pub(super) why_package: Option<&'static str>,
}

impl Part {
    pub(super) fn family(&self) -> Family {
        self.device.family
    }

    /// The board it needs, in the words of a label: `ice40-hx8k`.
    pub(super) fn board(&self) -> String {
        format!("{}-{}", self.device.family.as_str(), self.device.name)
    }

    /// The package as icestorm's tools call it.
    pub(super) fn icestorm_package(&self) -> String {
        format!("{}{}", self.package, self.device.icestorm_suffix)
    }
}

/// What is known of a design that tells of its part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs<'a> {
    pub(super) pins: Option<&'a PinNames>,
    /// Whether the sources use cells that only the iCE40 UltraPlus has.
    pub(super) ultra_plus_cells: bool,
    pub(super) family: Family,
}

/// The family: as given, or as the device given belongs to, or ECP5 where only `.lpf` files are.
pub(super) fn family(options: &Options, only_lpf: bool) -> Result<Family, PlanError> {
    match options.family.as_deref() {
        Some("ice40") => Ok(Family::Ice40),
        Some("ecp5") => Ok(Family::Ecp5),
        Some(other) => Err(bad_value("family", other, "the families are `ice40` and `ecp5`")),
        None => Ok(match &options.device {
            Some(device) => named_device(device, None)?.family,
            None if only_lpf => Family::Ecp5,
            None => Family::Ice40,
        }),
    }
}

/// The part to build for: what the user gave, completed by what the design tells.
pub(super) fn choose(options: &Options, signs: Signs<'_>) -> Result<Part, PlanError> {
    let (device, why_device) = match (&options.device, &options.package) {
        (Some(device), _) => (named_device(device, Some(signs.family))?, None),
        (None, Some(package)) => (
            device_with(package, signs.family)?,
            Some("the package comes with it"),
        ),
        (None, None) => {
            let (name, why) = guess(signs);
            (named_device(name, Some(signs.family))?, Some(why))
        }
    };
    let (package, why_package) = match &options.package {
        Some(package) => (named_package(package, device)?, None),
        None => default_package(device, signs.pins),
    };
    Ok(Part {
        device,
        package,
        why_device,
        why_package,
    })
}

fn guess(signs: Signs<'_>) -> (&'static str, &'static str) {
    if signs.family == Family::Ecp5 {
        return ("85k", "default");
    }
    if signs.ultra_plus_cells {
        return ("up5k", "the sources use cells that only it has");
    }
    match signs.pins {
        Some(PinNames::Numbers(pins)) if is_sg48(pins) => ("up5k", "the pins are those of an sg48"),
        Some(PinNames::Numbers(_)) => ("hx1k", "the pins are numbers"),
        Some(PinNames::Balls) => ("hx8k", "the pins are balls"),
        None => ("hx8k", "default"),
    }
}

fn is_sg48(pins: &[u32]) -> bool {
    pins.iter().all(|pin| SG48_PINS.contains(pin)) && pins.iter().any(|pin| SG48_NOT_TQ144.contains(pin))
}

/// The device's first package that names its pins as the constraints do.
fn default_package(device: &'static Device, pins: Option<&PinNames>) -> (&'static str, Option<&'static str>) {
    let first = device.packages[0];
    let Some(pins) = pins.filter(|_| device.family == Family::Ice40) else {
        return (first, Some("default"));
    };
    let numbered = matches!(pins, PinNames::Numbers(_));
    let is_numbered = |package: &str| matches!(package, "tq144" | "tq144:4k" | "vq100" | "sg48");
    match device
        .packages
        .iter()
        .find(|package| is_numbered(package) == numbered)
    {
        Some(package) if numbered => (package, Some("the pins are numbers")),
        Some(package) => (package, Some("the pins are balls")),
        None => (first, Some("default")),
    }
}

fn named_device(name: &str, family: Option<Family>) -> Result<&'static Device, PlanError> {
    let plain = name
        .strip_prefix("ice40-")
        .or_else(|| name.strip_prefix("ecp5-"))
        .unwrap_or(name);
    let found = DEVICES
        .iter()
        .find(|device| device.name == plain && family.is_none_or(|family| family == device.family));
    found.ok_or_else(|| {
        let known: Vec<String> = DEVICES
            .iter()
            .filter(|device| family.is_none_or(|family| family == device.family))
            .map(|device| format!("`{}`", device.name))
            .collect();
        let of = family
            .map(|family| format!(" of the family {}", family.as_str()))
            .unwrap_or_default();
        bad_value(
            "device",
            name,
            format!("the devices{of} are {}", known.join(", ")),
        )
    })
}

fn device_with(package: &str, family: Family) -> Result<&'static Device, PlanError> {
    let of_family = || DEVICES.iter().filter(move |device| device.family == family);
    of_family()
        .find(|device| {
            device
                .packages
                .iter()
                .any(|known| known.eq_ignore_ascii_case(package))
        })
        .ok_or_else(|| {
            let mut known: Vec<&str> = of_family()
                .flat_map(|device| device.packages.iter().copied())
                .collect();
            known.sort_unstable();
            known.dedup();
            bad_value(
                "package",
                package,
                format!("the packages are {}", known.join(", ")),
            )
        })
}

fn named_package(package: &str, device: &'static Device) -> Result<&'static str, PlanError> {
    let found = device
        .packages
        .iter()
        .find(|known| known.eq_ignore_ascii_case(package));
    found.copied().ok_or_else(|| {
        let known = device.packages.join(", ");
        bad_value(
            "package",
            package,
            format!("the packages of the {} are {known}", device.name),
        )
    })
}
