//! `polyphemus serve`: a server and, inside of it, a worker that speaks to it as any other does.

use crate::config::InstanceArg;
use crate::failure::{Exit, Patience};
use crate::logging::LogArg;
use crate::notify::Notifier;
use crate::worker::{WorkArgs, host_name};
use crate::{Failure, config, out, stand_ins, stop, worker};
use polyphemus_api::address::socket_of;
use polyphemus_api::{Address, Client};
use polyphemus_server::NeedsToken;
use polyphemus_server::config::Settings;
use polyphemus_worker::Pulse;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Open files that a server can use.
const OPEN_FILES: u64 = 16_640;
/// What the server may take to say that it is well.
const HEALTH_PATIENCE: Duration = Duration::from_secs(10);

/// Start a server, with a worker inside.
///
/// Prints one line, with its address, when it is ready. SIGTERM or Ctrl-C ends it in peace: the worker
/// inside takes no further stage; running ones may end within --drain, while the server answers, and
/// are then handed back, to begin anew after the next start. A second one ends it at once.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    instance: InstanceArg,
    /// The address to listen on, port 0 takes a free one; only of this machine unless there are tokens
    /// [setting: LISTEN, else 127.0.0.1:8000]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// A name that a reverse proxy in front calls this server by; may be repeated [setting: HOST_NAMES]
    #[arg(long, value_name = "NAME")]
    host_name: Vec<String>,
    /// Start no worker inside [setting: WORKER_THREADS = False]
    #[arg(long)]
    no_worker: bool,
    /// How long a silent worker keeps its stage before another gets it [setting: LEASE_SECONDS, else 30]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    lease_seconds: Option<u64>,
    /// Small programs in the place of the vendors' tools and cards, for a look at every flow; whatever they
    /// make is marked as not real
    #[arg(long, conflicts_with = "no_worker")]
    stand_ins: bool,
    #[command(flatten)]
    work: WorkArgs,
    #[command(flatten)]
    log: LogArg,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus serve --simulate ice40-hx8k:2           two virtual boards
  polyphemus serve --stand-ins                       every vendor's flow, without its tools
  polyphemus serve --instance /srv/polyphemus --no-worker
  ssh -L 8000:127.0.0.1:8000 HOST                    makes the server of HOST yours, too

What no option says, the settings say: see `polyphemus config --help`.
POLYPHEMUS_LOG filters the log, as in POLYPHEMUS_LOG=polyphemus_server=debug.";

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    let instance = args.instance.absolute()?;
    let mut settings = config::of_instance(&instance)?;
    let stand_ins = args
        .stand_ins
        .then(|| stand_ins::lay_out(&instance, &mut settings));
    let stand_ins = stand_ins.transpose()?;
    let address = args.address(&settings)?;
    args.log.start()?;
    for note in settings.notes() {
        tracing::warn!("{note}");
    }
    raise_open_files();
    let stop = stop::on_signals()?;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let what = format!(
            "{address} cannot be listened on; another server may be there: end it, or choose --listen 127.0.0.1:0"
        );
        Failure::local(what, error)
    })?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::local("the address of the server cannot be told", error))?;
    let url = format!("http://{address}");
    let worker = match !args.no_worker && settings.values.worker_inside {
        true => Some(worker_inside(
            &args.work,
            &settings,
            &instance,
            stand_ins.as_deref(),
        )?),
        false => None,
    };
    let pulse = worker
        .as_ref()
        .map(|worker| worker.pulse.clone())
        .unwrap_or_default();
    let socket = Client::new(&Address::of_socket(&socket_of(&instance)))?;
    let server = Inside::start(args.config(&settings, instance), listener);
    let notifier = Notifier::from_environment();
    let server = server.until_it_answers(&url, &stop).await?;
    notifier.ready();
    let told = async {
        tokio::select! {
            never = notifier.watch(|| is_alive(&socket, &pulse)) => never,
            () = stop.cancelled() => notifier.stopping().await,
        }
    };
    tokio::select! {
        // The end is told first, however fast it comes.
        biased;
        never = told => match never {},
        ended = server.serve(worker, stop.clone()) => ended,
    }
}

impl Args {
    /// What the command line says, else the settings.
    fn config(self, settings: &Settings, instance: PathBuf) -> polyphemus_server::Config {
        let mut config = settings.values.config(instance);
        if let Some(seconds) = self.lease_seconds {
            config.lease = Duration::from_secs(seconds);
        }
        if !self.host_name.is_empty() {
            config.host_names = self.host_name;
        }
        config
    }

    fn address(&self, settings: &Settings) -> Result<SocketAddr, Failure> {
        match &self.listen {
            Some(listen) => address_of(listen, "--listen"),
            None => {
                let named = format!("{}: LISTEN", settings.origin("LISTEN"));
                address_of(&settings.values.listen, &named)
            }
        }
    }
}

/// The address to listen on, which was `named` so.
fn address_of(listen: &str, named: &str) -> Result<SocketAddr, Failure> {
    let wrong = |why: String| {
        Failure::Usage(format!(
            "{named} cannot be `{listen}`: {why}; write ADDRESS:PORT, as in 127.0.0.1:8000"
        ))
    };
    let mut addresses = listen
        .to_socket_addrs()
        .map_err(|error| wrong(error.to_string()))?;
    addresses
        .next()
        .ok_or_else(|| wrong("the name has no address".to_owned()))
}

