//! Which server a command speaks to, and how the user would name it again.

use crate::Failure;
use polyphemus_api::token::Secret;
use polyphemus_api::{Address, Client};
use std::path::PathBuf;

const DEFAULT: &str = "http://127.0.0.1:8000";
const VARIABLE: &str = "POLYPHEMUS";
const TOKEN: &str = "POLYPHEMUS_TOKEN";

/// The option that each command of a user has.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct ServerArg {
    /// The server's address: http://HOST:PORT, unix:SOCKET, or an instance directory of this machine
    /// [default: the variable POLYPHEMUS, else http://127.0.0.1:8000]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// A file with the token [default: the variable POLYPHEMUS_TOKEN]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
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
        let address = self.server.clone().unwrap_or_else(usual);
        Server::with_token(&address, self.token()?.as_ref())
    }

    /// What the file says, else the environment.
    fn token(&self) -> Result<Option<Secret>, Failure> {
        let Some(path) = &self.token_file else {
            return Ok(variable(TOKEN).map(Secret::new));
        };
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|error| {
            Failure::local(format!("the token in {} cannot be read", path.display()), error)
        })?;
        match text.trim() {
            "" => Err(Failure::Usage(format!(
                "there is no token in {}: the file is empty",
                path.display()
            ))),
            token => Ok(Some(Secret::new(token))),
        }
    }

    /// The same token for another address.
    pub fn at(&self, address: &str) -> Result<Server, Failure> {
        Server::with_token(address, self.token()?.as_ref())
    }
}

impl Server {
    pub fn at(address: &str) -> Result<Self, Failure> {
        let token = variable(TOKEN).map(Secret::new);
        Self::with_token(address, token.as_ref())
    }

    fn with_token(address: &str, token: Option<&Secret>) -> Result<Self, Failure> {
        let client = Client::with_token(address, token.map(Secret::reveal))?;
        // As it is named, without what may be a token in it.
        let is_usual =
            address == usual() || Client::new(&usual()).is_ok_and(|usual| usual.server() == client.server());
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

    /// The page of a job; none behind a socket, which no browser opens.
    pub fn page(&self, id: &polyphemus_core::JobId) -> Option<String> {
        let server = self.client.server();
        let is_http = matches!(Address::parse(server), Ok(Address::Http(_)));
        is_http.then(|| format!("{server}/jobs/{id}.html"))
    }
}

fn usual() -> String {
    variable(VARIABLE).unwrap_or_else(|| DEFAULT.to_owned())
}

/// An empty variable says as much as none.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
