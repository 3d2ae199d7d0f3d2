//! A grant lives on: refreshed once, in one process at a time, and never with a token that was used before.

use mcp_auth::{ScopeRule, Scopes, TokenSource};

use crate::rig::{Rig, Verdict, check, same, source};

/// The token has run out: one exchange, no refused call, and the refresh token is another.
pub(super) fn after_expiry(rig: &Rig<'_>) -> Verdict {
    let mut client = rig.client("/short/mcp").build()?;
    client.echo()?;
    client.person.visits();
    let (access, refresh) = client.tokens()?;
    client.wait_for_expiry()?;
    client.look_from_here()?;
    client.echo()?;
    let log = client.log()?;
    same("exchanges", &(log.granted("refresh_token"), log.route("token").len()), &(1, 1))?;
    same("refused calls", &log.refused_calls(), &Vec::new())?;
    let (renewed_access, renewed_refresh) = client.tokens()?;
    check(renewed_access != access, || "the access token is the same".to_owned())?;
    check(renewed_refresh.is_some() && renewed_refresh != refresh, || {
        "the refresh token was not rotated".to_owned()
    })?;
    same("logins", &log.submitted("login"), &0)?;
    client.end()?;
    Ok("1 exchange, rotated, no refused call".to_owned())
}

/// The resource takes the token no more, though it has not expired.
pub(super) fn after_refusal(rig: &Rig<'_>) -> Verdict {
    let mut client = rig.client("/mcp").build()?;
    client.echo()?;
    client.person.visits();
    client.look_from_here()?;
    rig.servers.refuse_tokens("/mcp")?;
    client.echo()?;
    let log = client.log()?;
    same("refused calls", &log.refused_calls(), &vec![401])?;
    same("exchanges", &(log.granted("refresh_token"), log.route("token").len()), &(1, 1))?;
    same("logins", &log.submitted("login"), &0)?;
    client.end()?;
    Ok("401, 1 exchange, 200".to_owned())
}

/// Somebody else uses the refresh token that was used before. The server notices and ends the family, so this client has to
/// log in again; it does so once, and has itself used no token twice.
pub(super) fn stolen(rig: &Rig<'_>) -> Verdict {
    let mut client = rig.client("/mcp").build()?;
    client.echo()?;
    let (_, stolen) = client.tokens()?;
    let stolen = stolen.ok_or("there is no refresh token")?;
    rig.servers.refuse_tokens("/mcp")?;
    client.echo()?;
    client.end()?;
    client.look_from_here()?;
    let id = client.grant()?.client_id;
    let (status, said) = rig.servers.replay(&id, &stolen, &rig.servers.mcp("/mcp"))?;
    check(status == 400 && said.contains("invalid_grant"), || format!("the server answered {status}"))?;
    let log = client.log()?;
    same("noticed by the server", &(log.reused(), log.families_ended() > 0), &(1, true))?;
    client.look_from_here()?;
    client.echo()?;
    let log = client.log()?;
    same("refreshes that were given", &log.granted("refresh_token"), &0)?;
    same("logins", &log.submitted("login"), &1)?;
    same("how the token was come by", &client.grant()?.source, &TokenSource::LoggedIn)?;
    client.end()?;
    Ok("reuse noticed, family ended, 1 login".to_owned())
}

/// Another process finds the record, and needs nothing but it.
pub(super) fn restored(rig: &Rig<'_>) -> Verdict {
    let mut client = rig.client("/mcp").build()?;
    client.echo()?;
    client.end()?;
    client.look_from_here()?;
    same("how the other process came by its token", &source(client.process()?)?, &"kept".to_owned())?;
    let log = client.log()?;
    same("exchanges and discovery", &log.beside_calls(), &(0, 0))?;
    same("refused calls", &log.refused_calls(), &Vec::new())?;
    Ok("no exchange, no discovery".to_owned())
}

/// Another process finds a record whose token has run out: exactly one exchange.
pub(super) fn restored_expired(rig: &Rig<'_>) -> Verdict {
    let mut client = rig.client("/short/mcp").build()?;
    client.echo()?;
    client.end()?;
    client.wait_for_expiry()?;
    client.look_from_here()?;
    same("how the other process came by its token", &source(client.process()?)?, &"refreshed".to_owned())?;
    let log = client.log()?;
    same("exchanges", &(log.granted("refresh_token"), log.route("token").len()), &(1, 1))?;
    same("exchanges and discovery", &log.beside_calls(), &(1, 0))?;
    same("refused calls", &log.refused_calls(), &Vec::new())?;
    same("used twice", &log.reused(), &0)?;
    Ok("1 exchange, no discovery".to_owned())
}

/// Eight processes find the same expired token: one of them renews it, the others take what it has got.
pub(super) fn many_processes(rig: &Rig<'_>) -> Verdict {
    let mut client = rig.client("/short/mcp").build()?;
    client.echo()?;
    client.end()?;
    client.wait_for_expiry()?;
    client.look_from_here()?;
    let processes = (0..8).map(|_| client.process()).collect::<Result<Vec<_>, _>>()?;
    let sources = processes.into_iter().map(source).collect::<Result<Vec<_>, _>>()?;
    let log = client.log()?;
    same("exchanges", &(log.granted("refresh_token"), log.route("token").len()), &(1, 1))?;
    same("used twice", &log.reused(), &0)?;
    same("refused calls", &log.refused_calls(), &Vec::new())?;
    same("calls of the tool", &log.calls().iter().filter(|it| it["rpc"] == "tools/call").count(), &8)?;
    let renewed = sources.iter().filter(|source| *source == "refreshed").count();
    Ok(format!("1 exchange; {renewed} of 8 say that they refreshed"))
}

/// The person logs in before any request. The server gives a refresh token for `offline_access` only, and `offline_access`
/// only where consent is asked for anew (OpenID Connect Core §11).
pub(super) fn offline(rig: &Rig<'_>) -> Verdict {
    let stay = ScopeRule::with(|rule| rule.stay_logged_in = true);
    let client = rig.client("/offline/mcp").config(|config| config.scopes(stay)).build()?;
    let grant = client.session.log_in(Scopes::new())?;
    same("how the token was come by", &grant.source, &TokenSource::LoggedIn)?;
    client.end()?;
    let (_, refresh) = client.tokens()?;
    check(refresh.is_some(), || "there is no refresh token".to_owned())?;
    client.wait_for_expiry()?;
    client.echo()?;
    same("refreshes", &client.log()?.granted("refresh_token"), &1)?;
    Ok("refreshed".to_owned())
}
