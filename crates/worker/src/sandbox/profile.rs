//! The arguments of bubblewrap (bwrap(1)): what a step sees, and what is taken from it.

use super::{BOARD, HOME, JOB, Sandbox, TEMPORARY};
use crate::workspace::AttemptFolder;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What of `/proc` concerns the machine, not the processes of the sandbox; as container runtimes have it.
const OF_THE_KERNEL: [&str; 7] = [
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/proc/fs",
    "/proc/acpi",
    "/proc/mtrr",
];

/// Where a step finds the serial port of its board.
pub(super) const SERIAL: &str = "/dev/board";
/// The system's programs. `/bin` and its like are links into `/usr` on most machines, and stay links.
const SYSTEM: [&str; 9] = [
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/nix",
];
/// How the nodes of cards begin below /dev: of XDMA, QDMA and XRT, which is below `dri`.
const CARD_NODES: [&str; 5] = ["xdma", "qdma", "xclmgmt", "dri", "xfpga"];
/// The same user on every machine.
const USER_ID: &str = "1000";

/// What a step may reach beside the system's programs and its own folders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    pub network: bool,
    pub serial: Option<PathBuf>,
    pub devices: Vec<DeviceNode>,
    /// Further files and folders, read-only.
    pub read_only: Vec<PathBuf>,
    /// The folder in which the virtual board is built; the workspace is read-only then.
    pub is_board: bool,
    /// The description of the USB bus in /sys.
    pub usb: bool,
    /// The PCIe cards of the machine: their nodes, and their registers in /sys.
    pub cards: bool,
}

/// A device that is seen under its own path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceNode(pub PathBuf);

/// Whether a step sees this folder.
pub(super) fn is_seen(folder: &Path, read_only: &[PathBuf]) -> bool {
    SYSTEM.iter().any(|system| folder.starts_with(system))
        || read_only.iter().any(|one| folder.starts_with(one))
}

/// All but the command.
pub(super) fn arguments(
    sandbox: &Sandbox,
    as_user: bool,
    attempt: &AttemptFolder,
    env: &BTreeMap<String, String>,
    folder: &Path,
    access: &Access,
) -> Vec<String> {
    let mut args = Arguments(Vec::new());
    args.add(&[
        "--unshare-pid",
        "--unshare-ipc",
        "--unshare-uts",
        "--unshare-cgroup-try",
    ]);
    args.add(&["--hostname", "polyphemus", "--new-session", "--die-with-parent"]);
    args.add(&["--cap-drop", "ALL", "--clearenv"]);
    if as_user {
        args.add(&["--unshare-user", "--uid", USER_ID, "--gid", USER_ID]);
    }
    let network = access.network || sandbox.network;
    if !network {
        args.add(&["--unshare-net"]);
    }
    // First, for what the operator names may lie below them.
    args.bind("--bind", &attempt.temporary(), TEMPORARY);
    args.bind("--bind", &attempt.home(), HOME);
    args.system(sandbox, network, &access.read_only);
    for path in &access.read_only {
        args.bind("--ro-bind", path, &path.to_string_lossy());
    }
    args.add(&["--proc", "/proc", "--dev", "/dev"]);
    // The kernel lets the real user 0, which root is inside, too, write what belongs to the whole machine.
    for place in OF_THE_KERNEL
        .into_iter()
        .filter(|place| Path::new(place).exists())
    {
        args.add(&["--ro-bind", place, place]);
    }
    args.bind(
        if access.is_board { "--ro-bind" } else { "--bind" },
        &attempt.job(),
        JOB,
    );
    if access.is_board {
        args.bind("--bind", &attempt.board(), BOARD);
    }
    if let Some(port) = &access.serial {
        args.bind("--dev-bind", port, SERIAL);
    }
    for DeviceNode(node) in &access.devices {
        args.bind("--dev-bind", node, &node.to_string_lossy());
    }
    if access.usb {
        args.bind("--ro-bind", Path::new("/sys"), "/sys");
        args.add(&["--ro-bind-try", "/run/udev", "/run/udev"]);
    }
    if access.cards {
        args.cards();
    }
    args.add(&["--remount-ro", "/"]);
    for (name, value) in env {
        args.add(&["--setenv", name, value]);
    }
    args.add(&["--chdir", &folder.to_string_lossy()]);
    args.0
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

struct Arguments(Vec<String>);

impl Arguments {
    fn add(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(|&word| word.to_owned()));
    }

    fn bind(&mut self, how: &str, outside: &Path, inside: &str) {
        self.add(&[how, &outside.to_string_lossy(), inside]);
    }

    fn cards(&mut self) {
        self.bind("--bind", Path::new("/sys"), "/sys");
        let nodes = std::fs::read_dir("/dev").into_iter().flatten().flatten();
        for node in nodes.map(|node| node.path()) {
            let name = node.file_name().unwrap_or_default().to_string_lossy();
            if CARD_NODES.iter().any(|begin| name.starts_with(begin)) {
                self.bind("--dev-bind-try", &node, &node.to_string_lossy());
            }
        }
    }

    fn system(&mut self, sandbox: &Sandbox, network: bool, read_only: &[PathBuf]) {
        let mut seen: Vec<PathBuf> = Vec::new();
        for place in SYSTEM {
            match std::fs::read_link(place) {
                Ok(target) => self.bind("--symlink", &target, place),
                Err(_) if Path::new(place).is_dir() => {
                    self.add(&["--ro-bind", place, place]);
                    seen.push(PathBuf::from(place));
                }
                Err(_) => {}
            }
        }
        for folder in &sandbox.read_only {
            self.bind("--ro-bind-try", folder, &folder.to_string_lossy());
            seen.push(folder.clone());
        }
        for hidden in &sandbox.hidden {
            if hidden.is_dir() && seen.iter().any(|one| hidden.starts_with(one)) {
                self.add(&["--tmpfs", &hidden.to_string_lossy()]);
            }
        }
        let (etc, files) = sandbox.etc.shown(network);
        // What the operator names of /etc needs a place there that can be made.
        if seen.iter().chain(read_only).any(|one| one.starts_with("/etc")) {
            for name in names(etc) {
                self.bind("--ro-bind", &etc.join(&name), &format!("/etc/{name}"));
            }
        } else {
            self.bind("--ro-bind", etc, "/etc");
        }
        for (file, place) in files {
            self.bind("--ro-bind", &file, &place);
        }
    }
}
