//! A person logs in, or does not, and out again.

use mcp_auth::{Ended, IssuerPolicy, Kind, Scopes, TokenSource};
use serde_json::json;

use crate::person::Wish;
use crate::rig::{Rig, Verdict, check, fails, same};
use crate::rpc::Wire;

/// The first request is refused; then comes one registration, one login, one exchange, and the same request again.
pub(super) fn registers(rig: &Rig<'_>) -> Verdict {
    let client = rig.client("/mcp").build()?;
    client.echo()?;
    let grant = client.grant()?;
    same("how the token was come by", &grant.source, &TokenSource::LoggedIn)?;
    same("issuer", &grant.issuer, &rig.servers.issuer)?;
    same("resource", &grant.resource, &rig.servers.mcp("/mcp"))?;
    same("scopes", &grant.granted.to_string(), &"tools:read".to_owned())?;
    client.end()?;
    let log = client.log()?;
    same("registrations", &log.served("registration"), &1)?;
    same("logins and consents", &(log.submitted("login"), log.submitted("consent")), &(1, 1))?;
    same("codes exchanged", &log.granted("authorization_code"), &1)?;
    same("errors of the authorization server", &log.errors(), &Vec::new())?;
    same("refused calls", &log.refused_calls(), &vec![401])?;
    for entry in log.route("authorization").into_iter().chain(log.route("token")) {
        same("resource indicator", &entry["resource"], &json!(rig.servers.mcp("/mcp")))?;
    }
    same("challenge method", &log.route("authorization")[0]["pkce"], &json!("S256"))?;
    // The next call costs nothing.
    client.echo()?;
    same("requests after the login", &client.log()?.0.len(), &(log.0.len() + 1))?;
    // The token is for this resource and no other.
    let (token, _) = client.tokens()?;
    same("its own resource", &rig.servers.present("/mcp", &token)?, &400)?;
    same("another resource", &rig.servers.present("/short/mcp", &token)?, &401)?;
    Ok("1 registration, 1 login, 1 exchange; refused elsewhere".to_owned())
}

pub(super) fn with_sessions(rig: &Rig<'_>) -> Verdict {
    let client = rig.client("/mcp").wire(Wire::Sessions).build()?;
    let listed = client.session.call("tools/list", json!({}))?;
    same("tools", &listed["tools"].as_array().map(Vec::len), &Some(2))?;
    client.echo()?;
    client.end()?;
    let log = client.log()?;
    let methods: Vec<_> =
        log.calls().iter().filter_map(|call| call["rpc"].as_str().map(str::to_owned)).collect();
    let expected = ["initialize", "initialize", "notifications/initialized", "tools/list", "tools/call"];
    same("calls", &methods, &expected.map(str::to_owned).to_vec())?;
    Ok("initialize, tools/list, tools/call".to_owned())
}

/// The client is known by the URL of its metadata document, and registers nowhere.
pub(super) fn by_document(rig: &Rig<'_>) -> Verdict {
    let document = rig.servers.client_document.clone();
    let client = rig.client("/mcp").config(|config| config.metadata_document(document)).build()?;
    client.echo()?;
    client.end()?;
    let log = client.log()?;
    same("client", &client.grant()?.client_id, &rig.servers.client_document)?;
    same("registrations", &log.served("registration"), &0)?;
    same("codes exchanged", &log.granted("authorization_code"), &1)?;
    Ok("no registration".to_owned())
}

pub(super) fn signed_tokens(rig: &Rig<'_>) -> Verdict {
    let client = rig.client("/jwt/mcp").build()?;
    client.echo()?;
    client.end()?;
    let (token, _) = client.tokens()?;
    same("parts of the token", &token.split('.').count(), &3)?;
    same("another resource", &rig.servers.present("/mcp", &token)?, &401)?;
    Ok("verified with the server's keys; refused elsewhere".to_owned())
}

/// The scope belongs to the resource, and the authorization server registers no client for it.
pub(super) fn unlisted_scope(rig: &Rig<'_>) -> Verdict {
    let client = rig.client("/unlisted/mcp").build()?;
    client.echo()?;
    client.end()?;
    let log = client.log()?;
    let asked: Vec<_> = log.route("registration").iter().map(|it| it["scope"].clone()).collect();
    same("scopes in registrations", &asked, &vec![json!("tools:unlisted"), json!(null)])?;
    same("scopes", &client.grant()?.granted.to_string(), &"tools:unlisted".to_owned())?;
    Ok("refused with the scope, registered without".to_owned())
}

