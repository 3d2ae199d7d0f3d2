//! The clients an authorization server knows: registered by hand, by themselves, or by a document at their URL.

use serde_json::Value;
use url::Url;

use crate::authorization_server::AuthorizationServer;
use crate::dials::{Dials, DocumentFetch, PreRegistered};
use crate::documents::Site;
use crate::key;

#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) secret: Option<String>,
    /// When the secret ends, in seconds since the epoch; `None` is never.
    pub(crate) secret_expires: Option<u64>,
    pub(crate) method: String,
    /// Its public keys, as JWKs.
    pub(crate) keys: Vec<Value>,
    pub(crate) redirect_uris: Vec<String>,
    /// The grants it registered for; one that was registered by hand may use any.
    pub(crate) grants: Option<Vec<String>>,
    /// The scopes it is bound to, if it is.
    pub(crate) scopes: Option<Vec<String>>,
    /// Whether it registered to use bound access tokens only (RFC 9449 §5.2).
    pub(crate) bound: bool,
}

impl Client {
    /// Whether it registered for a grant.
    pub(crate) fn may(&self, grant: &str) -> bool {
        self.grants.as_ref().is_none_or(|grants| grants.iter().any(|own| own == grant))
    }

    /// Whether it has nothing to authenticate with (RFC 6749 §2.1).
    pub(crate) fn is_public(&self) -> bool {
        self.method == "none"
    }
}

impl AuthorizationServer {
    /// A client by its id: registered by hand, by itself, or by a document at its URL.
    pub(crate) fn client(&self, site: Site<'_>, id: &str) -> Result<Client, String> {
        let by_hand = site
            .dials
            .clients
            .iter()
            .find(|client| client.client_id == id && client.authorization_server == self.index);
        if let Some(client) = by_hand {
            return Ok(Client {
                id: client.client_id.clone(),
                name: client.client_id.clone(),
                secret: client.client_secret.clone(),
                secret_expires: None,
                method: client.auth_method.clone(),
                keys: client.jwk.iter().cloned().collect(),
                redirect_uris: client.redirect_uris.clone(),
                grants: None,
                scopes: None,
                bound: false,
            });
        }
        if let Some(client) = self.clients.get(id) {
            return Ok(client.clone());
        }
        if site.dials.client_id_metadata_documents && id.starts_with("https://") {
            let document = match site.dials.client_document_fetch {
                DocumentFetch::Succeeds | DocumentFetch::InvalidClientAtToken => {
                    site.dials.client_documents.get(id)
                }
                DocumentFetch::Page | DocumentFetch::InvalidClientInCallback | DocumentFetch::ServerError => {
                    None
                }
            };
            return described(site.dials, id, document);
        }
        Err("The client is not known here.".to_owned())
    }

    /// Whether a client is known by the document at its id, if at all.
    pub(crate) fn is_described(&self, site: Site<'_>, id: &str) -> bool {
        let own =
            |client: &PreRegistered| client.client_id == id && client.authorization_server == self.index;
        let by_hand = site.dials.clients.iter().any(own);
        let described = site.dials.client_id_metadata_documents && id.starts_with("https://");
        described && !by_hand && !self.clients.contains_key(id)
    }
}

/// A client by the document at its id (Client ID Metadata Document §3 and §4).
fn described(dials: &Dials, id: &str, document: Option<&Value>) -> Result<Client, String> {
    let url = Url::parse(id).map_err(|_| "The client id is no URL.".to_owned())?;
    let dots = id.split('/').any(|segment| segment == "." || segment == "..");
    let bare = url.path() == "/" || dots;
    if bare || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err("The client id is no URL that a document may have.".to_owned());
    }
    let document = document.ok_or("The client id metadata document cannot be fetched.")?;
    if document.get("client_id").and_then(Value::as_str) != Some(id) {
        return Err("The document has another client_id than its URL.".to_owned());
    }
    let name =
        document.get("client_name").and_then(Value::as_str).ok_or("The document has no client_name.")?;
    let redirect_uris = texts(document, "redirect_uris").ok_or("The document has no redirect_uris.")?;
    let method = document.get("token_endpoint_auth_method").and_then(Value::as_str).unwrap_or("none");
    if method.starts_with("client_secret") || document.get("client_secret").is_some() {
        return Err("A client with a document has no secret.".to_owned());
    }
    Ok(Client {
        id: id.to_owned(),
        name: name.to_owned(),
        secret: None,
        secret_expires: None,
        method: method.to_owned(),
        keys: if method == "private_key_jwt" { keys(dials, document)? } else { Vec::new() },
        redirect_uris,
        grants: Some(texts(document, "grant_types").unwrap_or_default()),
        scopes: None,
        bound: is_bound(document),
    })
}

/// The public keys in client metadata (RFC 7591 §2): `jwks`, or what is found at `jwks_uri`.
pub(crate) fn keys(dials: &Dials, metadata: &Value) -> Result<Vec<Value>, String> {
    let jwks = match (metadata.get("jwks"), metadata.get("jwks_uri").and_then(Value::as_str)) {
        (Some(_), Some(_)) => return Err("There is jwks as well as jwks_uri.".to_owned()),
        (Some(jwks), None) => jwks,
        (None, Some(uri)) => dials.client_documents.get(uri).ok_or("The jwks_uri cannot be fetched.")?,
        (None, None) => return Err("The method private_key_jwt needs jwks or jwks_uri.".to_owned()),
    };
    let keys = jwks.get("keys").and_then(Value::as_array).ok_or("The jwks has no keys.")?;
    if keys.iter().any(key::is_private) {
        return Err("The jwks has a private key in it.".to_owned());
    }
    if !keys.iter().any(|key| key::algorithm(key).is_some()) {
        return Err("The jwks has no key that can be used here.".to_owned());
    }
    Ok(keys.clone())
}

/// `dpop_bound_access_tokens` (RFC 9449 §5.2).
pub(crate) fn is_bound(metadata: &Value) -> bool {
    metadata.get("dpop_bound_access_tokens").and_then(Value::as_bool) == Some(true)
}

/// A member that is a list of texts.
pub(crate) fn texts(document: &Value, name: &str) -> Option<Vec<String>> {
    let entries = document.get(name)?.as_array()?;
    entries.iter().map(|entry| entry.as_str().map(str::to_owned)).collect()
}
