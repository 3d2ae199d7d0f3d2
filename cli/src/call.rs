//! `mcp-auth call`: one authorized request.

use std::io::{IsTerminal as _, Read as _};

use mcp_auth::base::text::clean;
use mcp_auth::{Breach, Kind};
use mcp_auth_reqwest::Client;
use serde_json::Value;

use crate::args::{Call, ClientArgs, Kept, Target, Way};
use crate::context::{Context, Demanded, stopped};
use crate::exit::{Code, Stop};
use crate::mcp::{self, Failed};
use crate::output::print;
use crate::person::{NOBODY, Person};
use crate::setup::{Choice, Setup};
use crate::show::words;

/// The most that is read of the parameters, in bytes.
const MOST: u64 = 64 << 20;

pub(crate) async fn run(args: Box<Call>, context: &Context) -> Result<(), Stop> {
    context.record(&args.record);
    let params = parameters(args.params.as_deref())?;
    let opened = open(&args.target, &args.client, args.person.device)?;
    let Opened { setup, choice } = &opened;
    let person = match args.login && choice.way.needs_person() {
        false => None,
        true => Some(Person::new(
            args.person,
            choice.way == Way::Device,
            context.talk,
            &choice.client_name,
            choice.redirect_uri.as_deref(),
            None,
        )?),
    };
    let attended = person.is_some();
    let (client, demanded) = opened.client(context, person)?;
    let answer = mcp::ask(&client, &setup.url, choice.way.extension(), &args.method, params, attended).await;
    opened.settle(context, &client);
    match answer {
        Ok(answer) => {
            let text = if args.raw { escaped(&answer.text) } else { shown(&answer.result)? };
            print(&text)?;
            match answer.result["isError"] {
                Value::Bool(true) => {
                    Err(Stop::new(Code::ToolError, "the tool reports an error; its words are above"))
                }
                _ => Ok(()),
            }
        }
        Err(failed) => {
            if let (true, Failed::Error { text, .. }) = (args.raw, &failed) {
                print(&escaped(text))?;
            }
            Err(opened.refused(failed, &demanded, context))
        }
    }
}

/// What a request is sent with, by a command that asks nobody unless it is told to.
pub(crate) struct Opened {
    pub(crate) setup: Setup,
    pub(crate) choice: Choice,
}

pub(crate) fn open(target: &Target, client: &ClientArgs, device: bool) -> Result<Opened, Stop> {
    let Target { url, kept } = target;
    let setup = Setup::open(url, kept)?.read()?;
    let choice = Choice::new(client, device, &setup)?;
    Ok(Opened { setup, choice })
}

/// The same with nothing but what is kept.
pub(crate) fn kept(url: &str, kept: &Kept) -> Result<Opened, Stop> {
    open(&Target { url: url.to_owned(), kept: kept.clone() }, &ClientArgs::default(), false)
}

impl Opened {
    /// The client, with a person who may be asked and the redirect URI for that.
    pub(crate) fn client(
        &self,
        context: &Context,
        person: Option<(Person, String)>,
    ) -> Result<(Client, Demanded), Stop> {
        let Self { setup, choice } = self;
        let (person, redirect_uri) = person.unzip();
        let registered =
            setup.record.as_ref().and_then(|record| record.client.redirect_uris.first().cloned());
        let redirect_uri = redirect_uri.or(registered).unwrap_or_else(|| NOBODY.to_owned());
        let config = choice.config(setup, &redirect_uri, person.is_none());
        let store = match &person {
            Some(_) => setup.vault.store(setup.entry.kind)?,
            None => setup.vault.store_or_memory(setup.entry.kind, !choice.way.needs_person())?,
        };
        context.client(config, store, choice, person.map(|person| (person, context.shows())))
    }

    /// What is kept after a request, and what a person should know of it.
    pub(crate) fn settle(&self, context: &Context, client: &Client) {
        let Some(done) = client.authorized() else { return };
        if let Some(why) = done.unsaved {
            context.warn(&format!("the token could not be kept, so the next run may need a login: {why}"));
        } else if self.setup.remembered.is_none()
            && let Err(why) = self.setup.vault.remember(self.choice.remembered())
        {
            context.warn(&why);
        }
    }

