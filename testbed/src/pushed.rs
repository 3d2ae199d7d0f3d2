//! Pushed authorization requests (RFC 9126).

use serde_json::json;

use crate::authentication::error_status;
use crate::authorization_server::AuthorizationServer;
use crate::authorize::{self, Refused};
use crate::client::Client;
use crate::consent;
use crate::documents::Site;
use crate::message::{self, Answer, Asked, Parameters};

/// A request that was pushed and not yet used.
#[derive(Clone, Debug)]
pub(crate) struct PushedRequest {
    client_id: String,
    parameters: Parameters,
    expires: u64,
}

impl AuthorizationServer {
    /// RFC 9126 §2. `None` where there is no such endpoint.
    pub(crate) fn push(&mut self, site: Site<'_>, now: u64, request: &Asked) -> Option<Answer> {
        let dials = site.dials.pushed.as_ref()?;
        let (client, form) = match self.authenticated_form(site, now, request) {
            Ok(found) => found,
            Err(answer) => return Some(answer),
        };
        let key = match self.proven(site, now, request, None) {
            Ok(key) => key,
            Err(answer) => return Some(answer),
        };
        let refuse = |error: &str, why: &str| message::oauth_error(error_status(site, 400), error, why);
        let parameters = match self.pushable(site, &client, form, key) {
            Ok(parameters) => parameters,
            Err((error, why)) => return Some(refuse(error, &why)),
        };
        let request_uri = format!("urn:ietf:params:oauth:request_uri:{}", self.draw("pushed"));
        if !dials.forgotten {
            let expires = now.saturating_add(dials.expires_in);
            let pushed = PushedRequest { client_id: client.id, parameters, expires };
            self.pushed.insert(request_uri.clone(), pushed);
        }
        let answer = json!({ "request_uri": request_uri, "expires_in": dials.expires_in });
        Some(message::json(dials.status, &answer))
    }

    /// The parameters of an authorization request that would be in order.
    fn pushable(
        &self,
        site: Site<'_>,
        client: &Client,
        form: Parameters,
        key: Option<String>,
    ) -> Result<Parameters, Refused> {
        let invalid = |why: &str| ("invalid_request", why.to_owned());
        if form.one("request_uri").is_some() {
            return Err(invalid("A pushed request has no request_uri."));
        }
        // How the client authenticated is no part of the request (RFC 9126 §2.1). Who it is may be told by that alone.
        let secret = ["client_id", "client_secret", "client_assertion", "client_assertion_type"];
        let mut parameters = form;
        parameters.0.retain(|(name, _)| !secret.contains(&name.as_str()));
        parameters.0.push(("client_id".to_owned(), client.id.clone()));
        if let Some(key) = key {
            // RFC 9449 §10.1.
            match parameters.one("dpop_jkt") {
                Some(own) if own != key => {
                    return Err(("invalid_dpop_proof", "The dpop_jkt is not that of the proof.".to_owned()));
                }
                Some(_) => {}
                None => parameters.0.push(("dpop_jkt".to_owned(), key)),
            }
        }
        let (client, back) = self.addressee(site, &parameters).map_err(|why| invalid(&why))?;
        authorize::checked(site, &client, &back, &parameters).map(|_| parameters)
    }

    /// The authorization request that a `request_uri` stands for, once (RFC 9126 §4); any other as it is.
    pub(crate) fn pulled(
        &mut self,
        site: Site<'_>,
        now: u64,
        asked: Parameters,
    ) -> Result<Parameters, Answer> {
        let (Some(_), Some(request_uri)) = (&site.dials.pushed, asked.one("request_uri")) else {
            return Ok(asked);
        };
        let page = |why: &str| consent::error_page(400, why);
        let kept = Parameters::parse(site.dials.authorization_query.as_bytes());
        let expected = |name: &str| name == "client_id" || name == "request_uri" || kept.one(name).is_some();
        if let Some((name, _)) = asked.0.iter().find(|(name, _)| !expected(name)) {
            return Err(page(&format!("Beside a request_uri there is {name}, which was to be pushed.")));
        }
        let pushed = self.pushed.remove(request_uri);
        let pushed = pushed.ok_or_else(|| page("The request_uri is not known, or was used before."))?;
        if asked.one("client_id") != Some(&pushed.client_id) {
            return Err(page("The request_uri was given to another client."));
        }
        if pushed.expires <= now {
            return Err(page("The request_uri has expired."));
        }
        Ok(pushed.parameters)
    }
}
