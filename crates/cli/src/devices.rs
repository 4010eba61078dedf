//! `polyphemus devices`: the boards of this machine.

use crate::Failure;
use crate::failure::Exit;
use crate::out;
use crate::simulate::{RootsArg, SimulateArg};
use crate::table::{Cell, Paint, Table};
use polyphemus_device::{Device, Health, discover};
use serde::Serialize;
use std::process::ExitCode;

/// List the boards of this machine, those in trouble included.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print one JSON document: {"devices": […], "trouble": […]}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    roots: RootsArg,
    #[command(flatten)]
    simulate: SimulateArg,
}

#[derive(Debug, Serialize)]
struct Document {
    devices: Vec<Device>,
    trouble: Vec<Trouble>,
}

/// What could not be looked at.
#[derive(Debug, Serialize)]
struct Trouble {
    path: String,
    reason: String,
}

pub fn run(args: Args) -> Result<ExitCode, Failure> {
    let found = discover(&args.roots.roots());
    let mut devices = found.devices;
    devices.extend(args.simulate.devices()?);
    if args.json {
        let trouble = found.trouble.into_iter().map(|trouble| Trouble {
            path: trouble.path.display().to_string(),
            reason: trouble.reason,
        });
        out::json(&Document {
            devices,
            trouble: trouble.collect(),
        })?;
        return Ok(Exit::Good.into());
    }
    for trouble in &found.trouble {
        out::note(&format!("note: {}: {}", trouble.path.display(), trouble.reason));
    }
    if devices.is_empty() {
        out::note("there is no board; `polyphemus serve --simulate ice40-hx8k` offers a virtual one");
    } else {
        out::bytes(table(&devices).render(out::stdout_palette()).as_bytes())?;
    }
    Ok(Exit::Good.into())
}

fn table(devices: &[Device]) -> Table {
    let mut table = Table::new(&["DEVICE", "BOARD", "KIND", "PORT", "HEALTH"]);
    for device in devices {
        let port = device.serial_port.as_ref().map(|port| port.display().to_string());
        let health = match &device.health {
            Health::Healthy => Cell::painted("healthy", Paint::Good),
            Health::Sick { reason } => Cell::painted(reason, Paint::Bad),
        };
        table.row([
            Cell::from(&device.id),
            Cell::from(&device.board),
            Cell::from(if device.simulated { "virtual" } else { "usb" }),
            Cell::from(port.unwrap_or_default()),
            health,
        ]);
    }
    table
}
