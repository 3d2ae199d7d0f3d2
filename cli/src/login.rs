//! `mcp-auth login`: against any MCP server.

use mcp_auth::{Config, Legacy, Policy, Preregistered, Reach, ScopeRule, Scopes, Secret};
use mcp_auth_reqwest::Client;
use serde_json::json;
use url::Url;

use crate::args::{Host, Login};
use crate::listener::Listener;
use crate::mcp::{Failed, Session};
use crate::person::{Person, Way};
use crate::show::{Show, words};

/// Where answers come back when nobody listens: the person pastes the URL.
const NOBODY: &str = "http://127.0.0.1:3334/callback";

pub(crate) async fn run(args: Box<Login>) -> Result<(), String> {
    let client = client(&args, std::env::var("MCP_CLIENT_SECRET").ok())?;
    let (way, redirect_uri) = way(&args).await?;
    let config = configuration(&args, redirect_uri, client)?;
    let show = Show::stdout();
    let mut builder = Client::builder(config).consent(Person::new(way));
    if args.verbose {
        let show = show.clone();
        builder = builder.observe(move |observed| show.see(observed));
    }
    let client = builder.build().map_err(|error| error.to_string())?;
    let url = Url::parse(&args.url).map_err(|error| format!("{:?} is no URL: {error}", args.url))?;
    let tools = tools(&client, &url).await;
    if let Some(done) = client.authorized() {
        show.say("\nLogged in.");
        for (name, value) in [
            ("issuer", done.issuer),
            ("resource", done.resource),
            ("client", done.client_id),
            (
                "scopes",
                if done.granted.is_empty() { "none named".to_owned() } else { done.granted.to_string() },
            ),
        ] {
            show.say(&format!("  {name:<10} {}", words(&value)));
        }
        let expires =
            done.expires_at.map_or("not said".to_owned(), |at| format!("in {} s", at.since(now()).as_secs()));
        show.say(&format!("  {:<10} {expires}", "expires"));
        if done.legacy {
            show.say("  found by the fallbacks of MCP 2025-03-26: the server publishes no metadata");
        }
        show.say("  nothing was kept on disk");
    }
    match tools {
        Ok(count) if client.authorized().is_none() => {
            show.say(&format!("The server asks for no login. It has {count} tools."));
            Ok(())
        }
        Ok(count) => {
            show.say(&format!("  {:<10} {count}", "tools"));
            Ok(())
        }
        Err(why) => {
            if !args.verbose && !client.trail().entries().is_empty() {
                return Err(format!("{why}\n\nHow it came to that:\n{}", client.trail()));
            }
            Err(why)
        }
    }
}

/// Lists the tools, on the stateless wire or else on the stateful one.
async fn tools(client: &Client, url: &Url) -> Result<usize, String> {
    let first = Session::stateless().request(client, url, "tools/list", json!({})).await;
    let listed = match first {
        Ok(listed) => listed,
        Err(Failed::Answered(_)) if client.authorized().is_some() || client.trail().entries().is_empty() => {
            let session = Session::initialize(client, url).await?;
            session.request(client, url, "tools/list", json!({})).await?
        }
        Err(why) => return Err(why.into()),
    };
    listed["tools"].as_array().map(Vec::len).ok_or_else(|| "the server lists no tools".to_owned())
}

async fn way(args: &Login) -> Result<(Way, String), String> {
    if args.paste {
        return Ok((Way::Paste, NOBODY.to_owned()));
    }
    let listener = Listener::bind(args.port).await?;
    let host = match args.redirect_host {
        Host::Address => "127.0.0.1",
        Host::Name => "localhost",
    };
    let redirect_uri = listener.redirect_uri(host);
    Ok((Way::Browser { listener, open: !args.no_browser }, redirect_uri))
}

/// The client that was registered by hand, if one is given. A `secret` on the command line would be there for every
/// process to read, so it comes from the environment, which is the same for every server. So it needs the issuer that
/// it is for: the MCP server would name another one, and be shown it.
fn client(args: &Login, secret: Option<String>) -> Result<Option<Preregistered>, String> {
    // A variable that is set to nothing is not set.
    let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
    let Some(client_id) = given(&args.client_id) else { return Ok(None) };
    let client = match given(&args.issuer) {
        Some(issuer) => Preregistered::new(issuer, client_id),
        None => Preregistered::unbound(client_id),
    };
    let Some(secret) = given(&secret) else { return Ok(Some(client)) };
    if client.issuer.is_none() {
        return Err("MCP_CLIENT_SECRET holds a client secret, and nothing says which authorization server may see it; \
            the MCP server could name any. Say where the client is registered with --issuer URL or MCP_CLIENT_ISSUER, \
            or unset MCP_CLIENT_SECRET if the client has no secret."
            .to_owned());
    }
    Ok(Some(client.secret(Secret::from(secret))))
}

fn configuration(
    args: &Login,
    redirect_uri: String,
    client: Option<Preregistered>,
) -> Result<Config, String> {
    let policy = Policy::with(|it| {
        it.reach = args.allow_private.then_some(Reach::Any);
        it.legacy = if args.no_legacy { Legacy::Refused } else { Legacy::Allowed };
        it.ask_for_client = true;
    });
    let mut config = Config::new(&args.url, &args.client_name, redirect_uri).policy(policy);
    if !args.scopes.is_empty() {
        let only = Scopes::parse(&args.scopes.join(" ")).map_err(|error| error.to_string())?;
        config = config.scopes(ScopeRule::with(|it| it.only = Some(only)));
    }
    if let Some(client) = client {
        config = config.preregistered(client);
    }
    if let Some(url) = &args.client_metadata_url {
        config = config.metadata_document(url);
    }
    Ok(config)
}

fn now() -> mcp_auth::Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    mcp_auth::Timestamp::from_secs(since.as_secs())
}
