//! `polyphemus token`: who may do what over TCP.

use crate::config::{self, InstanceArg};
use crate::failure::Exit;
use crate::moment::moment;
use crate::server::Server;
use crate::table::{Cell, Paint, Table};
use crate::{Failure, out};
use clap::Subcommand;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use jiff::tz::TimeZone;
use polyphemus_api::address::socket_of;
use polyphemus_api::token::{AddedToken, NewToken, Role, Token};
use polyphemus_api::{Address, Client, ClientError};
use polyphemus_server::app::{App, AppError};
use std::process::ExitCode;

/// Give others access: make, list and revoke tokens.
///
/// Once there is one, every request over TCP needs one, and the server may listen on any address. Speaks
/// to the server of the instance through its socket; where none runs, changes the instance itself.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  polyphemus token add alice --role user
  polyphemus token add build-7 --role worker --instance /srv/polyphemus
  polyphemus token revoke alice

Roles:
  user      hand in jobs, see and change them
  worker    take stages and bring in what came of them
  operator  everything, tokens too";

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token, and print it this once
    Add {
        /// Whose it is: letters, digits, `-`, `_`, `.` and `@`
        name: String,
        /// What it allows
        #[arg(long, value_parser = roles())]
        role: Role,
        #[command(flatten)]
        at: At,
    },
    /// Show all tokens, without their secrets
    List {
        /// Print one JSON document
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        at: At,
    },
    /// Make a token worth nothing, at once
    Revoke {
        name: String,
        #[command(flatten)]
        at: At,
    },
}

/// Which instance's tokens.
#[derive(Debug, clap::Args)]
struct At {
    #[command(flatten)]
    instance: InstanceArg,
    /// A server elsewhere, with an operator's token in POLYPHEMUS_TOKEN
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

fn roles() -> impl clap::builder::TypedValueParser<Value = Role> {
    PossibleValuesParser::new(Role::ALL.map(Role::as_str))
        .try_map(|word| Role::parse(&word).ok_or("there is no such role"))
}

pub async fn run(args: Args) -> Result<ExitCode, Failure> {
    match args.command {
        Command::Add { name, role, at } => {
            let added = at.find().await?.add(NewToken { name, role }).await?;
            out::line(added.token.reveal())?;
            let hint = format!(
                "this is the token `{}` of the role {}; it is not shown again. Its holder sets POLYPHEMUS_TOKEN to it",
                added.name,
                added.role.as_str()
            );
            out::note(&hint);
        }
        Command::List { json, at } => {
            let tokens = at.find().await?.list().await?;
            match json {
                true => out::json(&tokens)?,
                false => out::bytes(table(&tokens).render(out::stdout_palette()).as_bytes())?,
            }
        }
        Command::Revoke { name, at } => {
            at.find().await?.revoke(&name).await?;
            out::note(&format!("the token `{name}` opens nothing any more"));
        }
    }
    Ok(Exit::Good.into())
}

fn table(tokens: &[Token]) -> Table {
    let mut table = Table::new(&["NAME", "ROLE", "MADE", "REVOKED"]);
    let zone = TimeZone::system();
    for token in tokens {
        let revoked = token
            .revoked_ms
            .map(|at_ms| moment(at_ms, &zone))
            .unwrap_or_default();
        let paint = match token.revoked_ms {
            None => Paint::Plain,
            Some(_) => Paint::Dim,
        };
        table.row([
            Cell::painted(token.name.clone(), paint),
            Cell::painted(token.role.as_str(), paint),
            Cell::painted(moment(token.created_ms, &zone), paint),
            Cell::painted(revoked, paint),
        ]);
    }
    table
}

/// Who can change the tokens.
enum Keeper {
    Server(Client),
    /// No server runs: the instance is this process's.
    Instance(App),
}

impl At {
    async fn find(&self) -> Result<Keeper, Failure> {
        if let Some(server) = &self.server {
            return Ok(Keeper::Server(Server::at(server)?.client));
        }
        let instance = self.instance.absolute()?;
        if !instance.is_dir() {
            return Err(Failure::Usage(format!(
                "there is no instance at {}: name it with --instance DIR, or its server with --server URL",
                instance.display()
            )));
        }
        let client = Client::new(&Address::of_socket(&socket_of(&instance)))?;
        match client.tokens().await {
            Err(ClientError::Unreachable { .. }) => {
                let settings = config::of_instance(&instance)?;
                let app = App::open(&settings.values.config(instance))
                    .await
                    .map_err(failed)?;
                Ok(Keeper::Instance(app))
            }
            _ => Ok(Keeper::Server(client)),
        }
    }
}

impl Keeper {
    async fn add(self, new: NewToken) -> Result<AddedToken, Failure> {
        match self {
            Self::Server(client) => Ok(client.token_add(&new).await?),
            Self::Instance(app) => {
                let added = app.token_add(new).await;
                app.close().await;
                added.map_err(failed)
            }
        }
    }

    async fn list(self) -> Result<Vec<Token>, Failure> {
        match self {
            Self::Server(client) => Ok(client.tokens().await?),
            Self::Instance(app) => {
                let tokens = app.token_list().await;
                app.close().await;
                tokens.map_err(failed)
            }
        }
    }

    async fn revoke(self, name: &str) -> Result<(), Failure> {
        match self {
            Self::Server(client) => Ok(client.token_revoke(name).await?),
            Self::Instance(app) => {
                let revoked = app.token_revoke(name).await;
                app.close().await;
                revoked.map_err(failed)
            }
        }
    }
}

fn failed(error: AppError) -> Failure {
    match error {
        error @ (AppError::BadRequest(_) | AppError::Conflict(_) | AppError::NotFound { .. }) => {
            Failure::Usage(error.to_string())
        }
        error => Failure::Role {
            what: "the instance cannot be changed",
            source: error.into(),
        },
    }
}
