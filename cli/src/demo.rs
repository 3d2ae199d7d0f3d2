//! `mcp-auth demo`: a whole authorization over real sockets, shown exchange by exchange, under the watch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use mcp_auth::watch::Watch;
use mcp_auth::{Action, Callback, Config, Event, Timestamp};
use mcp_auth_reqwest::{Answers, BoxFuture, Client, Consent, Observed, Tap};
use mcp_auth_testbed::{Consent as Asked, Dials, Purpose, Role, World, serve};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use crate::args::Demo;
use crate::listener::Listener;
use crate::mcp::Session;
use crate::person::{Person, Way};
use crate::show::Show;

pub(crate) async fn run(args: Demo) -> Result<(), String> {
    let consent = if args.browser { Asked::Page } else { Asked::Automatic };
    let served = serve(Dials { consent, ..Dials::default() }).await;
    let served = served.map_err(|error| format!("the servers cannot be started: {error}"))?;
    let show = Show::stdout();
    let origins = served.origins();
    show.say(&format!("MCP server            {}", served.server_url()));
    show.say(&format!("authorization server  {}", origins.authorization_servers.join(" and ")));

    let listener = Listener::bind(0).await?;
    let config = Config::new(served.server_url(), "mcp-auth demo", listener.redirect_uri("127.0.0.1"));
    let watch = Arc::new(Mutex::new(Watch::new(&config)));
    let seen = show.clone();
    let mut builder =
        Client::builder(config).tap(Watched(watch.clone())).observe(move |observed| match observed {
            // What the browser asks is shown with what it is answered.
            Observed::Opened { .. } => seen.section("Consent"),
            observed => seen.see(observed),
        });
    builder = if args.browser {
        let heard = browsed(show.clone(), served.world.clone());
        builder.consent(Person::new(Way::Browser { listener, open: true }, heard))
    } else {
        let listener = Arc::new(tokio::sync::Mutex::new(listener));
        builder.consent(Scripted { listener, show: show.clone() })
    };
    let client = builder.build().map_err(|error| error.to_string())?;

    let began = Instant::now();
    let done = converse(&client, &served.server_url()).await;
    // How it came to a failure has been shown already.
    done?;
    let done = client.authorized().ok_or("there is no grant")?;
    let exchanges = show.exchanges_to_token().ok_or("no token was obtained by a login")?;
    show.say(&format!("\n{exchanges} exchanges by the client from the refusal to the token."));
    show.say(&format!("Granted: {} for {}, by {}.", done.granted, done.resource, done.issuer));
    let watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    if !watch.breaches().is_empty() {
        return Err(format!("an invariant was broken: {}", watch.breaches().join("; ")));
    }
    show.say("No invariant was broken: no secret left its one place, no URL passed the guard unjudged.");
    show.say(&format!("{} ms in all.", began.elapsed().as_millis()));
    Ok(())
}

/// Lists the tools, calls one, and calls one that needs more scope.
async fn converse(client: &Client, url: &str) -> Result<(), String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let session = Session::stateless();
    session.request(client, &url, "tools/list", json!({})).await?;
    let call = |name: &str, argument: &str, text: &str| json!({"name": name, "arguments": {argument: text}});
    session.request(client, &url, "tools/call", call("echo", "text", "hello")).await?;
    session.request(client, &url, "tools/call", call("write_file", "path", "notes.txt")).await?;
    Ok(())
}

/// The watch, shared with whoever reads its verdict.
struct Watched(Arc<Mutex<Watch>>);

impl Tap for Watched {
    fn event(&mut self, now: Timestamp, event: &Event) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).event(now, event);
    }

    fn action(&mut self, action: &Action) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).action(action);
    }

    fn attached(&mut self, url: &Url, resource: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).attached(url, resource);
    }
}

/// Shows what a person's browser did: what it asked of the authorization server, by that server's own record, and
/// what it brought.
fn browsed(show: Show, world: Arc<Mutex<World>>) -> impl Fn(&str) + Send + Sync + 'static {
    let shown = Mutex::new(0);
    move |callback| {
        let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
        let world = world.lock().unwrap_or_else(PoisonError::into_inner);
        for exchange in world.exchanges().iter().skip(*shown) {
            let browsers = matches!(exchange.purpose, Purpose::Authorize | Purpose::Other);
            if browsers && matches!(exchange.role, Role::AuthorizationServer(_)) {
                let url = format!("{}{}", exchange.origin, exchange.path);
                show.browsed("authorization server", &exchange.method, &url, exchange.status, None);
            }
        }
        *shown = world.exchanges().len();
        // The page that says so is sent once the answer is handed over.
        show.browsed("client", "GET", callback, 200, None);
    }
}

/// A person who always consents: the authorization server redirects at once, and the browser follows.
struct Scripted {
    listener: Arc<tokio::sync::Mutex<Listener>>,
    show: Show,
}

impl Consent for Scripted {
    fn open(&self, url: Url, _until: Timestamp) -> Box<dyn Answers> {
        Box::new(Visit { url: Some(url), listener: self.listener.clone(), show: self.show.clone() })
    }
}

struct Visit {
    /// What is still to be opened.
    url: Option<Url>,
    listener: Arc<tokio::sync::Mutex<Listener>>,
    show: Show,
}

impl Visit {
    /// One GET, shown as `shown`; its status, and where a redirect leads.
    async fn get(&self, whom: &str, url: &str, shown: &str) -> Result<(u16, Option<String>), String> {
        let began = Instant::now();
        let got = get(url).await.map_err(|error| format!("the scripted browser, {whom}: {error}"))?;
        self.show.browsed(whom, "GET", shown, got.0, Some(began.elapsed()));
        Ok(got)
    }

    async fn follow(&self, url: &Url) -> Result<(), String> {
        let (_, location) = self.get("authorization server", url.as_str(), url.path()).await?;
        let callback = location.ok_or("the scripted browser was not sent back to the client")?;
        match self.get("client", &callback, &callback).await? {
            (200, _) => Ok(()),
            (status, _) => Err(format!("the client answered the scripted browser with status {status}")),
        }
    }
}

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async {
            if let Some(url) = &self.url {
                self.follow(url).await?;
                self.url = None;
            }
            let answer = self.listener.lock().await.next().await;
            answer.map(Callback::new).ok_or_else(|| "no answer can come any more".to_owned())
        })
    }
}

/// One GET on loopback: its status, and where a redirect leads.
async fn get(url: &str) -> std::io::Result<(u16, Option<String>)> {
    let url = Url::parse(url).map_err(std::io::Error::other)?;
    let address = url.socket_addrs(|| None)?;
    let mut stream = tokio::net::TcpStream::connect(address.as_slice()).await?;
    let target = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let host = url.authority();
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(64 << 10).read_to_string(&mut answer).await?;
    let mut lines = answer.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("no HTTP came"))?;
    let location = lines.take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    });
    Ok((status, location))
}
