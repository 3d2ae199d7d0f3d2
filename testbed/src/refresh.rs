//! Refresh tokens: what they give, and what becomes of them (RFC 6749 §6, OAuth 2.1 §4.3).

use crate::authorization_server::{AuthorizationServer, Grant};
use crate::dials::Rotation;
use crate::documents::Site;
use crate::dpop::INVALID_PROOF;
use crate::message;
use crate::token::{Issued, Refused, TokenRequest, refused, same_resource};

#[derive(Clone, Debug)]
pub(crate) struct RefreshToken {
    pub(crate) grant: Grant,
    /// Later tokens have larger numbers.
    number: u64,
    expires: Option<u64>,
    standing: Standing,
    /// When it was first exchanged for another.
    retired: Option<u64>,
}

/// Where a refresh token stands in the line of its grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Current,
    /// The one before the current one.
    Previous,
    Spent,
}

/// Why a refresh token is not accepted.
struct Dead {
    why: &'static str,
    /// Whether it was used before and must now be in two hands, so that its grant ends.
    stolen: bool,
}

impl AuthorizationServer {
    /// A refresh token for new tokens.
    pub(crate) fn renew(
        &mut self,
        site: Site<'_>,
        now: u64,
        request: &TokenRequest<'_>,
    ) -> Result<Issued, Refused> {
        let TokenRequest { client, form, key } = request;
        let text =
            form.one("refresh_token").ok_or_else(|| refused("invalid_request", "There is no token."))?;
        let dead = |why: &str| Refused {
            status: site.dials.dead_refresh_status,
            error: site.dials.dead_refresh_error.clone(),
            why: site.dials.dead_refresh_description.clone().unwrap_or_else(|| why.to_owned()),
        };
        // The whole text, byte for byte: what merely looks like a token that was used is no token.
        let token = self.refresh.get(text).cloned().ok_or_else(|| dead("The refresh token is not known."))?;
        if token.grant.client_id != client.id {
            return Err(dead("The refresh token was given to another client."));
        }
        if let Err(Dead { why, stolen }) = self.accepted(site, now, &token) {
            if stolen {
                self.end_family(site, now, token.grant.family);
            }
            return Err(dead(why));
        }
        // The refresh token of a public client is bound to the key (RFC 9449 §5), that of another to its authentication.
        if let (true, Some(bound)) = (client.is_public(), &token.grant.key)
            && key.as_ref() != Some(bound)
        {
            let error = if key.is_none() { INVALID_PROOF } else { "invalid_grant" };
            return Err(refused(error, "The refresh token is bound to a key, and this is no proof of it."));
        }
        same_resource(site, form, &token.grant.resource, token.grant.asked_resource.as_deref())?;
        let mut token = token;
        token.grant.key = key.clone();
        let mut grant = token.grant.clone();
        if let Some(scope) = form.one("scope") {
            let narrowed = message::words(scope);
            if !narrowed.iter().all(|scope| grant.scopes.contains(scope)) {
                return Err(refused("invalid_scope", "A scope was not granted before (RFC 6749 §6)."));
            }
            grant.scopes = narrowed;
        }
        if site.dials.refresh_ends_access {
            self.access.retain(|_, token| token.grant.family != grant.family);
        }
        let refresh = match site.dials.rotation {
            Rotation::None => None,
            Rotation::Repeated => Some(text.to_owned()),
            Rotation::Single | Rotation::Strict | Rotation::Grace | Rotation::TimeGrace(_) => {
                self.retire(site, now, text, token.grant.family);
                // The refresh token keeps the scopes of the grant (RFC 6749 §6).
                Some(self.issue_refresh(site, now, token.grant))
            }
        };
        self.effect.successor = Some(refresh.clone().unwrap_or_else(|| text.to_owned()));
        Ok(self.issue(site, now, grant, refresh))
    }

    /// Whether the client of a refresh token could use it now.
    fn accepted(&self, site: Site<'_>, now: u64, token: &RefreshToken) -> Result<(), Dead> {
        let dead = |why| Err(Dead { why, stolen: false });
        let stolen =
            || Err(Dead { why: "The refresh token was used before. The grant is revoked.", stolen: true });
        if self.revoked.contains(&token.grant.family) {
            return dead("The grant was revoked.");
        }
        if token.expires.is_some_and(|end| end <= now) {
            return dead("The refresh token has expired.");
        }
        match (site.dials.rotation, token.standing) {
            (Rotation::None | Rotation::Repeated, _)
            | (_, Standing::Current)
            | (Rotation::Grace, Standing::Previous) => Ok(()),
            (Rotation::Grace, Standing::Spent) | (Rotation::Single, Standing::Previous | Standing::Spent) => {
                dead("The refresh token was used before.")
            }
            (Rotation::Strict, Standing::Previous | Standing::Spent) => stolen(),
            (Rotation::TimeGrace(seconds), Standing::Previous | Standing::Spent) => {
                if token.retired.is_some_and(|retired| now < retired.saturating_add(seconds)) {
                    Ok(())
                } else {
                    stolen()
                }
            }
        }
    }

    /// The token that was used becomes the one before the next. Where there is one line of tokens, any other of the
    /// grant is spent.
    fn retire(&mut self, site: Site<'_>, now: u64, used: &str, family: u64) {
        let one_line = matches!(site.dials.rotation, Rotation::Strict | Rotation::Grace);
        for (text, token) in &mut self.refresh {
            let own = token.grant.family == family;
            if own && text == used {
                token.standing = Standing::Previous;
                token.retired.get_or_insert(now);
            } else if own && one_line {
                token.standing = Standing::Spent;
                token.retired.get_or_insert(now);
            }
        }
    }

    pub(crate) fn issue_refresh(&mut self, site: Site<'_>, now: u64, grant: Grant) -> String {
        let text = self.draw("refresh");
        let number = self.drawn;
        let expires = site.dials.refresh_lifetime.map(|life| now.saturating_add(life));
        let token = RefreshToken { grant, number, expires, standing: Standing::Current, retired: None };
        self.refresh.insert(text.clone(), token);
        text
    }

    /// The refresh tokens that would be accepted now, of one grant or of all, in the order in which they were issued.
    pub(crate) fn accepted_refresh_tokens(
        &self,
        site: Site<'_>,
        now: u64,
        family: Option<u64>,
    ) -> Vec<String> {
        let mut found: Vec<(u64, &String)> = self
            .refresh
            .iter()
            .filter(|(_, token)| family.is_none_or(|family| token.grant.family == family))
            .filter(|(_, token)| self.client(site, &token.grant.client_id).is_ok())
            .filter(|(_, token)| self.accepted(site, now, token).is_ok())
            .map(|(text, token)| (token.number, text))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, text)| text.clone()).collect()
    }
}
