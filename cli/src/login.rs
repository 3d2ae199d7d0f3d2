//! `mcp-auth login`: obtains a credential and keeps it.

mod anew;

use std::sync::Arc;

use mcp_auth::base::text;
use mcp_auth::{Authorized, Scopes, TokenSource};
use mcp_auth_reqwest::{Client, Store};
use serde_json::json;

use crate::args::{Login, Way};
use crate::call::Opened;
use crate::context::{Context, stopped};
use crate::exit::{Code, Stop, command};
use crate::mcp::{self, Failed};
use crate::output::print;
use crate::person::{NOBODY, Person};
use crate::setup::{Choice, Setup};
use crate::show::words;
use crate::times;
use anew::Anew;

/// How many tools are named.
const MAX_TOOLS: usize = 50;
/// The most characters of one name.
const MAX_NAME: usize = 64;

pub(crate) async fn run(args: Box<Login>, context: &Context) -> Result<(), Stop> {
    context.record(&args.record);
    let setup = open(&args, context)?;
    let choice = Choice::new(&args.client, args.person.device, &setup)?;
    let shows = context.shows();
    let device = choice.way == Way::Device;
    let (name, redirect_uri) = (&choice.client_name, choice.redirect_uri.as_deref());
    let (person, redirect_uri) = match choice.way.needs_person() {
        true => {
            let made = Person::new(args.person, device, context.talk, name, redirect_uri, shows.clone())?;
            (Some((made.0, shows)), made.1)
        }
        false => (None, NOBODY.to_owned()),
    };
    let mut store: Arc<dyn Store> = setup.vault.store(setup.entry.kind)?;
    if args.force {
        store = Arc::new(Anew::over(store));
    }
    let config = choice.config(&setup, &redirect_uri, false);
    let (client, demanded) = context.client(config, store, &choice, person)?;
    let opened = Opened { setup, choice };
    let done = converse(&args, &client, &opened).await;
    let tools = done.map_err(|failed| match failed {
        Failed::Client(error) => stopped(error, &opened.setup, &demanded, context.talk.verbose),
        failed => opened.refused(failed, &demanded, context),
    })?;
    match client.authorized() {
        Some(done) => keep(&args, context, &opened, &done, tools.as_deref()),
        None => {
            let tools = tools.as_deref().map_or("not listed".to_owned(), listed);
            let force = opened.setup.login(&["--force"]);
            context.say(&format!(
                "{} asks for no login. Its tools: {tools}\nTo log in all the same: {force}",
                opened.setup.url
            ));
            Ok(())
        }
    }
}

/// What is kept, as far as it can be read. A record that is corrupt is set aside; it is no reason not to log in.
fn open(args: &Login, context: &Context) -> Result<Setup, Stop> {
    let open = || Setup::open(&args.target.url, &args.target.kept);
    let setup = open()?;
    match setup.read() {
        Ok(setup) => Ok(setup),
        Err(stop) => {
            context.warn(&stop.why);
            open()?.read()
        }
    }
}

/// Sees to it that there is a grant, if the server wants one, and gives the tools that it lets see.
async fn converse(args: &Login, client: &Client, opened: &Opened) -> Result<Option<Vec<String>>, Failed> {
    let choice = &opened.choice;
    let wanted = choice.scopes.clone().unwrap_or_default();
    // What cannot be renewed is asked for anew, by what follows.
    let _ = client.restore().await;
    let tools = tools(client, opened).await;
    let lacks = client.authorized().is_none_or(|done| !wanted.is_subset(&done.granted));
    let asks_for_none = client.authorized().is_none() && tools.is_ok();
    let said = !args.client.scopes.is_empty() || args.force || !choice.way.needs_person();
    if said && lacks && (asks_for_none || client.authorized().is_some()) {
        log_in(client, wanted).await?;
    }
    match tools {
        Ok(tools) => Ok(Some(tools)),
        // The token is good; what the server does with it is another matter.
        Err(Failed::Error { .. }) if client.authorized().is_some() => Ok(None),
        Err(failed) => Err(failed),
    }
}

async fn log_in(client: &Client, wanted: Scopes) -> Result<Authorized, Failed> {
    client.log_in(wanted).await.map_err(Failed::Client)
}

/// The names of the tools. Only the first page of a list that has several is asked for.
async fn tools(client: &Client, opened: &Opened) -> Result<Vec<String>, Failed> {
    let (url, extension) = (&opened.setup.url, opened.choice.way.extension());
    let listed = mcp::ask(client, url, extension, "tools/list", json!({}), true).await?.result;
    let tools = listed["tools"].as_array();
    let tools = tools.ok_or(Failed::Foreign { method: "tools/list".to_owned(), status: 200 })?;
    Ok(tools.iter().map(|tool| tool["name"].as_str().unwrap_or("(no name)").to_owned()).collect())
}

/// Remembers what was said, and says what there is now.
fn keep(
    args: &Login,
    context: &Context,
    opened: &Opened,
    done: &Authorized,
    tools: Option<&[String]>,
) -> Result<(), Stop> {
    let Opened { setup, choice } = opened;
    if let Some(why) = &done.unsaved {
        let why = format!("logged in, but the credential could not be kept, so nothing comes of it: {why}");
        return Err(Stop::new(Code::Failed, why));
    }
    setup.vault.remember(choice.remembered())?;
    if context.talk.quiet {
        return Ok(());
    }
    let fresh = matches!(done.source, TokenSource::LoggedIn | TokenSource::Granted);
    let mut lines = vec![if fresh { "Logged in." } else { "You are logged in already." }.to_owned()];
    let mut line = |name: &str, value: &str| lines.push(format!("  {name:<10} {}", words(value)));
    line("server", setup.url.as_str());
    if let Some(account) = &setup.entry.key.account {
        line("account", account);
    }
    line("issuer", &done.issuer);
    line("client", &done.client_id);
    line("scopes", &if done.granted.is_empty() { "none named".to_owned() } else { done.granted.to_string() });
    line("expires", &done.expires_at.map_or("not said".to_owned(), times::both));
    line("kept in", &setup.vault.place_of(setup.entry.kind));
    if let Some(tools) = tools {
        line("tools", &listed(tools));
    }
    if done.legacy {
        lines.push("  found by the fallbacks of MCP 2025-03-26: the server publishes no metadata".to_owned());
    }
    let mut next = vec!["mcp-auth", "call", setup.url.as_str(), "tools/list"];
    if let Some(account) = &args.target.kept.account {
        next.extend(["--account", account]);
    }
    let next = command(&next);
    lines.push(if fresh {
        format!("Next: {next}")
    } else {
        format!("To log in anew: {}", setup.login(&["--force"]))
    });
    Ok(print(&crate::show::plain(&lines.join("\n")))?)
}

/// The names of the tools, on one line, and how many are left out of it.
fn listed(tools: &[String]) -> String {
    let names: Vec<_> = tools.iter().take(MAX_TOOLS).map(|name| text::clean(name, MAX_NAME)).collect();
    match tools.len() {
        0 => "none".to_owned(),
        count if count > names.len() => format!("{} … ({count} in all)", names.join(", ")),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_named_and_bounded() {
        let tools = |names: &[&str]| listed(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(tools(&[]), "none");
        assert_eq!(tools(&["echo", "a\u{1b}[2J\nb"]), "echo, a\u{fffd}[2J\u{fffd}b");
        let many = tools(&["x".repeat(1000).as_str(); 1000]);
        assert!(many.chars().count() < 4000 && many.ends_with(" … (1000 in all)"), "{many}");
    }
}
