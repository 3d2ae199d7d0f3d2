//! The clients an authorization server knows, and how they show who they are (RFC 6749 §2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header;
use serde_json::Value;
use url::Url;

use crate::authorization_server::AuthorizationServer;
use crate::dials::{DocumentFetch, PreRegistered, SecretDespiteNone};
use crate::documents::Site;
use crate::message::{self, Answer, Asked, Parameters};

#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) secret: Option<String>,
    /// When the secret ends, in seconds since the epoch; `None` is never.
    pub(crate) secret_expires: Option<u64>,
    pub(crate) method: String,
    pub(crate) redirect_uris: Vec<String>,
    /// Whether it registered for the refresh token grant.
    pub(crate) refreshes: bool,
    /// The scopes it is bound to, if it is.
    pub(crate) scopes: Option<Vec<String>>,
}

/// How a client showed who it is.
struct Shown {
    id: String,
    secret: Option<String>,
    method: &'static str,
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
                redirect_uris: client.redirect_uris.clone(),
                refreshes: true,
                scopes: None,
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
            return described(id, document);
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

    /// The client that makes a request to the token or revocation endpoint.
    pub(crate) fn authenticate(
        &self,
        site: Site<'_>,
        now: u64,
        request: &Asked,
        form: &Parameters,
    ) -> Result<Client, Answer> {
        let shown = shown(site, request, form)?;
        let refuse = |why: &str| invalid_client(site, request, why);
        let client = self.client(site, &shown.id).map_err(|why| refuse(&why))?;
        let unfetched = site.dials.client_document_fetch == DocumentFetch::InvalidClientAtToken;
        if unfetched && self.is_described(site, &shown.id) {
            return Err(refuse("The client id metadata document cannot be fetched."));
        }
        let decorated = client.method == "none" && client.secret.is_some();
        let method_fits = match site.dials.secret_despite_none {
            SecretDespiteNone::Demanded if decorated => shown.method != "none",
            SecretDespiteNone::No | SecretDespiteNone::Decorative | SecretDespiteNone::Demanded => {
                decorated || shown.method == client.method
            }
        };
        if !method_fits {
            let why = format!("The client is to authenticate with {}, not {}.", client.method, shown.method);
            return Err(refuse(&why));
        }
        if shown.method != "none" {
            if shown.secret != client.secret {
                return Err(refuse("The client secret is wrong."));
            }
            if client.secret_expires.is_some_and(|end| end <= now) {
                return Err(refuse("The client secret has expired."));
            }
        }
        Ok(client)
    }
}

/// A client by the document at its id (Client ID Metadata Document §3 and §4).
fn described(id: &str, document: Option<&Value>) -> Result<Client, String> {
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
    let grants = texts(document, "grant_types").unwrap_or_default();
    Ok(Client {
        id: id.to_owned(),
        name: name.to_owned(),
        secret: None,
        secret_expires: None,
        method: method.to_owned(),
        redirect_uris,
        refreshes: grants.iter().any(|grant| grant == "refresh_token"),
        scopes: None,
    })
}

/// A member that is a list of texts.
pub(crate) fn texts(document: &Value, name: &str) -> Option<Vec<String>> {
    let entries = document.get(name)?.as_array()?;
    entries.iter().map(|entry| entry.as_str().map(str::to_owned)).collect()
}

/// How a client authenticates, whether or not it succeeds.
pub(crate) fn authentication_method(
    site: Site<'_>,
    request: &Asked,
    form: &Parameters,
) -> Result<&'static str, Answer> {
    shown(site, request, form).map(|shown| shown.method)
}

fn shown(site: Site<'_>, request: &Asked, form: &Parameters) -> Result<Shown, Answer> {
    let secret = form.one("client_secret").map(str::to_owned);
    let id = form.one("client_id").map(str::to_owned);
    if request.headers().contains_key(header::AUTHORIZATION) {
        let (user, password) = message::credentials(request, "Basic")
            .and_then(basic)
            .ok_or_else(|| invalid_client(site, request, "The Authorization header cannot be read."))?;
        let doubled = secret.is_some() || (id.is_some() && site.dials.refuse_client_id_with_basic);
        if doubled {
            let why = "The client authenticates in more than one way.";
            return Err(message::oauth_error(error_status(site, 400), "invalid_request", why));
        }
        if id.is_some_and(|id| id != user) {
            return Err(invalid_client(site, request, "The body names another client than the header."));
        }
        return Ok(Shown { id: user, secret: Some(password), method: "client_secret_basic" });
    }
    let id = id.ok_or_else(|| invalid_client(site, request, "There is no client_id."))?;
    let method = if secret.is_some() { "client_secret_post" } else { "none" };
    Ok(Shown { id, secret, method })
}

/// Both parts are form-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(credentials: &str) -> Option<(String, String)> {
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((form_decoded(user)?, form_decoded(password)?))
}

fn form_decoded(text: &str) -> Option<String> {
    // A text with `&` or `=` in it was not encoded, and would not come back whole.
    if text.contains(['&', '=']) {
        return None;
    }
    let pair = format!("a={text}");
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned())
}

pub(crate) fn invalid_client(site: Site<'_>, request: &Asked, why: &str) -> Answer {
    let status = error_status(site, site.dials.invalid_client_status);
    let mut answer = message::oauth_error(status, "invalid_client", why);
    if request.headers().contains_key(header::AUTHORIZATION) {
        message::set(&mut answer, header::WWW_AUTHENTICATE, "Basic realm=\"testbed\"");
    }
    answer
}

/// The status of an error of the token endpoint.
pub(crate) fn error_status(site: Site<'_>, status: u16) -> u16 {
    if site.dials.errors_with_200 { 200 } else { status }
}