/// A connection is an open file, and the usual limit is made for programs with few of them. What this
/// process may have it takes, as far as it can use it; without more it serves fewer clients at once.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES));
    if limit.current.is_some_and(|now| now < wanted) {
        let raised = Rlimit {
            current: Some(wanted),
            ..limit
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
    }
}

/// What to do where others could reach the server and nothing tells who may.
fn needs_token(NeedsToken(address): &NeedsToken) -> Failure {
    let port = address.port();
    Failure::Usage(format!(
        "the server cannot listen on {address}: others could reach it, and there are no tokens yet that tell who may \
         run programs here. Make one first (`polyphemus token add NAME --role user --instance DIR`) and start it again; or \
         listen on 127.0.0.1:{port} and reach it by `ssh -L {port}:127.0.0.1:{port} THIS-HOST`, or through a reverse proxy that \
         asks for passwords, named with --host-name"
    ))
}

fn worker_inside(
    work: &WorkArgs,
    settings: &Settings,
    instance: &Path,
    stand_ins: Option<&Path>,
) -> Result<polyphemus_worker::Config, Failure> {
    let name = format!("embedded-{}-{}", host_name(), std::process::id());
    let mut config = work.config_beside(settings, name, instance)?;
    if let Some(folder) = stand_ins {
        stand_ins::offer(&mut config, folder);
    }
    Ok(config)
}

/// The server at work within this process.
struct Inside {
    task: JoinHandle<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Inside {
    fn start(config: polyphemus_server::Config, listener: TcpListener) -> Self {
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        Self {
            task: tokio::spawn(polyphemus_server::run(config, listener, stopped)),
            stop,
        }
    }

    /// Says that the server is ready once it is; also when it was told to stop before that.
    async fn until_it_answers(mut self, url: &str, stop: &CancellationToken) -> Result<Self, Failure> {
        tokio::select! {
            ended = &mut self.task => return Err(too_early(ended)),
            answer = answer(url) => answer?,
            () = stop.cancelled() => return Ok(self),
        }
        out::line(&format!("Polyphemus is ready at {url}/"))?;
        Ok(self)
    }

    /// Until `stop`. Then the worker first, since it hands its stages back to the server.
    async fn serve(
        mut self,
        worker: Option<polyphemus_worker::Config>,
        stop: CancellationToken,
    ) -> Result<ExitCode, Failure> {
        let mut worker = Box::pin(work(worker, stop.clone()));
        let worked = tokio::select! {
            worked = &mut worker => worked,
            ended = &mut self.task => {
                stop.cancel();
                if let Err(error) = worker.await {
                    tracing::warn!(error = format!("{error:#}"), "the worker inside did not end in peace");
                }
                return Err(too_early(ended));
            }
        };
        let asked = stop.is_cancelled();
        self.stop.cancel();
        let served = flatten((&mut self.task).await);
        let failed = |what| {
            move |error: anyhow::Error| Failure::Role {
                what,
                source: error.into(),
            }
        };
        worked.map_err(failed(
            "the worker inside the server failed; --no-worker starts the server alone",
        ))?;
        served.map_err(failed("the server did not end in peace"))?;
        if !asked {
            let error = anyhow::anyhow!("it ended though nobody had asked it to");
            return Err(failed("the worker inside the server is gone")(error));
        }
        Ok(Exit::Good.into())
    }
}

async fn work(config: Option<polyphemus_worker::Config>, stop: CancellationToken) -> anyhow::Result<()> {
    match config {
        Some(config) => polyphemus_worker::run(config, stop).await,
        None => {
            stop.cancelled().await;
            Ok(())
        }
    }
}

/// Whether the server can do its work, asked in the way that its workers ask, and the worker inside
/// gets on.
async fn is_alive(socket: &Client, pulse: &Pulse) -> Result<(), String> {
    worker::is_alive(pulse)?;
    let healthy = socket.healthy(HEALTH_PATIENCE).await;
    healthy.map_err(|error| Failure::Server(error).text())
}

/// The first answer shows that the instance is open: until then requests wait in the listener.
async fn answer(url: &str) -> Result<(), Failure> {
    let client = Client::new(url)?;
    let mut patience = Patience::new();
    while let Err(error) = client.healthy(HEALTH_PATIENCE).await {
        patience.endure(error).await?;
    }
    Ok(())
}

fn too_early(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> Failure {
    let error = match flatten(ended) {
        Err(error) => error,
        Ok(()) => anyhow::anyhow!("it ended though nobody had asked it to"),
    };
    match error.downcast_ref::<NeedsToken>() {
        Some(needs) => needs_token(needs),
        None => Failure::Role {
            what: "the server failed",
            source: error.into(),
        },
    }
}

fn flatten(ended: Result<anyhow::Result<()>, tokio::task::JoinError>) -> anyhow::Result<()> {
    ended.unwrap_or_else(|panic| Err(panic.into()))
}
