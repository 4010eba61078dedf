//! What an XRT card's attributes say of its health. Every one is optional: what is absent is not judged.
use std::path::{Path, PathBuf};

use super::pci;
use crate::device::Roots;
use crate::health::{Heat, Reading, SymptomKind};
use crate::sysfs::{self, Reason};

/// Attributes of the user function with the value that is good, and what another one means.
const MUST_BE: &[(&str, i64, SymptomKind, &str)] = &[
    (
        "dev_offline",
        0,
        SymptomKind::Down,
        "the card is offline: it is being reset, or its shell changed",
    ),
    ("shutdown", 0, SymptomKind::Down, "the card is shut down"),
    (
        "device_bad_state",
        0,
        SymptomKind::Down,
        "a command hung and the driver gave up on the card; reset it (xbutil reset)",
    ),
    (
        "ready",
        1,
        SymptomKind::NotReady,
        "the driver is not ready: its peer, the management function, does not answer",
    ),
];

/// Temperatures in °C beside which the card gives one limit for all (`scaling_critical_temp_threshold`).
const TEMPERATURES: [&str; 3] = ["xmc_fpga_temp", "xmc_hbm_temp", "xmc_vccint_temp"];

/// Reads all signals; returns those attributes that show at once when something happens to the card.
pub(super) fn read(
    roots: &Roots,
    folder: &Path,
    names: &[String],
    management: Option<&str>,
    reading: &mut Reading,
) -> Vec<PathBuf> {
    let mut watch = Vec::new();
    for (name, good, kind, meaning) in MUST_BE {
        let path = folder.join(name);
        match sysfs::number(&path) {
            Ok(Some(value)) if value != *good => reading.add(*kind, format!("{meaning} ({name} is {value})")),
            Ok(_) => {}
            Err(reason) => reading.add(SymptomKind::Unreadable, reason),
        }
        watch.push(path);
    }
    let management = management.map(|function| pci::folder(roots, function));
    let management_names = management
        .as_deref()
        .map_or_else(Vec::new, |folder| sysfs::names(folder).unwrap_or_default());
    if let Some(card) = &management {
        watch.extend(firewall(card, &management_names, reading));
        memory(card, &management_names, reading);
    }
    let limit = management
        .as_deref()
        .and_then(|card| temperature_limit(card, &management_names));
    for part in sysfs::parts(folder, names, "xmc.u") {
        controller(&part, reading);
        temperatures(&part, limit, reading);
    }
    for part in sysfs::parts(folder, names, "hwmon_sdm.u.") {
        sensors(&part, reading);
    }
    link(folder, reading);
    boot(folder, reading);
    watch
}

/// The AXI firewall closes when a kernel breaks the bus protocol; nothing passes until it is cleared.
fn firewall(card: &Path, names: &[String], reading: &mut Reading) -> Vec<PathBuf> {
    let mut watch = Vec::new();
    for part in sysfs::parts(card, names, "firewall.m.") {
        let level = part.join("detected_level");
        for path in [level.clone(), part.join("level")] {
            if matches!(optional(&path), Some(number) if number != 0) {
                let name = sysfs::word(&part.join("detected_level_name")).ok().flatten();
                reading.add(
                    SymptomKind::Down,
                    format!(
                        "its AXI firewall has tripped ({}); reset the card (xbutil reset)",
                        name.unwrap_or_else(|| "level not named".to_owned())
                    ),
                );
                break;
            }
        }
        watch.push(level);
    }
    watch
}

fn memory(card: &Path, names: &[String], reading: &mut Reading) {
    let parts = sysfs::parts(card, names, "mig.m.");
    let on = parts
        .iter()
        .filter(|part| optional(&part.join("ecc_enabled")).is_some_and(|on| on != 0));
    let counts: Vec<i64> = on.filter_map(|part| optional(&part.join("ecc_ue_cnt"))).collect();
    reading.uncorrectable_errors = (!counts.is_empty()).then(|| counts.iter().sum());
}

fn controller(part: &Path, reading: &mut Reading) {
    for name in ["xmc_heartbeat_err_code", "xmc_heartbeat_stall", "xmc_power_warn"] {
        if let Some(value) = optional(&part.join(name)).filter(|value| *value != 0) {
            reading.add(
                SymptomKind::Controller,
                format!(
                    "the card's own controller complains ({name} is {value}); power the machine off and on"
                ),
            );
        }
    }
}

fn temperature_limit(card: &Path, names: &[String]) -> Option<i64> {
    let parts = sysfs::parts(card, names, "xmc.m.");
    let limits = parts
        .iter()
        .filter_map(|part| optional(&part.join("scaling_critical_temp_threshold")));
    limits.into_iter().find(|limit| *limit > 0)
}

fn temperatures(part: &Path, limit: Option<i64>, reading: &mut Reading) {
    let Some(limit) = limit else { return };
    for name in TEMPERATURES {
        if let Some(celsius) = optional(&part.join(name)) {
            reading.heats.push(Heat {
                sensor: name.to_owned(),
                celsius: celsius as f64,
                limit: limit as f64,
            });
        }
    }
}

/// Versal cards give each sensor with a limit of its own, in thousandths of a degree.
fn sensors(part: &Path, reading: &mut Reading) {
    for name in sysfs::names(part).unwrap_or_default() {
        let Some(sensor) = name
            .strip_suffix("_input")
            .filter(|sensor| sensor.starts_with("temp"))
        else {
            continue;
        };
        let limit = optional(&part.join(format!("{sensor}_upper_critical"))).filter(|limit| *limit > 0);
        if let (Some(value), Some(limit)) = (optional(&part.join(&name)), limit) {
            reading.heats.push(Heat {
                sensor: sensor.to_owned(),
                celsius: value as f64 / 1000.0,
                limit: limit as f64 / 1000.0,
            });
        }
    }
}

fn link(folder: &Path, reading: &mut Reading) {
    for (now, most, what) in [
        ("link_width", "link_width_max", "lanes"),
        ("link_speed", "link_speed_max", "generation"),
    ] {
        if let (Some(now), Some(most)) = (optional(&folder.join(now)), optional(&folder.join(most)))
            && now < most
        {
            reading.warnings.push(format!(
                "its PCIe link has {what} {now} of {most}; look at the slot and the riser"
            ));
        }
    }
}

fn boot(folder: &Path, reading: &mut Reading) {
    let status = sysfs::text(&folder.join("vmr_status"))
        .ok()
        .flatten()
        .unwrap_or_default();
    if status.lines().any(|line| line.trim() == "BOOT_ON_DEFAULT:0") {
        reading
            .warnings
            .push("it did not boot from its default image (vmr_status)".to_owned());
    }
}

/// A signal beside the main ones: one that cannot be read or is no number says nothing.
fn optional(path: &Path) -> Option<i64> {
    let read: Result<Option<i64>, Reason> = sysfs::number(path);
    read.ok().flatten()
}
