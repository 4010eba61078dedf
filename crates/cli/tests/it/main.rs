//! The command line as its users meet it: the real program, or a part of it with fixed values.

mod card;
mod config;
mod crowd;
mod devices;
mod drain;
mod exit_codes;
mod follow;
mod get;
mod help;
mod job_ref;
mod neutral;
mod pack;
mod program;
mod serve;
mod service;
mod socket;
mod stand_in;
mod tables;
mod token;
mod without_tools;
