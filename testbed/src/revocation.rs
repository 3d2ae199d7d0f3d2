//! The revocation endpoint (RFC 7009), and the end of grants.

use crate::authentication::{error_status, invalid_client, shown};
use crate::authorization_server::{AuthorizationServer, Grant};
use crate::dials::Revokes;
use crate::documents::Site;
use crate::message::{self, Answer, Asked};

impl AuthorizationServer {
    /// RFC 7009 §2.1. A token that is not known is as good as revoked.
    pub(crate) fn revoke(&mut self, site: Site<'_>, now: u64, request: &Asked) -> Answer {
        let (client, form) = match self.authenticated_form(site, now, request) {
            Ok(found) => found,
            Err(answer) => return answer,
        };
        if let Some(methods) = &site.dials.revocation_auth_methods {
            match shown(site, request, &form) {
                Ok(shown) if methods.iter().any(|own| own == shown.method) => {}
                Ok(_) => return invalid_client(site, request, "The client is to authenticate to revoke."),
                Err(answer) => return answer,
            }
        }
        let Some(token) = form.one("token") else {
            return message::oauth_error(400, "invalid_request", "There is no token.");
        };
        let own = |grant: &Grant| (grant.client_id == client.id).then_some(grant.family);
        if let Some(family) = self.refresh.get(token).and_then(|token| own(&token.grant)) {
            match site.dials.revokes {
                Revokes::RefreshTokenWithGrant | Revokes::Grant => self.end_family(site, now, family),
                Revokes::Named => self.end_refresh(site, now, token, family),
            }
        } else if let Some(family) = self.access.get(token).and_then(|token| own(&token.grant)) {
            if site.dials.revocation_refuses_access {
                let why = "Access tokens cannot be revoked here.";
                return message::oauth_error(error_status(site, 400), "unsupported_token_type", why);
            }
            match site.dials.revokes {
                Revokes::RefreshTokenWithGrant | Revokes::Named => self.end_access(now, token),
                Revokes::Grant => self.end_family(site, now, family),
            }
        }
        message::body(200, "application/json", Vec::new())
    }

    /// Ends everything that came of one consent.
    pub(crate) fn end_family(&mut self, site: Site<'_>, now: u64, family: u64) {
        let mut ended = self.accepted_refresh_tokens(site, now, Some(family));
        self.revoked.insert(family);
        self.access.retain(|text, token| {
            let own = token.grant.family == family;
            if own && now < token.expires {
                ended.push(text.clone());
            }
            !own
        });
        self.effect.revoked.extend(ended);
    }

    fn end_refresh(&mut self, site: Site<'_>, now: u64, token: &str, family: u64) {
        let live = self.accepted_refresh_tokens(site, now, Some(family)).iter().any(|own| own == token);
        self.effect.revoked.extend(live.then(|| token.to_owned()));
        self.refresh.remove(token);
    }

    fn end_access(&mut self, now: u64, token: &str) {
        let ended = self.access.remove(token).filter(|token| now < token.expires);
        self.effect.revoked.extend(ended.map(|_| token.to_owned()));
    }
}
