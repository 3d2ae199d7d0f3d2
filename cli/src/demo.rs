//! `mcp-auth demo`: a whole authorization over real sockets, shown exchange by exchange, under the watch.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use mcp_auth::watch::Watch;
use mcp_auth::{Action, Callback, Config, Event, Timestamp};
use mcp_auth_reqwest::{Answers, BoxFuture, Client, Consent, Tap};
use mcp_auth_testbed::{Consent as Asked, Dials, serve};
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
        Client::builder(config).tap(Watched(watch.clone())).observe(move |observed| seen.see(observed));
    builder = if args.browser {
        builder.consent(Person::new(Way::Browser { listener, open: true }))
    } else {
        builder.consent(Scripted)
    };
    let client = builder.build().map_err(|error| error.to_string())?;

    let began = Instant::now();
    let done = converse(&client, &served.server_url()).await;
    if let Err(why) = done {
        return Err(format!("{why}\n\nHow it came to that:\n{}", client.trail()));
    }
    let done = client.authorized().ok_or("there is no grant")?;
    let exchanges = show.exchanges_to_token().ok_or("no token was obtained by a login")?;
    show.say(&format!("\n{exchanges} exchanges from the refusal to the token."));
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

/// A person who always consents: the authorization server redirects at once, and the redirect is the answer.
struct Scripted;

impl Consent for Scripted {
    fn open(&self, url: Url, _until: Timestamp) -> Box<dyn Answers> {
        Box::new(Visit(Some(url)))
    }
}

struct Visit(Option<Url>);

impl Answers for Visit {
    fn next(&mut self) -> BoxFuture<'_, Result<Callback, String>> {
        Box::pin(async {
            let url = self.0.take().ok_or("the authorization server gave no other answer")?;
            visit(&url).await.map(Callback::new).map_err(|error| format!("the scripted browser: {error}"))
        })
    }
}

/// One GET on loopback, and where its redirect leads.
async fn visit(url: &Url) -> std::io::Result<String> {
    let address = url.socket_addrs(|| None)?;
    let mut stream = tokio::net::TcpStream::connect(address.as_slice()).await?;
    let target = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let host = url.authority();
    let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(64 << 10).read_to_string(&mut answer).await?;
    let location = answer.lines().take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("location").then(|| value.trim().to_owned())
    });
    location.ok_or_else(|| std::io::Error::other("no redirect came"))
}
