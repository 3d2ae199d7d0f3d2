//! The authorization endpoint (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2.1, RFC 9207 §2).

use http::Method;
use url::Url;

use crate::authorization_server::{AuthorizationServer, Code, Lasting, Request};
use crate::client::Client;
use crate::consent::{self, Shown};
use crate::dials::{
    ChallengeMethods, Consent, DocumentFetch, Iss, Person, ResourceParameter, ScopeMissing, ScopeUnknown,
    StateEcho,
};
use crate::documents::Site;
use crate::mcp::TOOLS;
use crate::message::{self, Answer, Asked, Parameters};

/// Why an authorization request fails: the error and its description.
pub(crate) type Refused = (&'static str, String);

/// Where the answer goes, and the `state` it carries.
pub(crate) struct Return {
    redirect_uri: String,
    state: Option<String>,
}

impl Site<'_> {
    /// Every scope that means something here.
    pub(crate) fn known_scopes(&self) -> Vec<String> {
        let mut known = self.dials.required_scopes.clone();
        known.extend(self.dials.server_scopes.iter().flatten().cloned());
        known.extend(self.dials.resource_scopes.iter().flatten().cloned());
        known.extend(TOOLS.iter().filter_map(|tool| tool.scope).map(str::to_owned));
        known
    }
}

impl AuthorizationServer {
    pub(crate) fn authorize(&mut self, site: Site<'_>, now: u64, request: &Asked) -> Answer {
        let mut asked = Parameters::of_query(request);
        if request.method() == Method::POST {
            asked.0.extend(Parameters::of_form(request).unwrap_or_default().0);
        }
        let whole = keeps_query(site, &asked);
        let pushed = asked.one("request_uri").is_some();
        asked = match self.pulled(site, now, asked) {
            Ok(asked) => asked,
            Err(page) => return page,
        };
        let (client, back) = match self.addressee(site, &asked) {
            Ok(found) => found,
            Err(why) => return self.unaddressed(site, &asked, &why),
        };
        if !whole {
            return consent::error_page(400, "The query of the authorization endpoint was lost.");
        }
        let scopes = message::words(asked.one("scope").unwrap_or_default());
        if let Some(scope) = scopes.iter().find(|scope| site.dials.forbidden_scopes.contains(scope)) {
            return consent::error_page(400, &format!("The client is not allowed to use {scope}."));
        }
        if !pushed && site.dials.pushed.as_ref().is_some_and(|dials| dials.required) {
            let why = "Authorization requests are to be pushed (RFC 9126 §4).";
            let error = [("error", "invalid_request"), ("error_description", why)];
            return self.send_back(site, 302, &back, &error);
        }
        let request = match checked(site, &client, &back, &asked) {
            Ok(request) => request,
            Err((error, why)) => {
                return self.send_back(site, 302, &back, &[("error", error), ("error_description", &why)]);
            }
        };
        if let Some(error) = &site.dials.authorization_error {
            return self.send_back(site, 302, &back, &[("error", error)]);
        }
        match site.dials.consent {
            Consent::Automatic => self.decided(site, now, 302, request, site.dials.person != Person::Denies),
            Consent::Page => {
                let ticket = self.draw("ticket");
                let page = consent::page(&Shown {
                    client: &request.client_name,
                    redirect_uri: Some(&request.redirect_uri),
                    resource: &request.resource,
                    scopes: &request.scopes,
                    issuer: &site.own_issuer(self.index),
                    action: &site.endpoint(self.index, "consent"),
                    ticket: &ticket,
                });
                self.pending.insert(ticket, request);
                page
            }
        }
    }

    /// The answer of the person, from the consent page.
    pub(crate) fn consent(&mut self, site: Site<'_>, now: u64, request: &Asked) -> Answer {
        let form = Parameters::of_form(request).unwrap_or_default();
        let pending = form.one("request").and_then(|ticket| self.pending.remove(ticket));
        match pending {
            // 303 makes the browser go on with GET (RFC 9700 §4.12).
            Some(request) => self.decided(site, now, 303, request, form.one("decision") == Some("allow")),
            None => consent::error_page(400, "This page was answered before. Start again from the client."),
        }
    }

    fn decided(&mut self, site: Site<'_>, now: u64, status: u16, request: Request, allowed: bool) -> Answer {
        let back = Return { redirect_uri: request.redirect_uri.clone(), state: request.state.clone() };
        if !allowed {
            let error = [("error", "access_denied"), ("error_description", "The person denied.")];
            return self.send_back(site, status, &back, &error);
        }
        let code = self.draw("code");
        let expires = now.saturating_add(site.dials.code_lifetime);
        self.codes.insert(code.clone(), Code { request, expires, spent: None });
        self.send_back(site, status, &back, &[("code", &code)])
    }

