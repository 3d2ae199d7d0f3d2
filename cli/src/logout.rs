//! `mcp-auth logout`: revokes the tokens, and forgets what is kept.

use mcp_auth::{Ended, Key, Kind, LoggedOut};

use crate::args::{ClientArgs, Kept, Logout};
use crate::call::Opened;
use crate::context::{Context, stopped};
use crate::exit::{Code, Stop, command};
use crate::setup::{Choice, Setup, server};
use crate::vault::{Entry, Vault};

pub(crate) async fn run(args: Logout, context: &Context) -> Result<(), Stop> {
    context.record(&args.record);
    let vault = Vault::open()?;
    let (entries, unread) = match &args.url {
        Some(url) => {
            let key = Key { server: server(url)?.to_string(), account: args.kept.account.clone() };
            (vec![vault.entry(key, args.kept.store)?], Vec::new())
        }
        None => vault.all()?,
    };
    unread.iter().for_each(|why| context.warn(why));
    let (mut left, mut stop) = (unread.len(), None);
    for entry in
        entries.iter().filter(|it| args.url.is_some() || args.kept.store.is_none_or(|kind| kind == it.kind))
    {
        if let Err(why) = one(entry, &args, context).await {
            left += 1;
            if args.all {
                context.warn(&why.why);
            }
            stop = Some(why);
        }
    }
    match (args.all, stop) {
        (false, Some(stop)) => Err(stop),
        (true, _) if left > 0 => Err(Stop::new(Code::Failed, format!("{left} not done; see above"))),
        (true, _) if entries.is_empty() => {
            context.say("Nothing is kept.");
            Ok(())
        }
        _ => Ok(()),
    }
}

async fn one(entry: &Entry, args: &Logout, context: &Context) -> Result<(), Stop> {
    let kept = Kept { account: entry.key.account.clone(), store: Some(entry.kind) };
    let setup = Setup::open(&entry.key.server, &kept)?;
    let name = match &entry.key.account {
        Some(account) => format!("{} ({account})", entry.key.server),
        None => entry.key.server.clone(),
    };
    if args.forget_only {
        let was_there = setup.vault.forget(entry)?;
        setup.vault.unremember(entry)?;
        context.say(&match was_there {
            true => {
                format!("Forgotten: {name}. Its tokens are good till they expire, or are revoked elsewhere.")
            }
            false => format!("You are not logged in at {name}."),
        });
        return Ok(());
    }
    let setup = setup.read().map_err(|stop| forgettable(stop, entry))?;
    if setup.record.is_none() {
        setup.vault.unremember(entry)?;
        context.say(&format!("You are not logged in at {name}."));
        return Ok(());
    }
    let choice =
        Choice::new(&ClientArgs::default(), false, &setup).map_err(|stop| forgettable(stop, entry))?;
    let opened = Opened { setup, choice };
    let (client, demanded) = opened.client(context, None)?;
    let done = client.log_out().await;
    let done = done.map_err(|error| stopped(error, &opened.setup, &demanded, context.talk.verbose))?;
    let unused = done.refresh_token == Ended::Absent
        && opened.setup.record.as_ref().is_some_and(|record| record.refresh_token.is_some());
    // The client has forgotten the record, unless it was none that it could use.
    opened.setup.vault.forget(entry)?;
    opened.setup.vault.unremember(entry)?;
    if unused {
        let why = format!(
            "what was kept of {name} is forgotten, but it could not be used, so its tokens were not revoked:\n{}\n{ELSEWHERE}",
            client.trail()
        );
        return Err(Stop::new(Code::Failed, why));
    }
    report(&done, &name, context)
}

const ELSEWHERE: &str = "Whoever has a copy may use it till it expires. It can be ended in the settings of your account there, \
                         as access of an application";

/// What can be done where the tokens cannot be revoked.
fn forgettable(stop: Stop, entry: &Entry) -> Stop {
    let mut words = vec!["mcp-auth", "logout", "--forget-only", entry.key.server.as_str()];
    words.extend(entry.key.account.iter().flat_map(|account| ["--account", account.as_str()]));
    Stop { why: format!("{}. To forget it without revoking:", stop.why.trim_end_matches('.')), ..stop }
        .next(command(&words))
}

/// Says what was done, and of what was not, what a person can do.
fn report(done: &LoggedOut, name: &str, context: &Context) -> Result<(), Stop> {
    let missed: Vec<_> = [("refresh token", &done.refresh_token), ("access token", &done.access_token)]
        .into_iter()
        .filter_map(|(what, ended)| match ended {
            Ended::Not(why) => Some((what, why)),
            _ => None,
        })
        .collect();
    let Some((what, why)) = missed.first() else {
        context.say(&format!("Logged out of {name}."));
        return Ok(());
    };
    // A server that revokes nothing cannot be made to.
    if missed.iter().all(|(_, why)| why.kind == Kind::Unsupported) {
        context.say(&format!(
            "Logged out of {name} here. Its authorization server revokes no tokens: they are good till they expire."
        ));
        return Ok(());
    }
    Err(Stop::new(
        Code::Failed,
        format!("logged out of {name} here, but the {what} was not revoked: {why}. {ELSEWHERE}"),
    ))
}
