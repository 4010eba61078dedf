//! `polyphemus submit`: hands in a design.

use crate::failure::Exit;
use crate::moment::{count, size};
use crate::out::{self, Sink};
use crate::server::{Server, ServerArg};
use crate::{Failure, card, follow, pack, progress};
use futures::TryStreamExt as _;
use polyphemus_api::client::Body;
use polyphemus_api::job::Submitted;
use polyphemus_artifacts::Format;
use polyphemus_artifacts::unpack::HEAD_BYTES;
use polyphemus_core::{JobId, JobState};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_util::io::ReaderStream;

/// The option of a job that carries its title, as the original calls it.
const TITLE: &str = "hwname";
/// What is read at once of an archive.
const CHUNK_BYTES: usize = 256 * 1024;

/// Hand in a design; prints the job's id.
///
/// PATH is a directory, which is packed without what .gitignore, .ignore and .polyphemusignore leave
/// out, or an archive (.zip, .tar, .tar.gz, .tar.zst), or `-` for one on standard input. The id stands alone on standard
/// output; with --follow the log does, and the exit code is the job's verdict.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// A directory, an archive, or `-`
    path: PathBuf,
    /// An option of the job; may be repeated
    #[arg(short, long = "option", value_name = "KEY=VALUE", value_parser = key_value)]
    options: Vec<(String, String)>,
    /// What to call the job [default: the name of PATH]
    #[arg(long, value_name = "TITLE")]
    name: Option<String>,
    /// Follow the log until the job is over, then show its result
    #[arg(short, long)]
    follow: bool,
    /// Print one JSON document: the answer, or with --follow the job as it ended
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerArg,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus submit examples/blinky                    build for the defaults
  polyphemus submit . -o mode=hw -o device=hx8k -f     build, run on a board, watch
  id=$(polyphemus submit design.zip --name nightly) && polyphemus wait \"$id\"
  git archive HEAD | polyphemus submit - -o mode=estimate";

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let options = options(&args)?;
    let server = args.server.connect()?;
    let submitted = upload(&server, &args.path, &options).await?;
    for note in &submitted.notes {
        out::note(&format!("note: {note}"));
    }
    if args.follow {
        return watch(&server, &submitted.id, args.json).await;
    }
    if args.json {
        out::json(&submitted)?;
    } else {
        out::line(submitted.id.as_str())?;
        let hint = server.command(&format!("logs {} --follow", submitted.id));
        out::note(&format!("watch it with: {hint}"));
    }
    Ok(Exit::Good.into())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.to_owned())),
        _ => Err("an option is written KEY=VALUE, as in mode=hw_emu".to_owned()),
    }
}

fn options(args: &Args) -> Result<BTreeMap<String, String>, Failure> {
    let mut options = BTreeMap::new();
    let title = args.name.clone().map(|title| (TITLE.to_owned(), title));
    for (key, value) in args.options.iter().cloned().chain(title) {
        if let Some(before) = options.insert(key.clone(), value.clone()) {
            let message = if key == TITLE && args.name.is_some() {
                format!("--name and the option `{TITLE}` are the same thing: give one of them")
            } else {
                format!("the option `{key}` is given twice, as `{before}` and as `{value}`: give it once")
            };
            return Err(Failure::Usage(message));
        }
    }
    if let Some(name) = name_of(&args.path) {
        options.entry(TITLE.to_owned()).or_insert(name);
    }
    Ok(options)
}

/// `blinky` of `designs/blinky/` and of `blinky.tar.gz`; nothing of standard input.
fn name_of(path: &Path) -> Option<String> {
    if path == Path::new("-") {
        return None;
    }
    let whole = path.canonicalize().ok()?;
    let name = whole.file_name()?.to_string_lossy().into_owned();
    if whole.is_dir() || Format::of_name(&name).is_none() {
        return Some(name);
    }
    Some(Format::stem(&name).to_owned())
}

