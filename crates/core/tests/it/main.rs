//! The rules of the core, a file for each noun.

mod job;
mod stage;
