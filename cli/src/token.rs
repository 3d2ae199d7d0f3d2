//! `mcp-auth token`: what another program needs to be let in.

use std::io::IsTerminal as _;

use mcp_auth::{Credential, Failure};
use mcp_auth_reqwest::Error;
use serde_json::json;

use crate::args::Token;
use crate::call::{self, Opened};
use crate::context::{Context, stopped};
use crate::exit::{Code, Stop};
use crate::output::print;
use crate::times;

pub(crate) async fn run(args: Token, context: &Context) -> Result<(), Stop> {
    let opened = call::kept(&args.target.url, &args.target.kept)?;
    let found = credential(&opened, context).await?;
    if found.binding.is_some() {
        return Err(Stop::new(
            Code::Failed,
            "the token is bound to a key (DPoP, RFC 9449): it is refused without a proof that is signed for each request, \
             so no header that can be printed lets another program in. `mcp-auth call` signs them",
        ));
    }
    if std::io::stdout().is_terminal() {
        context.say("This is a secret: whoever has it is let in as you, until it expires.");
    }
    let token = found.access_token.expose();
    if args.json {
        let expires_at = found.expires_at.map(|at| at.as_secs());
        let shown = json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_at": expires_at,
            "expires": found.expires_at.map(times::absolute),
            "scope": found.granted.to_string(),
            "resource": found.resource,
        });
        return Ok(print(&shown.to_string())?);
    }
    Ok(print(&if args.raw { token.to_owned() } else { format!("Authorization: Bearer {token}") })?)
}

/// The credential, with a token that serves now.
pub(crate) async fn credential(opened: &Opened, context: &Context) -> Result<Credential, Stop> {
    let (client, demanded) = opened.client(context, None)?;
    let setup = &opened.setup;
    let restored =
        client.restore().await.map_err(|error| stopped(error, setup, &demanded, context.talk.verbose))?;
    let Some(done) = restored else {
        // It says the same as for any other request that a person must be asked for.
        let failure = Failure::new(call::unasked(), client.trail());
        return Err(stopped(Error::Failure(Box::new(failure)), setup, &demanded, context.talk.verbose));
    };
    opened.settle(context, &client);
    let found = setup.vault.record(&setup.entry)?;
    found.filter(|found| found.generation == done.generation).ok_or_else(|| {
        Stop::new(
            Code::Later,
            "the token could not be kept, or another process has replaced it just now; try again",
        )
    })
}