async fn upload(
    server: &Server,
    path: &Path,
    options: &BTreeMap<String, String>,
) -> Result<Submitted, Failure> {
    if path == Path::new("-") {
        return piped(server, options).await;
    }
    let unreadable = |error| Failure::local(format!("{} cannot be handed in", path.display()), error);
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    if !metadata.is_dir() {
        let archive = tokio::fs::File::open(path).await.map_err(unreadable)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // Only of a file is it known how much will come.
        let length = metadata.is_file().then_some(metadata.len());
        return send(server, &name, archive, length, options).await;
    }
    let packed = pack::pack(path)?;
    for note in &packed.notes {
        out::note(&format!("note: {note}"));
    }
    out::note(&format!(
        "packed {}, {} ({} to send)",
        count(packed.files, "file"),
        size(packed.total_bytes),
        size(packed.archive_bytes)
    ));
    let archive = tokio::fs::File::from_std(packed.archive);
    send(server, "design.zip", archive, Some(packed.archive_bytes), options).await
}

/// What comes on standard input has no name, so that its beginning tells what it is.
async fn piped(server: &Server, options: &BTreeMap<String, String>) -> Result<Submitted, Failure> {
    let mut stdin = tokio::io::stdin();
    let mut head = Vec::with_capacity(HEAD_BYTES);
    let unreadable = |error| Failure::local("standard input cannot be read", error);
    let mut beginning = (&mut stdin).take(HEAD_BYTES as u64);
    beginning.read_to_end(&mut head).await.map_err(unreadable)?;
    let Some(format) = Format::of_content(&head) else {
        return Err(Failure::Usage(format!(
            "what comes on standard input is no archive; the kinds that are taken are {}",
            Format::extensions()
        )));
    };
    let name = format!("stdin{}", format.extension());
    send(
        server,
        &name,
        std::io::Cursor::new(head).chain(stdin),
        None,
        options,
    )
    .await
}

async fn send(
    server: &Server,
    name: &str,
    archive: impl AsyncRead + Send + 'static,
    length: Option<u64>,
    options: &BTreeMap<String, String>,
) -> Result<Submitted, Failure> {
    let bar = progress::bytes("uploading", length);
    let counter = bar.clone();
    let chunks = ReaderStream::with_capacity(archive, CHUNK_BYTES)
        .inspect_ok(move |chunk| counter.inc(chunk.len() as u64));
    let body = Body::wrap_stream(chunks);
    let submitted = server.client.submit(name, body, length, options).await;
    bar.finish_and_clear();
    Ok(submitted?)
}

/// Log to standard output, everything else to standard error. As JSON, the job is what goes to
/// standard output, so that the log goes to standard error.
async fn watch(server: &Server, id: &JobId, as_json: bool) -> Result<ExitCode, Failure> {
    out::note(id.as_str());
    let mut sink = if as_json { Sink::stderr() } else { Sink::stdout() };
    let ended = tokio::select! {
        ended = to_the_end(server, id, &mut sink) => ended?,
        _ = tokio::signal::ctrl_c() => return Err(Failure::Interrupted(format!(
            "\njob {id} goes on; watch it with: {}\nor end it with: {}",
            server.command(&format!("logs {id} --follow")),
            server.command(&format!("cancel {id}")),
        ))),
    };
    let job = follow::job(&server.client, id).await?;
    out::painted_note(&format!(
        "\n{}",
        card::render(&job, server, out::stderr_palette()).trim_end()
    ));
    if as_json {
        out::json(&job)?;
    }
    Ok(verdict(ended).into())
}

/// When nobody reads the log any more, the verdict is still to be told by the exit code.
async fn to_the_end(server: &Server, id: &JobId, sink: &mut Sink) -> Result<JobState, Failure> {
    match follow::log(&server.client, id, 0, sink).await {
        Err(Failure::OutputClosed) => {
            sink.close();
            follow::end(&server.client, id).await
        }
        ended => ended,
    }
}

/// The exit code of a job that is over.
pub fn verdict(state: JobState) -> Exit {
    match state {
        JobState::Done => Exit::Good,
        _ => Exit::JobFailed,
    }
}
