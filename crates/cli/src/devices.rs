//! `polyphemus devices`: the boards of this machine.

use crate::Failure;
use crate::failure::Exit;
use crate::out;
use crate::simulate::{RootsArg, SimulateArg};
use crate::table::{Cell, Paint, Table};
use polyphemus_device::{Device, Family, Health, Roots, discover};
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
    let roots = args.roots.roots();
    let found = discover(&roots);
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
        out::bytes(table(&devices, &roots).render(out::stdout_palette()).as_bytes())?;
    }
    Ok(Exit::Good.into())
}

fn table(devices: &[Device], roots: &Roots) -> Table {
    let mut table = Table::new(&["DEVICE", "BOARD", "KIND", "SHELL", "NODE", "HEALTH"]);
    for device in devices {
        let shell = device.shell.as_ref().map(|shell| match shell.timestamp.as_str() {
            "0" => shell.name.clone(),
            timestamp => format!("{}-{timestamp}", shell.name),
        });
        let health = match (&device.health, device.warnings.first()) {
            (Health::Healthy, None) => Cell::painted("healthy", Paint::Good),
            (Health::Healthy, Some(warning)) => Cell::painted(format!("healthy, but {warning}"), Paint::Busy),
            (Health::Sick { reason }, _) => Cell::painted(reason, Paint::Bad),
        };
        table.row([
            Cell::from(&device.id),
            Cell::from(&device.board),
            Cell::from(kind(device.family)),
            Cell::from(shell.unwrap_or_default()),
            Cell::from(node(device, roots)),
            health,
        ]);
    }
    table
}

fn kind(family: Family) -> &'static str {
    match family {
        Family::Xrt => "xrt",
        Family::Ami => "ami",
        Family::Aws => "aws",
        Family::Transcoder => "transcoder",
        Family::Dfl => "dfl",
        Family::Soc => "soc",
        Family::Usb => "usb",
        Family::Virtual => "virtual",
    }
}

/// What a job would open: the serial port, or the node of a card.
fn node(device: &Device, roots: &Roots) -> String {
    let port = device.serial_port.as_ref().map(|port| port.display().to_string());
    let node = || {
        device
            .nodes(roots)
            .ok()?
            .user
            .first()
            .map(|node| node.path.display().to_string())
    };
    port.or_else(node).unwrap_or_default()
}