    /// Client and redirect URI must be right before anything is sent to that URI (RFC 6749 §4.1.2.1).
    pub(crate) fn addressee(&self, site: Site<'_>, asked: &Parameters) -> Result<(Client, Return), String> {
        for name in ["client_id", "redirect_uri", "state"] {
            if asked.all(name).count() > 1 {
                return Err(format!("The request has {name} more than once."));
            }
        }
        let id = asked.one("client_id").ok_or("The request has no client_id.")?;
        let client = self.client(site, id)?;
        let redirect_uri = asked.one("redirect_uri").ok_or("The request has no redirect_uri.")?;
        let fits = |own: &String| {
            own == redirect_uri || (site.dials.any_loopback_port && same_but_port(own, redirect_uri))
        };
        if !client.redirect_uris.iter().any(fits) {
            return Err("The redirect URI is not registered for this client.".to_owned());
        }
        let back =
            Return { redirect_uri: redirect_uri.to_owned(), state: asked.one("state").map(str::to_owned) };
        Ok((client, back))
    }

    /// The answer where there is no client to answer to.
    fn unaddressed(&self, site: Site<'_>, asked: &Parameters, why: &str) -> Answer {
        if asked.one("client_id").is_some_and(|id| self.is_described(site, id)) {
            match (site.dials.client_document_fetch, asked.one("redirect_uri")) {
                (DocumentFetch::ServerError, _) => return message::text(500, "Internal Server Error"),
                (DocumentFetch::InvalidClientInCallback, Some(redirect_uri)) => {
                    let state = asked.one("state").map(str::to_owned);
                    let back = Return { redirect_uri: redirect_uri.to_owned(), state };
                    let error = [("error", "invalid_client"), ("error_description", why)];
                    return self.send_back(site, 302, &back, &error);
                }
                _ => {}
            }
        }
        consent::error_page(400, why)
    }

    /// The authorization response: a redirect with `state` and `iss` by their dials.
    fn send_back(&self, site: Site<'_>, status: u16, back: &Return, parameters: &[(&str, &str)]) -> Answer {
        let mut parameters = parameters.to_vec();
        match (site.dials.state, &back.state) {
            (StateEcho::Echoed, Some(state)) => parameters.push(("state", state)),
            (StateEcho::Changed, _) => parameters.push(("state", "another")),
            (StateEcho::Echoed, None) | (StateEcho::Dropped, _) => {}
        }
        let issuer = site.own_issuer(self.index);
        let slashed = format!("{issuer}/");
        let iss: &[&str] = match site.dials.iss {
            Iss::AdvertisedAndSent | Iss::SentOnly => &[&issuer],
            Iss::Absent | Iss::AdvertisedButMissing => &[],
            Iss::Wrong | Iss::WrongUnadvertised => &["https://evil.example"],
            Iss::TrailingSlash => &[&slashed],
            Iss::Twice => &[&issuer, &issuer],
        };
        parameters.extend(iss.iter().map(|iss| ("iss", *iss)));
        message::redirect(status, &message::with_query(&back.redirect_uri, &parameters))
    }
}

/// A request that is in order, but for the query of the endpoint that it came to.
pub(crate) fn checked(
    site: Site<'_>,
    client: &Client,
    back: &Return,
    asked: &Parameters,
) -> Result<Request, Refused> {
    let invalid = |why: &str| ("invalid_request", why.to_owned());
    if let Some(name) = asked.repeated() {
        return Err(invalid(&format!("{name} is there more than once.")));
    }
    if let Some((name, value)) = &site.dials.required_parameter
        && asked.one(name) != Some(value)
    {
        return Err(invalid(&format!("{name} is needed.")));
    }
    match asked.one("response_type") {
        Some("code") => {}
        Some(_) => {
            return Err(("unsupported_response_type", "Only code is supported.".to_owned()));
        }
        None => return Err(invalid("There is no response_type.")),
    }
    let (challenge, plain) = code_challenge(site, asked).map_err(invalid)?;
    let asked_resource = asked.one("resource").map(str::to_owned);
    let resource = audience(site, asked).map_err(|why| ("invalid_target", why))?;
    let scopes = scopes(site, client, asked).map_err(|why| ("invalid_scope", why))?;
    let lasting = Lasting {
        consent: message::words(asked.one("prompt").unwrap_or_default()).iter().any(|it| it == "consent"),
        offline: asked.one("access_type") == Some("offline"),
    };
    let binds = site.dials.dpop.as_ref().is_some_and(|dials| dials.binds);
    Ok(Request {
        client_id: client.id.clone(),
        client_name: client.name.clone(),
        redirect_uri: back.redirect_uri.clone(),
        state: back.state.clone(),
        challenge,
        plain,
        resource,
        asked_resource,
        scopes,
        lasting,
        key: asked.one("dpop_jkt").filter(|_| binds).map(str::to_owned),
    })
}

