//! What a command works with: what is said now, what was said at the login, and what the record says.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mcp_auth::wire::client::Origin;
use mcp_auth::{
    Config, Credential, GrantType, Guard, Key, Legacy, Policy, Preregistered, Reach, ScopeRule, Scopes,
    Secret, ServerChoice,
};
use mcp_auth_jose::{Key as PrivateKey, client_key, proof_key};
use url::Url;

use crate::args::{ClientArgs, Kept, Way};
use crate::exit::{Stop, command};
use crate::secret;
use crate::vault::{Entry, Remembered, Vault};

/// The name under which the client registers.
const NAME: &str = "mcp-auth";

/// One server and account, and what is known of it.
pub(crate) struct Setup {
    pub(crate) url: Url,
    pub(crate) vault: Vault,
    pub(crate) entry: Entry,
    pub(crate) remembered: Option<Remembered>,
    pub(crate) record: Option<Credential>,
}

impl Setup {
    /// Where it is kept; nothing is read yet.
    pub(crate) fn open(url: &str, kept: &Kept) -> Result<Self, Stop> {
        let url = server(url)?;
        let vault = Vault::open()?;
        let key = Key { server: url.as_str().to_owned(), account: kept.account.clone() };
        let entry = vault.entry(key, kept.store)?;
        Ok(Self { url, vault, entry, remembered: None, record: None })
    }

    /// With what was said at the login, and the record.
    pub(crate) fn read(mut self) -> Result<Self, Stop> {
        self.remembered = self.vault.remembered(&self.entry)?;
        self.record = self.vault.record(&self.entry)?;
        Ok(self)
    }

    /// The command that logs in there.
    pub(crate) fn login(&self, more: &[&str]) -> String {
        let mut words = vec!["mcp-auth", "login", self.entry.key.server.as_str()];
        if let Some(account) = &self.entry.key.account {
            words.extend(["--account", account]);
        }
        words.extend(more);
        command(&words)
    }
}

/// The server's URL in one form, so that it is found again however it is written.
pub(crate) fn server(text: &str) -> Result<Url, Stop> {
    let judged = Guard::new(Reach::Any).check(text);
    judged.map(|endpoint| endpoint.url().clone()).map_err(|refused| {
        Stop::usage(format!("{refused}. Expected the URL of an MCP server, such as https://mcp.example/mcp"))
    })
}

/// Who the client is this time, and what it asks for.
pub(crate) struct Choice {
    pub(crate) way: Way,
    client: Option<Preregistered>,
    /// The only authorization server that may be used.
    pinned: Option<String>,
    metadata_url: Option<String>,
    pub(crate) client_name: String,
    pub(crate) scopes: Option<Scopes>,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) key: Option<Arc<PrivateKey>>,
    pub(crate) dpop_key: Option<Arc<PrivateKey>>,
    pub(crate) assertion_file: Option<PathBuf>,
    allow_private: bool,
    no_legacy: bool,
    /// To be remembered once it has led to a login.
    said: Remembered,
}

impl Choice {
    /// What is said now goes before what was said at the login, and that before what the record says.
    pub(crate) fn new(args: &ClientArgs, device: bool, setup: &Setup) -> Result<Self, Stop> {
        let said = said(args, device, setup)?;
        let secret = secret::client_secret(args).map_err(Stop::usage)?;
        let client = client(args, &said, setup, secret)?;
        let read = |file: &Option<PathBuf>| file.as_deref().map(private_key).transpose();
        let (key, dpop_key) = (read(&said.signing_key)?, read(&said.dpop_key)?);
        let pinned = said.issuer.clone().filter(|_| said.client_id.is_none());
        if said.grant == Way::Workload && said.assertion_file.is_none() {
            let why = "--grant workload: say where the platform keeps the workload's JWT, with --assertion-file FILE";
            return Err(Stop::usage(why));
        }
        Ok(Self {
            way: said.grant,
            client,
            pinned,
            metadata_url: said.client_metadata_url.clone(),
            client_name: said.client_name.clone().unwrap_or_else(|| NAME.to_owned()),
            scopes: said.scopes.clone(),
            redirect_uri: said.redirect_uri.clone(),
            key,
            dpop_key,
            assertion_file: said.assertion_file.clone(),
            allow_private: said.allow_private,
            no_legacy: said.no_legacy,
            said,
        })
    }

    /// The configuration. `unattended`: nobody is there to log in.
    pub(crate) fn config(&self, setup: &Setup, redirect_uri: &str, unattended: bool) -> Config {
        let policy = Policy::with(|it| {
            it.reach = self.allow_private.then_some(Reach::Any);
            it.legacy = if self.no_legacy { Legacy::Refused } else { Legacy::Allowed };
            it.ask_for_client = !unattended;
            it.unattended = unattended;
            if let Some(issuer) = &self.pinned {
                it.authorization_server = ServerChoice::Pinned(issuer.clone());
            }
        });
        let mut config = Config::new(setup.url.as_str(), &self.client_name, redirect_uri).policy(policy);
        config = config.grant_type(match self.way {
            Way::AuthorizationCode => GrantType::AuthorizationCode,
            Way::Device => GrantType::DeviceCode,
            Way::ClientCredentials => GrantType::ClientCredentials,
            Way::Workload => GrantType::WorkloadIdentity,
        });
        config = setup.entry.key.account.iter().fold(config, Config::account);
        config = self.client.iter().cloned().fold(config, Config::preregistered);
        config = self.metadata_url.iter().fold(config, Config::metadata_document);
        let only = self.scopes.iter().map(|only| ScopeRule::with(|it| it.only = Some(only.clone())));
        config = only.fold(config, Config::scopes);
        config = self.key.iter().map(client_key).fold(config, Config::client_key);
        self.dpop_key.iter().map(proof_key).fold(config, Config::proof_key)
    }

