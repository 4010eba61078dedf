//! The crate from outside: one file for each noun.

// clippy.toml allows it in test functions; what they call is test code as well.
#![allow(clippy::unwrap_used)]

mod archive;
mod blobs;
mod collect;
mod fuzz;
mod hostile;
mod incoming;
mod journal;
mod tar;
mod tarball;
mod unpack;
mod verify;
mod workspace;