    pub(crate) fn refused(&self, failed: Failed, demanded: &Demanded, context: &Context) -> Stop {
        match failed {
            Failed::Client(error) => stopped(error, &self.setup, demanded, context.talk.verbose),
            Failed::Unanswered(why) => Stop::new(Code::Later, why),
            failed @ Failed::Foreign { status: 500.., .. } => Stop::new(Code::Later, failed.to_string()),
            failed @ Failed::Foreign { status: 401 | 403, .. } => {
                let why =
                    format!("{failed}. It refuses this, and does not say that a login would change that.");
                Stop::new(Code::Failed, why)
            }
            failed @ Failed::Foreign { .. } => {
                let why = format!("{failed}. Check that the URL is the server's MCP endpoint.");
                Stop::new(Code::Failed, why)
            }
            failed @ Failed::Error { .. } => Stop::new(Code::ServerError, failed.to_string()),
        }
    }
}

/// Nobody is there to be asked.
pub(crate) fn unasked() -> Breach {
    Breach::new(Kind::Unasked, "mcp-auth, policy `unattended`", "a person who logs in", "nobody to be asked")
}

/// The parameters: an object, as MCP has it.
fn parameters(given: Option<&str>) -> Result<Value, Stop> {
    let refuse = |why: String| Stop::usage(format!("the parameters: {why}"));
    let text = match given {
        None => return Ok(Value::Object(serde_json::Map::new())),
        Some("-") => {
            let mut text = String::new();
            let read = std::io::stdin().take(MOST).read_to_string(&mut text);
            read.map_err(|error| refuse(format!("standard input cannot be read: {error}")))?;
            text
        }
        Some(given) => match given.strip_prefix('@') {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| refuse(format!("{} cannot be read: {error}", words(file))))?,
            None => given.to_owned(),
        },
    };
    match serde_json::from_str(&text) {
        Ok(params @ Value::Object(_)) => Ok(params),
        Ok(_) => Err(refuse("expected a JSON object, such as '{\"name\":\"echo\"}'".to_owned())),
        Err(error) => Err(refuse(format!("no JSON: {error}"))),
    }
}

/// For a person in lines, for a program in one.
fn shown(result: &Value) -> Result<String, Stop> {
    let text = if std::io::stdout().is_terminal() {
        serde_json::to_string_pretty(result)
    } else {
        serde_json::to_string(result)
    };
    Ok(escaped(&text.map_err(|error| error.to_string())?))
}

/// The same JSON, in which nothing moves a cursor or turns text around. Such letters can only stand in its strings.
pub(crate) fn escaped(json: &str) -> String {
    let is_plain = |letter: char| letter == '\n' || clean(&letter.to_string(), 1).starts_with(letter);
    let (mut text, mut units) = (String::with_capacity(json.len()), [0; 2]);
    for letter in json.chars() {
        if letter.is_ascii_graphic() || letter == ' ' || is_plain(letter) {
            text.push(letter);
        } else {
            text.extend(letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_the_same_json_and_moves_no_cursor() {
        let value = serde_json::json!({"a": "x\u{1b}[2J\u{9b}\u{202e}\u{e0041}é\"\n", "b": ["\u{7f}"]});
        for text in [serde_json::to_string(&value), serde_json::to_string_pretty(&value)] {
            let text = escaped(&text.unwrap());
            assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7f}', '\u{e0041}']), "{text:?}");
            assert!(text.contains('é'));
            assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
        }
    }

    #[test]
    fn parameters_are_an_object() {
        assert_eq!(parameters(None).unwrap(), serde_json::json!({}));
        assert_eq!(parameters(Some("{\"name\":\"echo\"}")).unwrap()["name"], "echo");
        for (given, why) in
            [("[1]", "expected a JSON object"), ("{", "no JSON"), ("@/nowhere", "cannot be read")]
        {
            let stop = parameters(Some(given)).unwrap_err();
            assert!(stop.code == Code::Usage && stop.why.contains(why), "{}", stop.why);
        }
    }
}