pub(super) fn pushed(rig: &Rig<'_>) -> Verdict {
    let issuer = rig.servers.issuer.clone();
    let push = IssuerPolicy::with(|it| it.push = true);
    let client = rig.client("/mcp").config(|config| config.issuer(issuer, push)).build()?;
    client.echo()?;
    client.end()?;
    let log = client.log()?;
    same("requests pushed", &log.served("pushed_authorization_request"), &1)?;
    same("it is named to the browser", &log.route("authorization")[0]["pushed"], &json!(true))?;
    same("codes exchanged", &log.granted("authorization_code"), &1)?;
    Ok("1 pushed, 1 exchange".to_owned())
}

pub(super) fn refused(rig: &Rig<'_>) -> Verdict {
    says_no(rig, Wish::Refuse, 1)
}

pub(super) fn cancelled(rig: &Rig<'_>) -> Verdict {
    says_no(rig, Wish::Cancel, 0)
}

/// The failure has its type, no code is exchanged, nothing is kept, and the next request opens no browser.
fn says_no(rig: &Rig<'_>, wish: Wish, logins: usize) -> Verdict {
    let client = rig.client("/mcp").wish(wish).build()?;
    let refused = fails("the call", client.echo(), Kind::AccessDenied)?;
    client.end()?;
    let log = client.log()?;
    same("logins", &log.submitted("login"), &logins)?;
    same("refusals", &log.route("abort").len(), &1)?;
    same("token requests", &log.route("token").len(), &0)?;
    check(client.record()?.is_none(), || "a record was kept".to_owned())?;
    fails("the next call", client.echo(), Kind::AccessDenied)?;
    same("browsers opened after that", &client.log()?.route("authorization").len(), &1)?;
    let words = refused.to_string();
    Ok(words.lines().next().unwrap_or_default().chars().take(70).collect())
}

/// The tool needs a scope that was not granted: the person is asked once more, for both.
pub(super) fn step_up(rig: &Rig<'_>) -> Verdict {
    let mut client = rig.client("/mcp").build()?;
    client.echo()?;
    client.person.visits();
    client.look_from_here()?;
    client.tool("write_note")?;
    client.end()?;
    let log = client.log()?;
    same("refused calls", &log.refused_calls(), &vec![403])?;
    same("what is asked for", &log.route("authorization")[0]["scope"], &json!("tools:read tools:write"))?;
    let granted = client.grant()?.granted;
    same("scopes", &granted, &Scopes::parse("tools:read tools:write").map_err(|error| error.to_string())?)?;
    same("registrations for the wider scopes", &log.served("registration"), &1)?;
    client.echo()?;
    same("logins", &client.log()?.submitted("login"), &1)?;
    Ok("403, consent, 200; granted tools:read tools:write".to_owned())
}

/// Both tokens are ended at the server, and nothing is left in the store.
pub(super) fn logs_out(rig: &Rig<'_>) -> Verdict {
    let client = rig.client("/mcp").build()?;
    client.echo()?;
    let (access, refresh) = client.tokens()?;
    let id = client.grant()?.client_id;
    same("before", &rig.servers.present("/mcp", &access)?, &400)?;
    let done = client.session.log_out()?;
    check(done.is_complete(), || format!("something was left undone: {done:?}"))?;
    client.end()?;
    let log = client.log()?;
    check(log.served("revocation") > 0, || "nothing was revoked".to_owned())?;
    same("families ended", &(log.families_ended() > 0), &true)?;
    same("after", &rig.servers.present("/mcp", &access)?, &401)?;
    let refresh = refresh.ok_or("there was no refresh token")?;
    let (status, said) = rig.servers.replay(&id, &refresh, &rig.servers.mcp("/mcp"))?;
    check(status == 400 && said.contains("invalid_grant"), || format!("the refresh token lives: {status}"))?;
    check(client.record()?.is_none(), || "the record was kept".to_owned())?;
    check(client.session.authorized().is_none(), || "the grant is still in use".to_owned())?;
    Ok(format!("{} revocations, both tokens refused, record gone", log.served("revocation")))
}

/// A server cannot revoke what it only signed. That is told, and the rest is done.
pub(super) fn logs_out_of_signed(rig: &Rig<'_>) -> Verdict {
    let client = rig.client("/jwt/mcp").build()?;
    client.echo()?;
    let (_, refresh) = client.tokens()?;
    let id = client.grant()?.client_id;
    let done = client.session.log_out()?;
    client.end()?;
    same("the refresh token", &done.refresh_token, &Ended::Ended)?;
    same("the record", &done.record, &Ended::Ended)?;
    let Ended::Not(breach) = &done.access_token else {
        return Err(format!("a signed token cannot be ended, and it is said that it was: {done:?}"));
    };
    let refresh = refresh.ok_or("there was no refresh token")?;
    let (status, _) = rig.servers.replay(&id, &refresh, &rig.servers.mcp("/jwt/mcp"))?;
    same("the refresh token at the server", &status, &400)?;
    Ok(format!("access token: {}", breach.to_string().chars().take(60).collect::<String>()))
}
