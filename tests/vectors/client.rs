//! `registration_answer.json` and `client_metadata.json`.

use mcp_auth::wire::client::{AuthMethod, Client, check_client_id_url, method_to_register};
use mcp_auth::wire::registration::Registration;
use mcp_auth::{ClientKey, ClientMetadata, Scopes, Secret, Timestamp};
use serde_json::{Value, json};

use crate::{body, kind};

/// `{asked, status, now, document | body}` to the client, or to the kind of breach.
pub(crate) fn registration(input: &Value) -> Value {
    let asked = AuthMethod::parse(input["asked"].as_str().unwrap()).unwrap();
    let now = Timestamp::from_secs(input["now"].as_u64().unwrap());
    let status = input["status"].as_u64().unwrap().try_into().unwrap();
    let read = Registration::read(status, &body(input));
    match read.and_then(|registration| registration.judge(asked, "http://127.0.0.1:3000/cb", now)) {
        Err(breach) => kind(&breach),
        Ok(client) => {
            let mut shown = json!({
                "id": client.id,
                "method": client.method.as_str(),
                "secret": client.secret.as_ref().map(Secret::expose),
                "secret_expires_at": client.secret_expires_at,
            });
            if let Some(scopes) = client.scopes {
                shown["scopes"] = json!(scopes);
            }
            shown
        }
    }
}

/// One of `client_id_url`, `register`, `document` (with or without a `key`), `offered`, `key_offered` to what comes of it, or to the kind of breach.
pub(crate) fn metadata(input: &Value) -> Value {
    let text = |name: &str| input.get(name).and_then(Value::as_str);
    if let Some(url) = text("client_id_url") {
        return check_client_id_url(url).map_or_else(|breach| kind(&breach), |()| json!("pass"));
    }
    if let Some(offered) = input.get("offered") {
        let offered: Option<Vec<String>> = serde_json::from_value(offered.clone()).unwrap();
        let method = match input.get("secret") {
            Some(secret) => Client::method_for(secret.as_bool().unwrap(), offered.as_deref()),
            None => method_to_register(offered.as_deref()),
        };
        return method.map_or_else(|breach| kind(&breach), |method| json!(method.as_str()));
    }
    if let Some(offered) = input.get("key_offered") {
        let offered: Option<Vec<String>> = serde_json::from_value(offered.clone()).unwrap();
        return Client::check_key_method(offered.as_deref())
            .map_or_else(|breach| kind(&breach), |()| json!("pass"));
    }
    let client = ClientMetadata::new("Example", text("redirect_uri").unwrap());
    if let Some(url) = text("document") {
        let key = input.get("key").map(key);
        return client.document(url, None, key.as_ref()).unwrap_or_else(|breach| kind(&breach));
    }
    let method = AuthMethod::parse(text("register").unwrap()).unwrap();
    let scopes = Scopes::parse(text("scopes").unwrap()).unwrap();
    serde_json::from_slice(&client.registration_body(method, &scopes, None)).unwrap()
}

fn key(input: &Value) -> ClientKey {
    let mut key = ClientKey::new([]);
    if let Some(public) = input.get("public") {
        key = key.public(serde_json::from_value(public.clone()).unwrap());
    }
    match input.get("kid").and_then(Value::as_str) {
        Some(key_id) => key.key_id(key_id),
        None => key,
    }
}
