//! The options that several commands share: which server, which client, which person.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{ValueEnum, ValueHint};
use serde::{Deserialize, Serialize};

use crate::vault::Kind;

/// Which server, and which account there.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Target {
    /// The URL of the MCP server
    #[arg(value_hint = ValueHint::Url)]
    pub(crate) url: String,
    #[command(flatten)]
    pub(crate) kept: Kept,
}

/// Where credentials are kept, and under which name.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Kept {
    /// Your name for the account, where you have several at one server
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) account: Option<String>,
    /// Where the credential is kept. Default: where it was at the last login, or else what MCP_AUTH_STORE says, or else in a
    /// file
    #[arg(long, value_enum)]
    pub(crate) store: Option<Kind>,
}

/// Who the client is, and what it asks for. What is not given is as it was at the last login.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Client")]
pub(crate) struct ClientArgs {
    /// The identifier of a client that was registered by hand
    #[arg(long, env = "MCP_CLIENT_ID", hide_env_values = true, value_name = "ID")]
    pub(crate) client_id: Option<String>,
    /// A file with the client's secret, or `-` for standard input. It can be in MCP_CLIENT_SECRET too
    #[arg(long, value_name = "FILE", requires = "client_id", value_hint = ValueHint::FilePath)]
    pub(crate) client_secret_file: Option<PathBuf>,
    /// Ask for the client's secret on the terminal
    #[arg(long, requires = "client_id", conflicts_with = "client_secret_file")]
    pub(crate) client_secret_prompt: bool,
    /// The authorization server: with a client identifier, the one that it was registered with and is used with alone;
    /// without, the only one that is used
    #[arg(long, env = "MCP_CLIENT_ISSUER", hide_env_values = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) issuer: Option<String>,
    /// The URL of the client's metadata document
    #[arg(long, env = "MCP_CLIENT_METADATA_URL", hide_env_values = true, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) client_metadata_url: Option<String>,
    /// The name under which the client registers [default: mcp-auth]
    #[arg(long, value_name = "NAME")]
    pub(crate) client_name: Option<String>,
    /// Where the answer comes back to [default: a free port of 127.0.0.1, path /callback]
    #[arg(long, value_name = "URI")]
    pub(crate) redirect_uri: Option<String>,
    /// Ask for exactly this scope, whatever the server says, besides what is granted already; may be given more than once
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// How tokens are obtained [default: authorization-code]
    #[arg(long, value_enum)]
    pub(crate) grant: Option<Way>,
    /// A file with the client's private key (PEM or JWK), where it authenticates by signing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<PathBuf>,
    /// A file with a private key (PEM or JWK) that tokens are bound to, if the server binds them (DPoP)
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) dpop_key: Option<PathBuf>,
    /// A file in which the platform keeps the workload's JWT up to date, for `--grant workload`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) assertion_file: Option<PathBuf>,
    /// Let the server and its authorization servers be on private networks
    #[arg(long)]
    pub(crate) allow_private: bool,
    /// Refuse the fallbacks of MCP 2025-03-26
    #[arg(long)]
    pub(crate) no_legacy: bool,
}

/// How the person is asked.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
#[command(next_help_heading = "Person")]
pub(crate) struct PersonArgs {
    /// Print the URL, and open no browser
    #[arg(long)]
    pub(crate) no_browser: bool,
    /// Read the URL that the browser ends with from standard input, where the browser is on another machine
    #[arg(long)]
    pub(crate) paste: bool,
    /// Print a code that is typed into a browser on another device (RFC 8628)
    #[arg(long, conflicts_with_all = ["paste", "grant", "redirect_uri"])]
    pub(crate) device: bool,
}

/// How tokens are obtained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    /// A person consents in a browser
    #[default]
    AuthorizationCode,
    /// A person consents on another device
    Device,
    /// The client acts for itself, with a secret or a key
    ClientCredentials,
    /// The platform of a workload vouches for it
    Workload,
}

impl Way {
    /// Whether a person is asked.
    pub(crate) fn needs_person(self) -> bool {
        matches!(self, Self::AuthorizationCode | Self::Device)
    }
}
