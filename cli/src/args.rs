//! The command line.

use clap::{Parser, Subcommand, ValueEnum};

/// Log in to MCP servers, and watch how it goes.
#[derive(Debug, Parser)]
#[command(name = "mcp-auth", version, propagate_version = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start servers on loopback, log in to them over HTTP, and show every exchange
    Demo(Demo),
    /// Log in to an MCP server and list its tools; nothing is kept afterwards
    Login(Box<Login>),
    /// Look at how an MCP server is set up for authorization, without logging in
    Inspect(crate::inspect::Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// How the client obtains its tokens
    #[arg(long, value_enum, default_value_t = Grant::AuthorizationCode)]
    pub(crate) grant: Grant,
    /// Give consent yourself, on a page in your browser
    #[arg(long)]
    pub(crate) browser: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
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

impl Grant {
    /// Whether a person is asked.
    pub(crate) fn needs_person(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::Dpop | Self::Device)
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    /// The URL of the MCP server
    pub(crate) url: String,
    /// The identifier of a client that was registered by hand. Its secret, if it has one, comes from
    /// MCP_CLIENT_SECRET, and then the issuer must be given too
    #[arg(long, env = "MCP_CLIENT_ID", value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// The authorization server that the client was registered with; the client is used with no other
    #[arg(long, env = "MCP_CLIENT_ISSUER", requires = "client_id", value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// The URL of the client's metadata document
    #[arg(long, env = "MCP_CLIENT_METADATA_URL", value_name = "URL")]
    pub(crate) client_metadata_url: Option<String>,
    /// The name under which the client registers
    #[arg(long, default_value = "mcp-auth", value_name = "NAME")]
    pub(crate) client_name: String,
    /// Ask for exactly this scope, whatever the server says; may be given more than once
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// The loopback port that the answer comes back to; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// How the redirect URI names this machine
    #[arg(long, value_enum, default_value_t = Host::Address)]
    pub(crate) redirect_host: Host,
    /// Print the URL, and open no browser
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Read the URL that the browser ends with from standard input, where the browser is on another machine
    #[arg(long)]
    pub(crate) paste: bool,
    /// Let the server and its authorization servers be on private networks
    #[arg(long)]
    pub(crate) allow_private: bool,
    /// Refuse the fallbacks of MCP 2025-03-26
    #[arg(long)]
    pub(crate) no_legacy: bool,
    /// Show every exchange and every check
    #[arg(long, short)]
    pub(crate) verbose: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Host {
    /// 127.0.0.1
    #[value(name = "127.0.0.1")]
    Address,
    /// localhost
    #[value(name = "localhost")]
    Name,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        super::Args::command().debug_assert();
    }
}