    /// To be remembered, now that it has led to a login.
    pub(crate) fn remembered(&self) -> &Remembered {
        &self.said
    }
}

/// What is said, without secrets.
fn said(args: &ClientArgs, device: bool, setup: &Setup) -> Result<Remembered, Stop> {
    // A variable that is set to nothing is not set.
    let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let mut said = setup.remembered.clone().unwrap_or_else(|| Remembered::new(&setup.entry));
    let (client_id, metadata_url) = (given(&args.client_id), given(&args.client_metadata_url));
    let issuer = given(&args.issuer);
    if client_id.is_some() || metadata_url.is_some() {
        // Another client; whose it is has to be said with it.
        let same = client_id.is_some() && client_id == said.client_id;
        said.issuer = said.issuer.filter(|_| same);
        (said.client_id, said.client_metadata_url) = (client_id, metadata_url);
    }
    said.issuer = issuer.or(said.issuer);
    said.client_name = args.client_name.clone().or(said.client_name);
    said.redirect_uri = args.redirect_uri.clone().or(said.redirect_uri);
    said.signing_key = args.key.clone().map(absolute).or(said.signing_key);
    said.dpop_key = args.dpop_key.clone().map(absolute).or(said.dpop_key);
    said.assertion_file = args.assertion_file.clone().map(absolute).or(said.assertion_file);
    said.grant = args.grant.or(device.then_some(Way::Device)).unwrap_or(said.grant);
    said.allow_private |= args.allow_private;
    said.no_legacy |= args.no_legacy;
    if !args.scopes.is_empty() {
        let only = Scopes::parse(&args.scopes.join(" ")).map_err(|error| Stop::usage(error.to_string()))?;
        said.scopes = Some(only);
    }
    Ok(said)
}

/// The next run may begin in another directory.
fn absolute(file: PathBuf) -> PathBuf {
    std::path::absolute(&file).unwrap_or(file)
}

/// The client that was registered by hand, if one is given. A secret from the environment is the same for every server.
/// So it needs the issuer that it is for: the MCP server would name another one, and be shown it. One that is not said
/// again is taken from the record, and is good for that record's authorization server alone.
fn client(
    args: &ClientArgs,
    said: &Remembered,
    setup: &Setup,
    secret: Option<(Secret, &'static str)>,
) -> Result<Option<Preregistered>, Stop> {
    let record = setup.record.as_ref().filter(|record| record.client.origin == Origin::Preregistered);
    let record = record.filter(|record| {
        said.client_id.as_ref().is_none_or(|id| *id == record.client.id)
            && said.issuer.as_ref().is_none_or(|issuer| *issuer == record.authorization_server.named)
    });
    let Some(client_id) = said.client_id.as_ref().or(record.map(|record| &record.client.id)) else {
        return Ok(None);
    };
    let client = match said.issuer.as_ref().or(record.map(|record| &record.authorization_server.named)) {
        Some(issuer) => Preregistered::new(issuer, client_id),
        None => Preregistered::unbound(client_id),
    };
    let is_given = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
    // One in the environment may be meant for another server than this one.
    let secret = secret.filter(|_| is_given(&args.client_id));
    match (secret, record) {
        (Some((secret, _)), _) if is_given(&args.issuer) => Ok(Some(client.secret(secret))),
        (Some((_, source)), record) if source != secret::VARIABLE || record.is_none_or(is_public) => {
            Err(Stop::usage(format!(
                "{source} holds a client secret, and nothing says which authorization server may see it; the MCP server \
                 could name any. Say where the client is registered with --issuer URL or MCP_CLIENT_ISSUER, or leave \
                 {source} out if the client has no secret."
            )))
        }
        (_, Some(record)) => {
            let client = client.method(record.client.method);
            Ok(Some(record.client.secret.iter().cloned().fold(client, Preregistered::secret)))
        }
        (_, None) => Ok(Some(client)),
    }
}

fn is_public(record: &Credential) -> bool {
    record.client.secret.is_none()
}

fn private_key(file: &Path) -> Result<Arc<PrivateKey>, Stop> {
    let text = secret::read(file, "private key").map_err(Stop::usage)?;
    let key = if text.trim_start().starts_with('{') {
        PrivateKey::from_jwk(text.as_bytes())
    } else {
        PrivateKey::from_pem(text.as_bytes())
    };
    let key = key.map_err(|error| Stop::usage(format!("the private key in {}: {error}", file.display())))?;
    Ok(Arc::new(key))
}
