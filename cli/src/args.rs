//! The command line.

mod client;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueHint};

pub(crate) use client::{ClientArgs, Kept, PersonArgs, Target, Way};

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    it failed, and trying again will not help before something is changed
  2    the command line, a file it names or a variable cannot be used
  3    the MCP server answered with an error (JSON-RPC)
  4    a person must log in first, or once more for more scope; the message says how
  5    the tool reports an error (isError)
  6    the network or a server failed for now; try again later
  130  ended by Ctrl-C or SIGTERM
`inspect` and `replay` have others: see their help.

What is kept, and where: `mcp-auth status`. Secrets are never taken from the command line.";

/// Log in to MCP servers, and use what they let you.
#[derive(Debug, Parser)]
#[command(name = "mcp-auth", version, propagate_version = true, after_help = EXIT_CODES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) talk: Talk,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How much is said.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Talk {
    /// Show every exchange and every check, on standard error
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
    /// Say nothing but the result, and what went wrong
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Log in to an MCP server, and keep the credential
    Login(Box<Login>),
    /// Send one request to an MCP server and print its result; renews the token if need be, without a browser
    Call(Box<Call>),
    /// Print an `Authorization` header field for another program, renewed if need be
    Token(Token),
    /// Show what is kept: for which servers, from whom, and until when
    Status(Status),
    /// Revoke the tokens and forget the credential
    Logout(Logout),
    /// Look at how an MCP server is set up for authorization, without logging in
    Inspect(crate::inspect::Args),
    /// Run a recorded flow again, and show or draw what happened
    Replay(crate::replay::Args),
    /// Print a script that completes this program's command line in a shell
    Completions(Completions),
    /// Start servers on loopback, log in to them over HTTP, and show every exchange
    #[cfg(feature = "demo")]
    Demo(Demo),
}

/// Whether the run is written down.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Record {
    /// Write the run down as a trace, in a new file that you alone can read. It holds EVERY SECRET of the run, the tokens
    /// among them: `mcp-auth replay FILE` shows it without them, and `mcp-auth replay FILE --scrub OUT` writes a trace that
    /// can be sent to others
    #[arg(id = "record", long = "record", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) record: Record,
    /// Log in anew, whatever is kept. The tokens from before are replaced, not revoked
    #[arg(long)]
    pub(crate) force: bool,
    // With headings of their own, under which whatever came after them would stand too.
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(flatten)]
    pub(crate) person: PersonArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Call {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The method, such as `tools/list` or `tools/call`
    pub(crate) method: String,
    /// The parameters as a JSON object: inline, `@FILE`, or `-` for standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) params: Option<String>,
    /// Print the whole JSON-RPC answer as the server sent it, errors too
    #[arg(long)]
    pub(crate) raw: bool,
    /// If a person must log in first, ask here and now
    #[arg(long)]
    pub(crate) login: bool,
    #[command(flatten)]
    pub(crate) record: Record,
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(flatten)]
    pub(crate) person: PersonArgs,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Token {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Print the token alone
    #[arg(long, conflicts_with = "json")]
    pub(crate) raw: bool,
    /// Print the token, its type, its expiry and its scopes as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Status {
    /// The URL of one MCP server; without it, all that is kept is shown
    #[arg(value_hint = ValueHint::Url)]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// Ask the server too, with `tools/list`; a token that has expired is renewed
    #[arg(long, requires = "url")]
    pub(crate) check: bool,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Logout {
    /// The URL of the MCP server
    #[arg(value_hint = ValueHint::Url, required_unless_present = "all")]
    pub(crate) url: Option<String>,
    #[command(flatten)]
    pub(crate) kept: Kept,
    /// Log out of all servers and accounts
    #[arg(long, conflicts_with_all = ["url", "account", "record"])]
    pub(crate) all: bool,
    /// Forget what is kept here, and leave the tokens as they are at the authorization server
    #[arg(long, conflicts_with = "record")]
    pub(crate) forget_only: bool,
    #[command(flatten)]
    pub(crate) record: Record,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[cfg(feature = "demo")]
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// How the client obtains its tokens
    #[arg(long, value_enum, default_value_t = Grant::AuthorizationCode)]
    pub(crate) grant: Grant,
    /// Give consent yourself, on a page in your browser
    #[arg(long)]
    pub(crate) browser: bool,
}

#[cfg(feature = "demo")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Grant {
    /// A person consents in a browser
    AuthorizationCode,
    /// The client acts for itself, with a secret
    ClientCredentials,
    /// The client acts for itself, with a key
    PrivateKeyJwt,
    /// The organisation's identity provider decides
    Enterprise,
    /// The platform of a workload vouches for it
    Workload,
    /// A person consents in a browser, and the tokens are bound to a key
    Dpop,
    /// A person consents on another device
    Device,
}

#[cfg(feature = "demo")]
impl Grant {
    /// Whether a person is asked.
    pub(crate) fn needs_person(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::Dpop | Self::Device)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Args::command().debug_assert();
    }
}
