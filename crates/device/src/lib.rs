//! A crate of its own so that worker and device plugin find boards by the same code, without Kubernetes or HTTP.
//!
//! It discovers boards below folders that it is given, says which are healthy, holds the exclusive lock of one,
//! and describes the virtual board. Invariant: it never starts a process; what has to be run, it hands out as data.
pub mod device;
pub mod lock;
pub mod simulate;
pub mod vendor;

pub use device::{Device, Discovery, Health, Roots, Trouble, UsbAddress, UsbRule};
pub use lock::{DeviceLock, LockError};
pub use vendor::discover;
