//! Which server a command speaks to, and how the user would name it again.

use crate::Failure;
use polyphemus_api::Client;

const DEFAULT: &str = "http://127.0.0.1:8000";
const VARIABLE: &str = "POLYPHEMUS";
const TOKEN: &str = "POLYPHEMUS_TOKEN";

/// The option that each command of a user has.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ServerArg {
    /// The server's address [default: the variable POLYPHEMUS, else http://127.0.0.1:8000]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
}

/// A client, and what has to be typed to reach the same server again.
#[derive(Debug, Clone)]
pub struct Server {
    pub client: Client,
    /// Set where the address is not what a command without `--server` takes.
    typed: Option<String>,
}

impl ServerArg {
    /// The server that the user has named, or the usual one.
    pub fn connect(&self) -> Result<Server, Failure> {
        match &self.server {
            Some(server) => Server::at(server),
            None => Server::at(&usual()),
        }
    }
}

impl Server {
    pub fn at(address: &str) -> Result<Self, Failure> {
        let token = variable(TOKEN);
        let client = Client::with_token(address, token.as_deref())?;
        let is_usual = client.server() == usual().trim_end_matches('/');
        Ok(Self {
            typed: (!is_usual).then(|| client.server().to_owned()),
            client,
        })
    }

    /// A command line that reaches this server: `polyphemus get ID`.
    pub fn command(&self, words: &str) -> String {
        match &self.typed {
            None => format!("polyphemus {words}"),
            Some(server) => format!("polyphemus {words} --server {server}"),
        }
    }

    /// The page of a job.
    pub fn page(&self, id: &polyphemus_core::JobId) -> String {
        format!("{}/jobs/{id}.html", self.client.server())
    }
}

fn usual() -> String {
    variable(VARIABLE).unwrap_or_else(|| DEFAULT.to_owned())
}

/// An empty variable says as much as none.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