/// The query of the authorization endpoint must come back (RFC 6749 §3.1).
fn keeps_query(site: Site<'_>, asked: &Parameters) -> bool {
    let kept = Parameters::parse(site.dials.authorization_query.as_bytes());
    kept.0.iter().all(|(name, value)| asked.one(name) == Some(value))
}

fn code_challenge(site: Site<'_>, asked: &Parameters) -> Result<(String, bool), &'static str> {
    let challenge = asked.one("code_challenge").ok_or("There is no code_challenge.")?;
    // 43 characters are the SHA-256 of a verifier, and the least a plain one may have (RFC 7636 §4.2).
    let length_fits = match asked.one("code_challenge_method") {
        Some("S256") => challenge.len() == 43,
        _ => (43..=128).contains(&challenge.len()),
    };
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if !length_fits || !challenge.bytes().all(unreserved) {
        return Err("The code_challenge has a form that none can have.");
    }
    let plain = asked.one("code_challenge_method").unwrap_or("plain") == "plain";
    let s256 = asked.one("code_challenge_method") == Some("S256");
    let accepted = match site.dials.challenge_methods {
        ChallengeMethods::S256 | ChallengeMethods::Empty | ChallengeMethods::Absent => s256,
        ChallengeMethods::PlainAndS256 => plain || s256,
        ChallengeMethods::PlainOnly => plain,
    };
    if accepted {
        Ok((challenge.to_owned(), plain))
    } else {
        Err("The code_challenge_method is not accepted.")
    }
}

/// The audience that a request asks tokens for (RFC 8707 §2).
pub(crate) fn audience(site: Site<'_>, asked: &Parameters) -> Result<String, String> {
    let values: Vec<&str> = asked.all("resource").filter(|value| !value.is_empty()).collect();
    let known = site.resources();
    let one = match values.as_slice() {
        [] => None,
        [one] => Some(*one),
        _ => return Err("There is more than one resource.".to_owned()),
    };
    let named = |value: &str| {
        if known.iter().any(|own| own == value) {
            Ok(value.to_owned())
        } else {
            Err("The resource is not known here.".to_owned())
        }
    };
    let own = site.resource();
    match (&site.dials.resource_parameter, one) {
        (ResourceParameter::Ignored, _) => Ok(own),
        (ResourceParameter::Refused, Some(_)) => Err("The resource parameter is not taken.".to_owned()),
        (ResourceParameter::Refused | ResourceParameter::Optional, None) => Ok(own),
        (ResourceParameter::Required | ResourceParameter::Optional, Some(value)) => named(value),
        (ResourceParameter::Required, None) if site.is_own_authorization_server() => Ok(site.server_url()),
        (ResourceParameter::Required, None) => Err("There is no resource.".to_owned()),
        (ResourceParameter::Only(text), Some(value)) if text == value => Ok(own),
        (ResourceParameter::Only(_), _) => Err("The resource is not that of the application.".to_owned()),
    }
}

pub(crate) fn scopes(site: Site<'_>, client: &Client, asked: &Parameters) -> Result<Vec<String>, String> {
    let asked = message::words(asked.one("scope").unwrap_or_default());
    if asked.is_empty() {
        return match site.dials.scope_missing {
            ScopeMissing::Defaulted => Ok(site.dials.required_scopes.clone()),
            ScopeMissing::Refused => Err("There is no scope.".to_owned()),
            ScopeMissing::Unexchangeable => Ok(Vec::new()),
        };
    }
    let known = site.known_scopes();
    let mut scopes: Vec<String> = Vec::new();
    for scope in asked {
        if client.scopes.as_ref().is_some_and(|bound| !bound.contains(&scope)) {
            return Err(format!("The client is not registered for {scope}."));
        }
        match (known.contains(&scope), site.dials.scope_unknown) {
            (true, _) if scopes.contains(&scope) => {}
            (true, _) => scopes.push(scope),
            (false, ScopeUnknown::Dropped) => {}
            (false, ScopeUnknown::Refused) => return Err(format!("The scope {scope} is not known here.")),
        }
    }
    if let Some(granted) = &site.dials.granted_scopes {
        scopes.retain(|scope| granted.contains(scope));
    }
    Ok(scopes)
}

/// Whether two URIs are loopback addresses that differ in the port only (RFC 8252 §7.3).
fn same_but_port(registered: &str, asked: &str) -> bool {
    let (Ok(mut registered), Ok(mut asked)) = (Url::parse(registered), Url::parse(asked)) else {
        return false;
    };
    let loopback = matches!(asked.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    let cleared = registered.set_port(None).is_ok() && asked.set_port(None).is_ok();
    loopback && cleared && asked.scheme() == "http" && registered == asked
}
