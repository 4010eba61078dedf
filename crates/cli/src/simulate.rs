//! `--simulate NAME[:COUNT]` and the boards of this machine, for whoever offers devices.

use crate::Failure;
use crate::out;
use polyphemus_device::{Device, Health, Roots, discover, simulate};
use polyphemus_server::config::Origin;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The virtual boards to offer beside the real ones.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SimulateArg {
    /// Offer virtual boards: ice40-hx8k, ice40-hx1k or ice40-up5k; may be repeated
    #[arg(long, value_name = "NAME[:COUNT]", value_parser = boards)]
    simulate: Vec<Boards>,
}

#[derive(Debug, Clone)]
struct Boards(Vec<Device>);

fn boards(text: &str) -> Result<Boards, String> {
    simulate::parse(text)
        .map(Boards)
        .map_err(|error| error.to_string())
}

impl SimulateArg {
    /// The virtual boards.
    ///
    /// # Errors
    /// `Failure::Usage` when a board is named twice.
    pub fn devices(&self) -> Result<Vec<Device>, Failure> {
        let mut devices = BTreeMap::new();
        for device in self.simulate.iter().flat_map(|boards| &boards.0) {
            if devices.insert(device.id.clone(), device.clone()).is_some() {
                let message = format!(
                    "the virtual board {0} is named twice: name it once with a count, as in --simulate {0}:2",
                    device.board
                );
                return Err(Failure::Usage(message));
            }
        }
        Ok(devices.into_values().collect())
    }

    /// What was given, else what a setting says, which came from `origin`.
    ///
    /// # Errors
    /// `Failure::Usage` when the setting names a board that there is not.
    pub fn or(&self, setting: &[String], origin: &Origin) -> Result<Self, Failure> {
        if !self.simulate.is_empty() {
            return Ok(self.clone());
        }
        let parsed = setting.iter().map(|text| boards(text)).collect::<Result<_, _>>();
        parsed
            .map(|simulate| Self { simulate })
            .map_err(|error| Failure::Usage(format!("{origin}: SIMULATE: {error}")))
    }

    /// The virtual boards and the healthy ones of this machine; tells of the others.
    pub fn with_boards_of_this_machine(&self) -> Result<Vec<Device>, Failure> {
        let mut devices = self.devices()?;
        let found = discover(&Roots::of_this_machine());
        for trouble in &found.trouble {
            out::note(&format!("note: {}: {}", trouble.path.display(), trouble.reason));
        }
        for device in found.devices {
            match &device.health {
                Health::Healthy => devices.push(device),
                Health::Sick { reason } => {
                    out::note(&format!("note: the board {} is not offered: {reason}", device.id));
                }
            }
        }
        Ok(devices)
    }
}

/// Where boards are looked for.
#[derive(Debug, Clone, clap::Args)]
pub struct RootsArg {
    /// Look for boards here
    #[arg(long, value_name = "DIR", default_value = "/sys")]
    sys_root: PathBuf,
    /// Look for their ports here
    #[arg(long, value_name = "DIR", default_value = "/dev")]
    dev_root: PathBuf,
}

impl RootsArg {
    pub fn roots(&self) -> Roots {
        Roots {
            sys: self.sys_root.clone(),
            dev: self.dev_root.clone(),
            usb_rules: Vec::new(),
        }
    }
}
