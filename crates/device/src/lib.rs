//! A crate of its own so that worker and device plugin find boards by the same code, without Kubernetes or HTTP.
//!
//! It discovers boards below folders that it is given, says which are healthy, holds the exclusive lock of one,
//! and describes the virtual board. Invariant: it never starts a process; what has to be run, it hands out as data.
mod crew;
pub mod device;
pub mod health;
pub mod lock;
pub mod node;
pub mod simulate;
mod sysfs;
pub mod vendor;
mod watch;

pub use device::{Device, Discovery, Family, Health, Roots, Shell, Trouble, UsbAddress, UsbRule};
pub use lock::{DeviceLock, LockError};
pub use node::{Node, NodeError, Nodes};
pub use vendor::discover;
pub use watch::{Look, Watcher};
