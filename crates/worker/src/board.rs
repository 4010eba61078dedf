//! A board that carries a bitstream: a real one loaded by openFPGALoader, or a virtual one that is built
//! and runs until the stage ends. The only place that carries out [`Load`].

mod build;
mod simulation;

use crate::run::{Attempt, Fault, Program};
use crate::sandbox::{Access, DeviceNode};
use polyphemus_core::cause::{Cause, CauseKind};
use polyphemus_core::plan::Load;
use polyphemus_device::Device;
use simulation::Simulation;
use std::path::{Path, PathBuf};

/// A loaded board.
#[derive(Debug)]
pub struct Board {
    port: Option<PathBuf>,
    simulation: Option<Simulation>,
}

impl Board {
    /// The serial port on this machine; none where the bitstream ran for some cycles and is done.
    pub fn port(&self) -> Option<&Path> {
        self.port.as_deref()
    }

    /// Ends the simulation, whose last words are in the log then. A real board keeps its bitstream.
    pub async fn end(self) {
        if let Some(simulation) = self.simulation {
            simulation.end().await;
        }
    }
}

pub(crate) async fn load(attempt: &mut Attempt<'_>, load: &Load) -> Result<(), Fault> {
    let Some(device) = attempt.device else {
        return Err(failed(
            CauseKind::WorkerTrouble,
            "the stage loads a board, but it was given to a slot without one; the needs of its plan are wrong".to_owned(),
        ));
    };
    let present = load
        .bitstream
        .iter()
        .find(|path| attempt.folder.find(path).is_some());
    let Some(bitstream) = present else {
        return Err(failed(
            CauseKind::MissingOutput,
            format!(
                "there is no bitstream to load: none of {} is in the workspace",
                load.bitstream.join(", ")
            ),
        ));
    };
    if let Some(board) = attempt.board.take() {
        board.end().await;
    }
    let bitstream = attempt.machine.sandbox.job(&attempt.folder).join(bitstream);
    attempt.board = Some(if device.simulated {
        load_virtual(attempt, device, &bitstream, load.cycles).await?
    } else {
        load_real(attempt, device, &bitstream).await?
    });
    Ok(())
}

async fn load_virtual(
    attempt: &Attempt<'_>,
    device: &Device,
    bitstream: &Path,
    cycles: Option<u64>,
) -> Result<Board, Fault> {
    attempt.say(&format!(
        "# loading the virtual board {}: its bitstream becomes a program",
        device.id
    ));
    let program = build::build(attempt, device, bitstream).await?;
    match cycles {
        Some(cycles) => {
            build::run_cycles(attempt, &program, cycles).await?;
            Ok(Board {
                port: None,
                simulation: None,
            })
        }
        None => {
            let (simulation, port) = Simulation::start(attempt, &program).await?;
            Ok(Board {
                port: Some(port),
                simulation: Some(simulation),
            })
        }
    }
}

async fn load_real(attempt: &Attempt<'_>, device: &Device, bitstream: &Path) -> Result<Board, Fault> {
    let (Some(loader), Some(usb)) = (&device.loader, device.usb) else {
        return Err(failed(
            CauseKind::Device,
            format!("the board {} cannot be loaded: it is not known how", device.id),
        ));
    };
    let address = format!("{}:{}", usb.bus, usb.device);
    let words = ["openFPGALoader", "-b", loader, "--busdev-num", &address];
    let mut argv: Vec<String> = words.map(str::to_owned).into();
    argv.push(bitstream.to_string_lossy().into_owned());
    let program = Program {
        title: "load the board".to_owned(),
        argv,
        folder: attempt.machine.sandbox.job(&attempt.folder),
        access: Access {
            devices: vec![DeviceNode(
                format!("/dev/bus/usb/{:03}/{:03}", usb.bus, usb.device).into(),
            )],
            usb: true,
            ..Access::default()
        },
        ..Program::default()
    };
    let ran = attempt.start_and_wait(program, |_| {}).await?;
    if !ran.is_good() {
        return Err(failed(
            CauseKind::Device,
            format!(
                "openFPGALoader could not load the board {} ({}); the log says why. Look at its cable and power, and at the worker's rights on it",
                device.id,
                ran.end_in_words()
            ),
        ));
    }
    Ok(Board {
        port: device.serial_port.clone(),
        simulation: None,
    })
}

fn failed(kind: CauseKind, message: String) -> Fault {
    Fault::Failed(Cause::new(kind, message))
}
