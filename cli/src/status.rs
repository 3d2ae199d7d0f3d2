//! `mcp-auth status`: what is kept.

use mcp_auth::wire::client::Origin;
use mcp_auth::{Credential, Key};
use serde_json::{Value, json};

use crate::args::{Status, Way};
use crate::call;
use crate::context::Context;
use crate::exit::{Code, Stop};
use crate::mcp;
use crate::output::print;
use crate::setup::server;
use crate::show::{plain, words};
use crate::times;
use crate::vault::{Entry, Vault};

pub(crate) async fn run(args: Status, context: &Context) -> Result<(), Stop> {
    let vault = Vault::open()?;
    let (entries, unread) = match &args.url {
        Some(url) => {
            let key = Key { server: server(url)?.to_string(), account: args.kept.account.clone() };
            (vec![vault.entry(key, args.kept.store)?], Vec::new())
        }
        None => {
            let (mut entries, unread) = vault.all()?;
            entries.retain(|entry| {
                args.kept.store.is_none_or(|kind| kind == entry.kind)
                    && args.kept.account.as_ref().is_none_or(|it| Some(it) == entry.key.account.as_ref())
            });
            (entries, unread)
        }
    };
    let checked = match (&args.url, args.check) {
        (Some(url), true) => Some(check(url, &args, context).await),
        _ => None,
    };
    let known: Vec<_> = entries.iter().map(|entry| Known::of(&vault, entry)).collect();
    unread.iter().for_each(|why| context.warn(why));
    if args.json {
        let checked =
            checked.as_ref().map(|it| it.as_ref().map_or_else(|stop| json!(stop.why), |()| json!(true)));
        let shown: Vec<_> = known.iter().map(|it| it.json(checked.clone())).collect();
        print(&call::escaped(&Value::from(shown).to_string()))?;
    } else {
        let shown: Vec<_> = known.iter().filter(|it| it.is_there()).map(Known::text).collect();
        if !shown.is_empty() {
            print(&plain(&shown.join("\n\n")))?;
        }
        if let Some(Ok(())) = checked {
            context.say("The server takes the token.");
        }
    }
    if let Some(Err(stop)) = checked {
        return Err(stop);
    }
    judge(&known, args.url.as_deref(), unread.is_empty())
}

/// Whether all of it can be used, for a script.
fn judge(known: &[Known], url: Option<&str>, read: bool) -> Result<(), Stop> {
    let login = |entry: &Entry| {
        let mut command = vec!["mcp-auth", "login", entry.key.server.as_str()];
        command.extend(entry.key.account.iter().flat_map(|account| ["--account", account.as_str()]));
        crate::exit::command(&command)
    };
    let needed = |why: String| Stop::new(Code::LoginNeeded, why);
    if let Some(why) = known.iter().find_map(|it| it.found.as_ref().err()) {
        return Err(Stop::new(Code::Failed, why.clone()));
    }
    let missing = known.iter().find(|it| !it.state().is_usable());
    match (missing, url) {
        (None, None) if known.is_empty() => {
            Err(needed("you are not logged in anywhere. Begin with: mcp-auth login URL".to_owned()))
        }
        (None, _) if read => Ok(()),
        (None, _) => Err(Stop::new(Code::Failed, "not everything that is kept can be read")),
        (Some(it), _) if it.is_there() => {
            let why = format!("the login at {} is over. Log in again:", it.entry.key.server);
            Err(needed(why).next(login(it.entry)))
        }
        (Some(it), _) => {
            let why = format!("you are not logged in at {}. Log in first:", it.entry.key.server);
            Err(needed(why).next(login(it.entry)))
        }
    }
}

/// Asks the server, with a token that is renewed if need be.
async fn check(url: &str, args: &Status, context: &Context) -> Result<(), Stop> {
    let opened = call::kept(url, &args.kept)?;
    let (client, demanded) = opened.client(context, None)?;
    let answer =
        mcp::ask(&client, &opened.setup.url, opened.choice.way.extension(), "tools/list", json!({}), false)
            .await;
    opened.settle(context, &client);
    answer.map(|_| ()).map_err(|failed| opened.refused(failed, &demanded, context))
}

