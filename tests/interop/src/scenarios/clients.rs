//! Clients that are known by other means, that act for themselves, or that have no browser.

use mcp_auth::{AuthMethod, Config, GrantType, Kind, Preregistered, Scopes, TokenSource};
use mcp_auth_jose::client_key;
use serde_json::json;

use crate::person::Wish;
use crate::rig::{Client, Rig, Verdict, check, fails, same};

/// The authorization server has forgotten the client that was registered. The refresh says so; the client registers anew and
/// the person logs in again.
pub(super) fn purged(rig: &Rig<'_>) -> Verdict {
    let mut client = rig.client("/mcp").build()?;
    client.echo()?;
    client.end()?;
    let before = client.grant()?.client_id;
    client.look_from_here()?;
    rig.servers.forget_client(&before)?;
    rig.servers.refuse_tokens("/mcp")?;
    client.echo()?;
    client.end()?;
    let log = client.log()?;
    same("registrations", &log.served("registration"), &1)?;
    same("codes exchanged", &log.granted("authorization_code"), &1)?;
    check(client.grant()?.client_id != before, || "it is the same client".to_owned())?;
    Ok("invalid_client, registered anew, 1 login".to_owned())
}

/// The authorization server has forgotten the client, and says so on a page that sends nobody back. The person tells, and the
/// login that waits begins again with another client.
pub(super) fn disowned(rig: &Rig<'_>) -> Verdict {
    let mut client = rig.client("/unlisted/mcp").build()?;
    client.echo()?;
    client.end()?;
    client.look_from_here()?;
    let before = client.grant()?.client_id;
    rig.servers.forget_client(&before)?;
    let session = client.session.clone();
    client.person.when_unknown(move || {
        let _ = session.client_disowned();
    });
    // A wider scope than was granted needs a person, so the token endpoint says nothing before the page does. The client was
    // registered for no scope in particular, so it may ask for any.
    let wider = Scopes::parse("tools:unlisted openid").map_err(|error| error.to_string())?;
    client.session.log_in(wider)?;
    client.echo()?;
    let ends: Vec<_> = client.person.visits().iter().map(|visit| visit["ok"] == true).collect();
    same("visits to the browser", &ends, &vec![false, true])?;
    check(client.grant()?.client_id != before, || "it is the same client".to_owned())?;
    same("codes exchanged", &client.log()?.granted("authorization_code"), &1)?;
    client.end()?;
    Ok("the page says invalid_client; registered anew, 1 login".to_owned())
}

fn known(rig: &Rig<'_>, id: &str) -> Preregistered {
    Preregistered::new(&rig.servers.issuer, id)
}

/// How the client authenticates at the token endpoint, for the code and for the refresh.
fn authenticates(rig: &Rig<'_>, mut client: Client<'_>, method: &str) -> Verdict {
    client.echo()?;
    client.end()?;
    let (_, refresh) = client.tokens()?;
    rig.servers.refuse_tokens("/mcp")?;
    client.echo()?;
    let log = client.log()?;
    // The server knows the client by more than its token, and gives the same one again.
    same("the refresh token is kept", &(client.tokens()?.1 == refresh && refresh.is_some()), &true)?;
    same("registrations", &log.route("registration").len(), &0)?;
    same("exchanges", &(log.granted("authorization_code"), log.granted("refresh_token")), &(1, 1))?;
    for entry in log.route("token") {
        same("authentication", &entry["authentication"], &json!(method))?;
    }
    client.look_from_here()?;
    let done = client.session.log_out()?;
    check(done.is_complete(), || format!("something was left undone: {done:?}"))?;
    for entry in client.log()?.route("revocation") {
        same("authentication at revocation", &entry["authentication"], &json!(method))?;
    }
    client.end()?;
    Ok(format!("{method} for code, refresh and revocation"))
}

pub(super) fn secret(rig: &Rig<'_>) -> Verdict {
    let known = known(rig, "with-secret").secret("secret-of-a-client");
    let client = rig.client("/mcp").config(|config| config.preregistered(known)).build()?;
    authenticates(rig, client, "client_secret_basic")
}

pub(super) fn key(rig: &Rig<'_>) -> Verdict {
    let key = rig.servers.client_key()?;
    let known = known(rig, "with-key").method(AuthMethod::PrivateKeyJwt);
    let public = client_key(&key);
    let client = rig
        .client("/mcp")
        .key(key)
        .config(|config| config.preregistered(known).client_key(public))
        .build()?;
    authenticates(rig, client, "private_key_jwt")
}

/// Nobody is asked; a token that is taken no more is replaced by the same grant.
fn acts_for_itself(rig: &Rig<'_>, client: &Client<'_>, method: &str) -> Verdict {
    client.echo()?;
    same("how the token was come by", &client.grant()?.source, &TokenSource::Granted)?;
    rig.servers.refuse_tokens("/mcp")?;
    client.echo()?;
    client.end()?;
    let log = client.log()?;
    same("tokens", &log.granted("client_credentials"), &2)?;
    same("browsers opened", &log.route("authorization").len(), &0)?;
    for entry in log.route("token") {
        same("authentication", &entry["authentication"], &json!(method))?;
        same("resource indicator", &entry["resource"], &json!(rig.servers.mcp("/mcp")))?;
    }
    Ok(format!("{method}; again after a refusal"))
}

pub(super) fn service_secret(rig: &Rig<'_>) -> Verdict {
    let known = known(rig, "service-with-secret").secret("secret-of-a-service");
    let alone = |config: Config| config.preregistered(known).grant_type(GrantType::ClientCredentials);
    let client = rig.client("/mcp").config(alone).build()?;
    acts_for_itself(rig, &client, "client_secret_basic")
}

pub(super) fn service_key(rig: &Rig<'_>) -> Verdict {
    let key = rig.servers.client_key()?;
    let (known, public) = (known(rig, "service-with-key"), client_key(&key));
    let alone = |config: Config| {
        config.preregistered(known).client_key(public).grant_type(GrantType::ClientCredentials)
    };
    let client = rig.client("/mcp").key(key).config(alone).build()?;
    acts_for_itself(rig, &client, "private_key_jwt")
}

/// The person types the code elsewhere. The client registers for this grant.
pub(super) fn device(rig: &Rig<'_>) -> Verdict {
    let flow = |config: Config| config.grant_type(GrantType::DeviceCode);
    let client = rig.client("/mcp").wish(Wish::GiveSlowly).config(flow).build()?;
    client.echo()?;
    let log = client.log()?;
    same("device codes exchanged", &log.granted("urn:ietf:params:oauth:grant-type:device_code"), &1)?;
    rig.servers.refuse_tokens("/mcp")?;
    client.echo()?;
    client.end()?;
    same("refreshes", &client.log()?.granted("refresh_token"), &1)?;
    let pending = log.route("token").iter().filter(|it| it["error"] == "authorization_pending").count();
    check(pending > 0, || "the person was never waited for".to_owned())?;
    Ok(format!("code typed and confirmed, {pending} times pending; refreshed"))
}

pub(super) fn device_refused(rig: &Rig<'_>) -> Verdict {
    let flow = |config: Config| config.grant_type(GrantType::DeviceCode);
    let client = rig.client("/mcp").wish(Wish::Refuse).config(flow).build()?;
    fails("the call", client.echo(), Kind::AccessDenied)?;
    client.end()?;
    check(client.record()?.is_none(), || "a record was kept".to_owned())?;
    Ok("access_denied".to_owned())
}
