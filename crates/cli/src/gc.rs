//! `polyphemus gc`: deletes now what is not needed any more.

use crate::config::{InstanceArg, of_instance};
use crate::failure::Exit;
use crate::moment::size;
use crate::news::refused;
use crate::server::Server;
use crate::{Failure, out};
use polyphemus_api::gc::{Collection, GcQuery};
use polyphemus_server::app::{App, AppError};
use polyphemus_server::care::Instance;
use std::path::PathBuf;
use std::process::ExitCode;

/// Delete now what is not needed any more.
///
/// That is jobs that ended longer ago than the setting KEEP_JOBS_DAYS keeps them, and contents that no
/// job refers to and that are older than BLOB_GRACE_SECONDS. A running server does the same by itself
/// now and then; this asks it, or does it where none runs.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    instance: InstanceArg,
    /// Only say what would go
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON document with the sums
    #[arg(long)]
    json: bool,
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let folder = args.instance.absolute()?;
    let instance = Instance::open(&folder)
        .await
        .map_err(refused("nothing was deleted: the instance cannot be opened"))?;
    let is_served = instance.served_by().is_some();
    instance.close().await;
    let collection = match is_served {
        true => {
            let server = Server::at(&folder.to_string_lossy())?;
            let query = GcQuery {
                dry_run: args.dry_run,
            };
            server.client.gc(&query).await?
        }
        false => of_stopped(folder, args.dry_run).await?,
    };
    if args.json {
        out::json(&collection)?;
    } else {
        out::line(&sentence(&collection, args.dry_run))?;
    }
    Ok(Exit::Good.into())
}

async fn of_stopped(folder: PathBuf, dry_run: bool) -> Result<Collection, Failure> {
    let failed = |source: AppError| Failure::Role {
        what: "not all that is not needed any more was deleted; the same command goes on with it",
        source: source.into(),
    };
    let config = of_instance(&folder)?.values.config(folder);
    let app = App::open(&config).await.map_err(failed)?;
    let collection = app.gc(dry_run).await.map_err(failed);
    app.close().await;
    collection
}

fn sentence(collection: &Collection, dry_run: bool) -> String {
    let Collection {
        jobs,
        contents,
        bytes,
        kept,
    } = collection;
    let went = if dry_run {
        "would be deleted"
    } else {
        "were deleted"
    };
    format!(
        "{jobs} jobs and {contents} contents ({}) {went}; {kept} contents stay",
        size(*bytes)
    )
}