/// What is known of one login.
struct Known<'a> {
    vault: &'a Vault,
    entry: &'a Entry,
    found: Result<Option<Credential>, String>,
    way: Way,
}

/// What it is good for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Live,
    Renewable,
    Over,
    Absent,
}

impl State {
    fn is_usable(self) -> bool {
        matches!(self, Self::Live | Self::Renewable)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Renewable => "renewable",
            Self::Over => "over",
            Self::Absent => "absent",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Live => "logged in",
            Self::Renewable => "logged in; the token has run out, and is renewed when it is next needed",
            Self::Over => "the token has run out, and cannot be renewed: log in again",
            Self::Absent => "not logged in",
        }
    }
}

impl<'a> Known<'a> {
    fn of(vault: &'a Vault, entry: &'a Entry) -> Self {
        let remembered = vault.remembered(entry);
        let way = remembered.as_ref().ok().and_then(Option::as_ref).map(|it| it.grant).unwrap_or_default();
        let found = remembered.and_then(|_| vault.record(entry));
        Self { vault, entry, found, way }
    }

    fn record(&self) -> Option<&Credential> {
        self.found.as_ref().ok().and_then(Option::as_ref)
    }

    fn is_there(&self) -> bool {
        self.record().is_some()
    }

    fn is_renewable(&self) -> bool {
        self.record().is_some_and(|record| record.refresh_token.is_some() || !self.way.needs_person())
    }

    fn state(&self) -> State {
        match self.record() {
            None => State::Absent,
            Some(record) if record.is_unexpired(times::now()) => State::Live,
            Some(_) if self.is_renewable() => State::Renewable,
            Some(_) => State::Over,
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![words(&self.entry.key.server)];
        let mut line = |name: &str, value: &str| lines.push(format!("  {name:<10} {}", words(value)));
        if let Some(account) = &self.entry.key.account {
            line("account", account);
        }
        line("state", self.state().words());
        if let Some(record) = self.record() {
            line("issuer", &record.authorization_server.issuer);
            let origin = match record.client.origin {
                Origin::Preregistered => "registered by hand",
                Origin::MetadataDocument => "a metadata document",
                Origin::Dynamic => "registered by itself",
                _ => "named at the login",
            };
            let id = if record.client.id.is_empty() { "none" } else { &record.client.id };
            line("client", &format!("{id} ({origin})"));
            let scopes = record.granted.to_string();
            line("scopes", if scopes.is_empty() { "none named" } else { &scopes });
            line("expires", &record.expires_at.map_or("not said".to_owned(), times::both));
            line("renewable", if self.is_renewable() { "yes" } else { "no" });
            if record.binding.is_some() {
                line("bound", "to a key (DPoP)");
            }
        }
        line("kept in", &self.vault.place_of(self.entry.kind));
        lines.join("\n")
    }

    fn json(&self, checked: Option<Value>) -> Value {
        let record = self.record();
        json!({
            "server": self.entry.key.server,
            "account": self.entry.key.account,
            "state": self.state().as_str(),
            "usable": self.state().is_usable(),
            "issuer": record.map(|it| &it.authorization_server.issuer),
            "resource": record.map(|it| &it.resource),
            "client_id": record.map(|it| &it.client.id),
            "scopes": record.map(|it| it.granted.iter().collect::<Vec<_>>()),
            "expires_at": record.and_then(|it| it.expires_at).map(|at| at.as_secs()),
            "expires": record.and_then(|it| it.expires_at).map(times::absolute),
            "renewable": self.is_renewable(),
            "bound": record.is_some_and(|it| it.binding.is_some()),
            "store": self.entry.kind.as_str(),
            "error": self.found.as_ref().err(),
            "checked": checked,
        })
    }
}
