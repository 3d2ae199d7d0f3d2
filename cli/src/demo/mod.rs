//! `mcp-auth demo`: a whole authorization over real sockets, shown exchange by exchange, under the watch.

mod browser;
mod parties;
mod people;
mod setting;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use mcp_auth::watch::Watch;
use mcp_auth::{Action, Config, Event, Timestamp};
use mcp_auth_native::{Browser, Listener, Loopback};
use mcp_auth_reqwest::{Builder, Client, Observed, Tap};
use mcp_auth_testbed::{Served, serve};
use serde_json::json;
use url::Url;

use crate::args::Talk;
use crate::args::{Demo, Grant};
use crate::mcp::{Declared, Session};
use crate::output;
use crate::person::show as show_url;
use crate::show::Show;
use parties::{Signer, Vouching};
use people::{Browsed, OtherDevice, Scripted};
use setting::{NOBODY, Setting};

pub(crate) async fn run(args: Demo) -> Result<(), String> {
    if args.browser && !args.grant.needs_person() {
        return Err("--browser: with this grant nobody is asked for consent".to_owned());
    }
    let setting = Setting::new(args.grant)?;
    let served = serve(setting.dials(args.browser)).await;
    let served = served.map_err(|error| format!("the servers cannot be started: {error}"))?;
    let show = Show::stdout();
    setting.introduce(&show, &served);

    let listener = match args.grant {
        Grant::AuthorizationCode | Grant::Dpop => {
            Some(Loopback::new("mcp-auth demo").listen().map_err(|error| error.to_string())?)
        }
        _ => None,
    };
    let redirect_uri = listener.as_ref().map_or(NOBODY.to_owned(), Listener::redirect_uri);
    let config = Config::new(served.server_url(), "mcp-auth demo", redirect_uri);
    let config = setting.configure(config, &served);
    let watch = Arc::new(Mutex::new(Watch::new(&config)));
    let builder = Client::builder(config).tap(Watched(watch.clone()));
    let builder = peopled(builder, listener, &args, &show, &served);
    let builder = builder.assertions(Vouching::new(show.clone(), served.world.clone()));
    let builder = builder.keys(Signer::new(show.clone(), setting));
    let client = builder.build().map_err(|error| error.to_string())?;

    let began = Instant::now();
    let done = converse(&client, &served.server_url(), args.grant.extension()).await;
    // How it came to a failure has been shown already.
    done?;
    let done = client.authorized().ok_or("there is no grant")?;
    let exchanges = show.exchanges_to_token().ok_or("no token was obtained")?;
    let begun =
        if args.grant.needs_person() { "from the refusal to the token" } else { "until it had a token" };
    show.say(&format!("\n{exchanges} exchanges by the client {begun}."));
    show.say(&format!("Granted: {} for {}, by {}.", done.granted, done.resource, done.issuer));
    let watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
    if !watch.breaches().is_empty() {
        return Err(format!("an invariant was broken: {}", watch.breaches().join("; ")));
    }
    show.say("No invariant was broken: no secret left its one place, no URL passed the guard unjudged.");
    show.say(&format!("{} ms in all.", began.elapsed().as_millis()));
    output::judged(show.printed())
}

/// The client with whoever gives consent, and with everything that happens shown.
fn peopled(
    builder: Builder,
    listener: Option<Listener>,
    args: &Demo,
    show: &Show,
    served: &Served,
) -> Builder {
    let browsed = Arc::new(Browsed::new(show.clone(), served.world.clone()));
    let (seen, by_hand) = (show.clone(), browsed.clone());
    let device_by_hand = args.browser && listener.is_none();
    let builder = builder.observe(move |observed| match observed {
        // What the browser asks is shown with what it is answered.
        Observed::Opened { .. } => seen.section("Consent"),
        // Before the client asks once more.
        Observed::Sent { .. } if device_by_hand => {
            by_hand.catch_up();
            seen.see(observed);
        }
        observed => seen.see(observed),
    });
    match listener {
        Some(listener) if args.browser => {
            let heard = move |callback: &str| browsed.heard(callback);
            let talk = Talk { verbose: true, quiet: false };
            builder.consent(
                Browser::new(listener, move |url, opening| show_url(talk, url, &opening)).heard(heard),
            )
        }
        Some(listener) => builder.consent(Scripted::new(listener, show.clone())),
        None => builder.consent(OtherDevice::new(show.clone(), args.browser)),
    }
}

/// Lists the tools, calls one, and calls one that needs more scope.
async fn converse(client: &Client, url: &str, extension: Declared) -> Result<(), String> {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let session = Session::stateless(extension);
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
