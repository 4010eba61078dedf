//! The program `polyphemus-load`: parses the arguments, measures, prints.

use polyphemus_load::args::{Args, USAGE, Wanted};
use polyphemus_load::{out, scenario};
use std::process::ExitCode;

/// As the commands of Polyphemus have it: 1 where something failed, 2 for wrong use.
const FAILED: u8 = 1;
const WRONG_USE: u8 = 2;

fn main() -> ExitCode {
    let args = match Args::parse(std::env::args().skip(1)) {
        Ok(Wanted::Measurement(args)) => args,
        Ok(Wanted::Help) => return out::text(USAGE),
        Err(error) => {
            out::problem(&format!("{error}\n\n{USAGE}"));
            return ExitCode::from(WRONG_USE);
        }
    };
    match scenario::measure(&args) {
        Ok(figures) => {
            let failed = figures.iter().any(|figure| figure.is_error());
            let printed = if args.json {
                out::json(&figures)
            } else {
                out::table(&figures)
            };
            if failed { ExitCode::from(FAILED) } else { printed }
        }
        Err(error) => {
            out::problem(&format!("{error:#}"));
            ExitCode::from(FAILED)
        }
    }
}
