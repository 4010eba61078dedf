//! The rules of the core, a file for each noun.

mod design;
mod failure;
mod job;
mod original;
mod plan;
mod plan_any;
mod plan_error;
mod stage;
mod vendor;
