//! Proofs of possession, judged (RFC 9449 §4.3), and the nonces that servers want in them (§8 and §9).

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderName, Uri};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::authentication::error_status;
use crate::authorization_server::AuthorizationServer;
use crate::client::Client;
use crate::dials::{Dpop, Nonces};
use crate::documents::Site;
use crate::jwt::Jwt;
use crate::key;
use crate::message::{self, Answer, Asked};

pub(crate) const INVALID_PROOF: &str = "invalid_dpop_proof";
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// What one server remembers of the proofs it saw.
#[derive(Clone, Debug)]
pub(crate) struct Proofs {
    /// Whose they are: nonces of one server are none of another.
    owner: String,
    /// The `jti` of each proof whose signature was right.
    seen: BTreeSet<String>,
    /// How many nonces were given up.
    drawn: u64,
}

/// Why a proof is not taken.
pub(crate) struct Unproven {
    pub(crate) error: &'static str,
    pub(crate) why: String,
    /// The nonce that the next proof is to have.
    pub(crate) nonce: Option<String>,
}

impl Proofs {
    pub(crate) fn new(owner: String) -> Self {
        Self { owner, seen: BTreeSet::new(), drawn: 0 }
    }

    /// The thumbprint of the key whose possession a request proves; `None` if it does not try to. `token` is the access
    /// token that goes with it.
    pub(crate) fn judge(
        &mut self,
        dials: &Dpop,
        nonces: Nonces,
        now: u64,
        request: &Asked,
        token: Option<&str>,
    ) -> Result<Option<String>, Unproven> {
        let mut proofs = request.headers().get_all("dpop").iter();
        let Some(proof) = proofs.next() else { return Ok(None) };
        if proofs.next().is_some() {
            return Err(invalid("There is more than one proof."));
        }
        let proof = proof.to_str().map_err(|_| invalid("The proof is no text."))?;
        let jwt = Jwt::parse(proof).map_err(|why| invalid(&why))?;
        let thumbprint = signed(dials, &jwt).map_err(|why| invalid(&why))?;
        about(dials, now, request, token, &jwt).map_err(|why| invalid(&why))?;
        let id = jwt.text("jti").ok_or_else(|| invalid("The proof has no jti."))?;
        if !self.seen.insert(id.to_owned()) {
            return Err(invalid("The proof was used before."));
        }
        let wanted = self.nonce(nonces, now);
        let satisfied = nonces != Nonces::Unsatisfiable && jwt.text("nonce") == wanted.as_deref();
        if wanted.is_none() || satisfied {
            return Ok(Some(thumbprint));
        }
        if nonces == Nonces::Unsatisfiable {
            self.drawn = self.drawn.saturating_add(1);
        }
        let why = "The proof is to have the nonce of this answer.".to_owned();
        Err(Unproven { error: "use_dpop_nonce", why, nonce: self.nonce(nonces, now) })
    }

    /// Adds the next nonce to a good answer, where each brings one.
    pub(crate) fn rotate(&mut self, nonces: Nonces, now: u64, answer: &mut Answer) {
        if nonces == Nonces::Rotating {
            self.drawn = self.drawn.saturating_add(1);
            give(answer, self.nonce(nonces, now).as_deref());
        }
    }

    fn nonce(&self, nonces: Nonces, now: u64) -> Option<String> {
        let number = match nonces {
            Nonces::None => return None,
            Nonces::Required => 0,
            Nonces::Rotating | Nonces::Unsatisfiable => self.drawn,
            Nonces::Timed(seconds) => now / seconds.max(1),
        };
        let digest = Sha256::digest(format!("nonce {number} of {}", self.owner));
        Some(format!("nonce_{}", URL_SAFE_NO_PAD.encode(digest)))
    }
}

impl AuthorizationServer {
    /// The thumbprint of the key that tokens are to be bound to, if the request proves one.
    pub(crate) fn proven(
        &mut self,
        site: Site<'_>,
        now: u64,
        request: &Asked,
        client: Option<&Client>,
    ) -> Result<Option<String>, Answer> {
        let Some(dials) = site.dials.dpop.as_ref().filter(|dials| dials.binds) else { return Ok(None) };
        let judged = self.proofs.judge(dials, dials.server_nonces, now, request, None);
        let judged = judged.and_then(|key| {
            let bound = client.is_some_and(|client| client.bound);
            if key.is_none() && bound {
                return Err(invalid("The client registered to use bound access tokens only."));
            }
            Ok(key)
        });
        judged.map_err(|unproven| {
            let mut answer = message::oauth_error(error_status(site, 400), unproven.error, &unproven.why);
            give(&mut answer, unproven.nonce.as_deref());
            answer
        })
    }
}

/// Adds `DPoP-Nonce`.
pub(crate) fn give(answer: &mut Answer, nonce: Option<&str>) {
    if let Some(nonce) = nonce {
        message::set(answer, NONCE, nonce);
    }
}

fn invalid(why: &str) -> Unproven {
    Unproven { error: INVALID_PROOF, why: why.to_owned(), nonce: None }
}

/// What the header must be, and the thumbprint of the key in it.
fn signed(dials: &Dpop, jwt: &Jwt) -> Result<String, String> {
    if jwt.typ() != Some("dpop+jwt") {
        return Err("The typ of the proof is to be dpop+jwt.".to_owned());
    }
    let key = jwt.header("jwk").ok_or("The header of the proof has no jwk.")?;
    if key::is_private(key) {
        return Err("The jwk of the proof is a private key.".to_owned());
    }
    jwt.signed_by(std::slice::from_ref(key), &dials.algorithms)?;
    key::thumbprint(key).ok_or_else(|| "The jwk of the proof lacks a member.".to_owned())
}

/// Whether it was made for this request and about now.
fn about(dials: &Dpop, now: u64, request: &Asked, token: Option<&str>, jwt: &Jwt) -> Result<(), String> {
    if jwt.text("htm") != Some(request.method().as_str()) {
        return Err(format!("The htm of the proof is to be {}.", request.method()));
    }
    if !jwt.text("htu").is_some_and(|htu| same_target(htu, request.uri())) {
        return Err("The htu of the proof is to be the URL of the request, without its query.".to_owned());
    }
    let made = jwt.claim("iat").and_then(Value::as_u64).ok_or("The proof has no iat.")?;
    if made.abs_diff(now) > dials.window {
        return Err("The iat of the proof is too far from now.".to_owned());
    }
    let hash = token.map(|token| URL_SAFE_NO_PAD.encode(Sha256::digest(token)));
    if hash.is_some() && jwt.text("ath") != hash.as_deref() {
        return Err("The ath of the proof is not the hash of the access token.".to_owned());
    }
    Ok(())
}

/// RFC 9449 §4.3: compared after normalization; `htu` has neither query nor fragment (§4.2).
fn same_target(htu: &str, uri: &Uri) -> bool {
    let (Ok(stated), Ok(mut target)) = (Url::parse(htu), Url::parse(&uri.to_string())) else { return false };
    target.set_query(None);
    target.set_fragment(None);
    stated == target
}
