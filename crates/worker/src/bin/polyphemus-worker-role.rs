//! The roles of this crate as a program of its own, for its tests, which kill them; users have them in
//! `polyphemus`. `supervise …`, or `worker SERVER NAME FOLDER`.

use polyphemus_worker::{Config, supervise};
use std::ffi::OsString;
use std::process::ExitCode;
use tokio_util::sync::CancellationToken;

fn main() -> anyhow::Result<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    let role = args.next();
    if role.is_some_and(|role| role == "supervise") {
        return Ok(supervise::main(args));
    }
    let words: Result<Vec<String>, OsString> = args.map(OsString::into_string).collect();
    let words = words.map_err(|word| anyhow::anyhow!("{} is no text", word.display()))?;
    let [server, name, folder] = &words[..] else {
        anyhow::bail!("usage: worker SERVER NAME FOLDER");
    };
    let config = Config::new(server, name, folder);
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(polyphemus_worker::run(config, CancellationToken::new()))?;
    Ok(ExitCode::SUCCESS)
}
