//! Tokens that are bound to a key (RFC 9449). Both servers want their nonce.

use std::sync::Arc;

use mcp_auth::wire::jws::Algorithm;
use mcp_auth_jose::{Key, proof_key};
use serde_json::json;

use crate::rig::{Client, Rig, Verdict, check, same};

fn client<'a>(rig: &'a Rig<'_>) -> Result<Client<'a>, String> {
    let (key, _) = Key::generate(Algorithm::Es256).map_err(|error| error.to_string())?;
    let proofs = proof_key(&key);
    rig.client("/bound/mcp").key(Arc::new(key)).config(|config| config.proof_key(proofs)).build()
}

/// The resource's metadata asks for bound tokens.
pub(super) fn bound(rig: &Rig<'_>) -> Verdict {
    let client = client(rig)?;
    client.echo()?;
    client.end()?;
    check(client.grant()?.bound, || "the token is not bound".to_owned())?;
    let log = client.log()?;
    for entry in log.route("token") {
        same("a proof at the token endpoint", &entry["proof"], &json!(true))?;
    }
    let last = log.calls().last().map(|call| (call["scheme"].clone(), call["status"].clone()));
    same("the last call", &last, &Some((json!("DPoP"), json!(200))))?;
    let nonces = log.route("token").iter().filter(|it| it["error"] == "use_dpop_nonce").count();
    // Without its proof the token is nothing.
    let (token, _) = client.tokens()?;
    same("as a Bearer token", &rig.servers.present("/bound/mcp", &token)?, &401)?;
    Ok(format!("DPoP, {} nonce at the token endpoint", nonces))
}

pub(super) fn bound_refresh(rig: &Rig<'_>) -> Verdict {
    let mut client = client(rig)?;
    client.echo()?;
    client.end()?;
    client.look_from_here()?;
    rig.servers.refuse_tokens("/bound/mcp")?;
    client.echo()?;
    let log = client.log()?;
    same("refreshes", &log.granted("refresh_token"), &1)?;
    same("logins", &log.submitted("login"), &0)?;
    client.look_from_here()?;
    let done = client.session.log_out()?;
    check(done.is_complete(), || format!("something was left undone: {done:?}"))?;
    client.end()?;
    Ok("1 exchange with proof; revoked".to_owned())
}
