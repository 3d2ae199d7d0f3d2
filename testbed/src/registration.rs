//! Dynamic client registration (RFC 7591).

use http::header;
use serde_json::{Map, Value, json};
use url::Url;

use crate::authorization_server::AuthorizationServer;
use crate::client::{self, Client, texts};
use crate::dials::{
    RegisteredRedirects, Registration, RegistrationAgain, RegistrationScope, SecretDespiteNone,
};
use crate::documents::Site;
use crate::message::{self, Answer, Asked};

/// What a registration that answers with other redirect URIs gives.
const REWRITTEN: &str = "https://rewritten.example/callback";

/// Why a registration is refused: the error and its description.
type Refused = (&'static str, String);

impl AuthorizationServer {
    /// `None` where there is no such endpoint.
    pub(crate) fn register(&mut self, site: Site<'_>, now: u64, request: &Asked) -> Option<Answer> {
        match &site.dials.registration {
            Registration::Absent => return None,
            Registration::Forbidden => return Some(message::text(403, "Forbidden")),
            Registration::InitialAccessToken(token)
                if message::credentials(request, "Bearer") != Some(token) =>
            {
                let why = "Registration needs an initial access token.";
                let mut answer = message::oauth_error(401, "invalid_token", why);
                message::set(&mut answer, header::WWW_AUTHENTICATE, "Bearer realm=\"registration\"");
                return Some(answer);
            }
            Registration::Open | Registration::InitialAccessToken(_) => {}
        }
        Some(match self.checked(site, now, request) {
            Ok((client, asked)) => {
                let client = self.registered_before(site, &client).unwrap_or(client);
                let answer = registered(site, now, &client, asked);
                self.clients.insert(client.id.clone(), client);
                message::json(site.dials.registration_status, &answer)
            }
            Err((error, why)) => message::oauth_error(400, error, &why),
        })
    }

    /// What the same client got when it registered before, where it gets that again.
    fn registered_before(&self, site: Site<'_>, client: &Client) -> Option<Client> {
        let same = |own: &&Client| {
            own.name == client.name
                && own.method == client.method
                && own.redirect_uris == client.redirect_uris
        };
        match site.dials.registration_again {
            RegistrationAgain::New => None,
            RegistrationAgain::Same => self.clients.values().find(same).cloned(),
        }
    }

    fn checked(
        &mut self,
        site: Site<'_>,
        now: u64,
        request: &Asked,
    ) -> Result<(Client, Map<String, Value>), Refused> {
        let json = message::header_text(request, "content-type")
            .is_some_and(|value| message::names_media_type(value, "application/json"));
        if !json {
            return Err(metadata("The content type is to be application/json."));
        }
        let document: Value =
            serde_json::from_slice(request.body()).map_err(|_| metadata("The body is no JSON."))?;
        let asked = document.as_object().ok_or_else(|| metadata("The body is no JSON object."))?;
        let grants = grants(site, &document)?;
        let by_code = grants.iter().any(|grant| grant == "authorization_code");
        let redirect_uris = match document.get("redirect_uris") {
            None if !by_code => Vec::new(),
            _ => redirect_uris(site, &document)?,
        };
        if by_code && list(&document, "response_types", "code")? != ["code"] {
            return Err(metadata("The response type is to be code."));
        }
        let method = auth_method(site, &document)?;
        // A method that was registered over what was asked came with no keys.
        let keys = match (method.as_str(), &site.dials.registered_method) {
            ("private_key_jwt", None) => client::keys(site.dials, &document).map_err(|why| metadata(&why))?,
            _ => Vec::new(),
        };
        let scopes = scopes(site, &document)?;
        let with_secret = method.starts_with("client_secret")
            || (method == "none" && site.dials.secret_despite_none != SecretDespiteNone::No);
        let id = self.draw("client");
        let secret = with_secret.then(|| self.draw("secret"));
        let client = Client {
            name: document.get("client_name").and_then(Value::as_str).unwrap_or(&id).to_owned(),
            id,
            secret,
            secret_expires: site.dials.secret_lifetime.map(|life| now.saturating_add(life)),
            method,
            keys,
            redirect_uris: match site.dials.registered_redirects {
                RegisteredRedirects::Rewritten => vec![REWRITTEN.to_owned()],
                RegisteredRedirects::AsSent
                | RegisteredRedirects::RewrittenInTheAnswer
                | RegisteredRedirects::Omitted => redirect_uris,
            },
            grants: Some(grants),
            scopes,
            bound: client::is_bound(&document),
        };
        Ok((client, asked.clone()))
    }
}

/// The client information response (RFC 7591 §3.2.1): what was asked, with what was decided over it.
fn registered(site: Site<'_>, now: u64, client: &Client, asked: Map<String, Value>) -> Value {
    let mut answer = asked;
    answer.insert("client_id".to_owned(), client.id.clone().into());
    answer.insert("client_id_issued_at".to_owned(), now.into());
    answer.insert("token_endpoint_auth_method".to_owned(), client.method.clone().into());
    if let Some(secret) = &client.secret {
        answer.insert("client_secret".to_owned(), secret.clone().into());
        answer.insert("client_secret_expires_at".to_owned(), client.secret_expires.unwrap_or(0).into());
    }
    match site.dials.registered_redirects {
        RegisteredRedirects::AsSent => {}
        RegisteredRedirects::Rewritten | RegisteredRedirects::RewrittenInTheAnswer => {
            answer.insert("redirect_uris".to_owned(), json!([REWRITTEN]));
        }
        RegisteredRedirects::Omitted => {
            answer.remove("redirect_uris");
        }
    }
    if site.dials.registration_empties {
        for name in ["client_uri", "logo_uri", "jwks_uri", "software_id", "grant_types"] {
            answer.insert(name.to_owned(), Value::Null);
        }
        for name in ["tos_uri", "policy_uri", "token_endpoint_auth_method"] {
            answer.insert(name.to_owned(), "".into());
        }
        if client.secret.is_none() {
            answer.insert("client_secret".to_owned(), Value::Null);
            answer.insert("client_secret_expires_at".to_owned(), Value::Null);
        }
        answer.insert("registration_client_uri".to_owned(), "register/self".into());
    }
    Value::Object(answer)
}

fn redirect_uris(site: Site<'_>, document: &Value) -> Result<Vec<String>, Refused> {
    let refused = |why: &str| ("invalid_redirect_uri", why.to_owned());
    let uris =
        texts(document, "redirect_uris").ok_or_else(|| refused("redirect_uris is no list of texts."))?;
    if uris.is_empty() {
        return Err(refused("redirect_uris is empty."));
    }
    let native = document.get("application_type").and_then(Value::as_str) == Some("native");
    for uri in &uris {
        let parsed = Url::parse(uri).map_err(|_| refused("A redirect URI is no URI."))?;
        let loopback = matches!(parsed.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if parsed.fragment().is_some() {
            return Err(refused("A redirect URI has a fragment."));
        }
        if parsed.scheme() == "http" && !loopback {
            return Err(refused("A redirect URI with http is not a loopback address."));
        }
        // A scheme of one's own has a dot in it (RFC 8252 §7.1).
        let private = parsed.scheme().contains('.');
        if !private && parsed.scheme() != "http" && parsed.scheme() != "https" {
            return Err(refused("A redirect URI has a scheme that is not one's own."));
        }
        if site.dials.enforce_application_type && !native && (loopback || private) {
            let why = "A web client may not redirect to a loopback address or a scheme of its own; \
                       application_type is web unless it says native.";
            return Err(refused(why));
        }
    }
    Ok(uris)
}

/// The grants that a client registers for: one that gives a first token, and `refresh_token` if wanted. A machine of
/// its own is registered by hand.
fn grants(site: Site<'_>, document: &Value) -> Result<Vec<String>, Refused> {
    let grants = list(document, "grant_types", "authorization_code")?;
    let mut known = site.grants();
    known.retain(|grant| *grant != "client_credentials");
    if !grants.iter().all(|grant| known.contains(&grant.as_str())) {
        return Err(metadata(&format!("The grant types are to be among {}.", known.join(", "))));
    }
    if grants.iter().all(|grant| grant == "refresh_token") {
        return Err(metadata("The grant types are to have one besides refresh_token."));
    }
    Ok(grants)
}

fn auth_method(site: Site<'_>, document: &Value) -> Result<String, Refused> {
    let asked = document.get("token_endpoint_auth_method").and_then(Value::as_str);
    if let Some(method) = &site.dials.registered_method {
        return Ok(method.clone());
    }
    let asked = asked.unwrap_or("client_secret_basic");
    let basic = ["client_secret_basic".to_owned()];
    let offered = site.dials.auth_methods.as_deref().unwrap_or(&basic);
    // What nobody here can check is refused, listed or not.
    let possible = ["none", "client_secret_basic", "client_secret_post", "private_key_jwt"].contains(&asked);
    if offered.iter().any(|method| method == asked) && possible {
        return Ok(asked.to_owned());
    }
    Err(metadata(&format!("The token endpoint does not take the method {asked}.")))
}

fn scopes(site: Site<'_>, document: &Value) -> Result<Option<Vec<String>>, Refused> {
    let asked = document.get("scope").and_then(Value::as_str).map(message::words);
    match (site.dials.registration_scope, asked) {
        (RegistrationScope::Required, None) => Err(metadata("A scope is needed.")),
        (RegistrationScope::Refused, Some(_)) => Err(metadata("A scope cannot be registered.")),
        (RegistrationScope::Binding, Some(asked)) => {
            let known = site.known_scopes();
            if !asked.iter().all(|scope| known.contains(scope)) {
                return Err(metadata("A scope is not known here."));
            }
            Ok(Some(asked))
        }
        (RegistrationScope::Any | RegistrationScope::Required, _)
        | (RegistrationScope::Refused | RegistrationScope::Binding, None) => Ok(None),
    }
}

fn list(document: &Value, name: &str, default: &str) -> Result<Vec<String>, Refused> {
    match document.get(name) {
        None => Ok(vec![default.to_owned()]),
        Some(_) => texts(document, name).ok_or_else(|| metadata(&format!("{name} is no list of texts."))),
    }
}

fn metadata(why: &str) -> Refused {
    ("invalid_client_metadata", why.to_owned())
}
