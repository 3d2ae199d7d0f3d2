//! An authorization server: what it remembers, and which of its parts answers.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::client::Client;
use crate::device::DeviceCode;
use crate::documents::Site;
use crate::dpop::Proofs;
use crate::exchange::Effect;
use crate::message::{self, Answer, Asked};
use crate::pushed::PushedRequest;
use crate::refresh::RefreshToken;

/// One authorization server.
#[derive(Clone, Debug)]
pub(crate) struct AuthorizationServer {
    pub(crate) index: usize,
    /// Whether what is drawn has characters that some writers of JSON escape.
    escapes: bool,
    pub(crate) drawn: u64,
    /// Clients that registered themselves, by `client_id`.
    pub(crate) clients: BTreeMap<String, Client>,
    /// Authorization requests that wait for a person, by the ticket in the consent form.
    pub(crate) pending: BTreeMap<String, Request>,
    /// Authorization requests that were pushed, by their `request_uri`.
    pub(crate) pushed: BTreeMap<String, PushedRequest>,
    /// Devices that wait for their person, by the device code.
    pub(crate) devices: BTreeMap<String, DeviceCode>,
    /// The assertions that were used, by issuer and `jti`.
    pub(crate) assertions: BTreeSet<String>,
    pub(crate) proofs: Proofs,
    pub(crate) codes: BTreeMap<String, Code>,
    pub(crate) access: BTreeMap<String, AccessToken>,
    pub(crate) refresh: BTreeMap<String, RefreshToken>,
    /// Grants that were revoked with everything that came of them.
    pub(crate) revoked: BTreeSet<u64>,
    /// What the request that is being answered did.
    pub(crate) effect: Effect,
}

/// An authorization request that is in order.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) client_id: String,
    pub(crate) client_name: String,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) challenge: String,
    pub(crate) plain: bool,
    /// The audience of the tokens to come.
    pub(crate) resource: String,
    /// The `resource` parameter, as it was sent.
    pub(crate) asked_resource: Option<String>,
    pub(crate) scopes: Vec<String>,
    pub(crate) lasting: Lasting,
    /// The thumbprint of the key that the code is bound to (RFC 9449 §10).
    pub(crate) key: Option<String>,
}

/// What of an authorization request asks for a refresh token, besides its scopes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lasting {
    /// `prompt=consent` (OpenID Connect Core §11).
    pub(crate) consent: bool,
    /// `access_type=offline`, which no standard has.
    pub(crate) offline: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Code {
    pub(crate) request: Request,
    pub(crate) expires: u64,
    /// The grant that came of it, once it was spent; a failed attempt spends it too.
    pub(crate) spent: Option<u64>,
}

/// What a token stands for.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// All tokens that came of one consent share it.
    pub(crate) family: u64,
    pub(crate) client_id: String,
    pub(crate) resource: String,
    pub(crate) asked_resource: Option<String>,
    pub(crate) scopes: Vec<String>,
    /// The thumbprint of the key that access tokens are bound to, and the refresh tokens of a public client (RFC 9449 §5).
    pub(crate) key: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct AccessToken {
    pub(crate) grant: Grant,
    pub(crate) expires: u64,
}

impl AuthorizationServer {
    pub(crate) fn new(index: usize, escapes: bool) -> Self {
        Self {
            index,
            escapes,
            drawn: 0,
            clients: BTreeMap::new(),
            pending: BTreeMap::new(),
            pushed: BTreeMap::new(),
            devices: BTreeMap::new(),
            assertions: BTreeSet::new(),
            proofs: Proofs::new(format!("authorization server {index}")),
            codes: BTreeMap::new(),
            access: BTreeMap::new(),
            refresh: BTreeMap::new(),
            revoked: BTreeSet::new(),
            effect: Effect::default(),
        }
    }

    /// A number never given before.
    pub(crate) fn count(&mut self) -> u64 {
        self.drawn = self.drawn.saturating_add(1);
        self.drawn
    }

    /// A value never given before. It looks like a random one and is not: the world must give the same again.
    pub(crate) fn draw(&mut self, kind: &str) -> String {
        let count = self.count();
        let digest = Sha256::digest(format!("{kind} {count} of authorization server {}", self.index));
        if self.escapes {
            // Of the other alphabet of RFC 4648, with both characters that are escaped somewhere.
            return format!("{kind}+/{}", STANDARD.encode(digest));
        }
        format!("{kind}_{}", URL_SAFE_NO_PAD.encode(digest))
    }

    /// Answers what goes to an endpoint; `None` where there is none.
    pub(crate) fn answer(&mut self, site: Site<'_>, now: u64, url: &str, request: &Asked) -> Option<Answer> {
        if let (true, Some(status)) =
            (site.left_token_endpoint(self.index) == url, site.dials.token_endpoint_moved)
        {
            return Some(message::text(status, "There is no token endpoint here any more."));
        }
        let names = [
            "authorize",
            "token",
            "register",
            "revoke",
            "consent",
            "jwks",
            "par",
            "device_authorization",
            "device",
        ];
        let name = names.into_iter().find(|name| site.endpoint(self.index, name) == url)?;
        let method = request.method();
        match name {
            "authorize" if method == Method::GET || method == Method::POST => {
                Some(self.authorize(site, now, request))
            }
            "jwks" if method == Method::GET => Some(message::json(200, &json!({ "keys": [] }))),
            "consent" if method == Method::POST => Some(self.consent(site, now, request)),
            "token" if method == Method::POST => Some(self.token(site, now, request)),
            "register" if method == Method::POST => self.register(site, now, request),
            "par" if method == Method::POST => self.push(site, now, request),
            "device_authorization" if method == Method::POST => self.device(site, now, request),
            "device" if method == Method::GET || method == Method::POST => {
                self.device_page(site, now, request)
            }
            "revoke" if !site.dials.revocation => None,
            "revoke" if method == Method::POST => Some(self.revoke(site, now, request)),
            "par" if site.dials.pushed.is_none() => None,
            "device_authorization" | "device" if site.dials.device.is_none() => None,
            _ => Some(message::text(405, "This endpoint does not take this method.")),
        }
    }

    /// What an access token stands for, if it is one and has not expired.
    pub(crate) fn access(&self, token: &str, now: u64) -> Option<&Grant> {
        self.access.get(token).filter(|token| now < token.expires).map(|token| &token.grant)
    }

    pub(crate) fn expire_access_tokens(&mut self) {
        self.access.values_mut().for_each(|token| token.expires = 0);
    }

    pub(crate) fn revoke_everything(&mut self) {
        self.revoked.extend(self.refresh.values().map(|token| token.grant.family));
        self.access.clear();
        self.codes.clear();
        self.pending.clear();
        self.pushed.clear();
        self.devices.clear();
    }

    pub(crate) fn purge_clients(&mut self) {
        self.clients.clear();
    }

    pub(crate) fn expire_client_secrets(&mut self) {
        self.clients.values_mut().for_each(|client| client.secret_expires = Some(1));
    }
}
