//! What requests carry and answers bring: each secret has a home, and goes nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode, header};
use url::Url;

use super::consent::Pushed;
use super::documents::{members, parameters};
use super::secrets::{Home, Sort};
use super::{Redirect, Watch, same_url};
use crate::action::{Purpose, Send};
use crate::credential::Credential;
use crate::event::Response;

impl Watch {
    pub(super) fn answered(&mut self, purpose: Purpose, method: &Method, url: &str, response: &Response) {
        if response.status.is_redirection() {
            let from = Url::parse(url).ok();
            let target = response.fields.get(header::LOCATION).and_then(|value| value.to_str().ok());
            let to = from.as_ref().zip(target).and_then(|(from, target)| from.join(target).ok());
            self.redirect =
                from.zip(to).map(|(from, to)| Redirect { from, to, with_body: *method != Method::GET });
        }
        self.proofs.gave(url, &response.fields);
        self.documents.looks(purpose, Some(response));
        self.documents.missing |= purpose == Purpose::ServerMetadata;
        match purpose {
            Purpose::ServerMetadata if response.status == StatusCode::OK => {
                // A document that has moved within its origin is as good as where it was looked for.
                let moved = self.moved.as_ref().filter(|(to, _)| to.as_str() == url);
                let url = moved.map_or(url, |(_, first)| first.as_str());
                self.documents.read(url, &response.body)
            }
            Purpose::Registration => {
                let issuer = self.documents.registered_at(url).or_else(|| self.bounds.registered_at(url));
                if let Some(issuer) = &issuer {
                    for client_id in members(&response.body, "client_id") {
                        self.clients.learn(&client_id, Home::Issuer(issuer.clone()));
                    }
                }
                let home = issuer.map_or(Home::Anywhere, Home::Issuer);
                for secret in members(&response.body, "client_secret") {
                    self.secrets.learn(Sort::ClientSecret, &secret, home.clone());
                }
            }
            Purpose::Token | Purpose::Refresh => {
                let wants_nonce = members(&response.body, "error").iter().any(|it| it == "use_dpop_nonce");
                if wants_nonce && purpose == Purpose::Token {
                    self.wants_nonce();
                }
                self.binds(&response.body);
                if purpose == Purpose::Refresh {
                    self.spent(response.status, &response.body);
                }
                self.holding.given(&members(&response.body, "refresh_token"));
                for (name, sort) in [
                    ("access_token", Sort::AccessToken),
                    ("refresh_token", Sort::RefreshToken),
                    ("id_token", Sort::IdToken),
                ] {
                    for secret in members(&response.body, name) {
                        self.secrets.learn(sort, &secret, Home::Endpoint(url.to_owned()));
                    }
                }
            }
            Purpose::TokenExchange => self.exchanged_identity(&response.body),
            Purpose::DeviceAuthorization => self.given_codes(url, &response.body),
            Purpose::PushedAuthorization => self.pushed.answered(url, &response.body),
            Purpose::ServerMetadata | Purpose::ResourceMetadata | Purpose::Revocation => {}
        }
    }

    pub(super) fn credential(&mut self, credential: &Credential) {
        let home = Home::Endpoint(credential.authorization_server.token_endpoint.clone());
        self.secrets.learn(Sort::AccessToken, credential.access_token.expose(), home.clone());
        if credential.binding.is_some() {
            self.proofs.bind(credential.access_token.expose());
        }
        if let Some(token) = &credential.refresh_token {
            self.secrets.learn(Sort::RefreshToken, token.expose(), home);
        }
        let server = &credential.authorization_server;
        self.client_secret(server, credential.client.secret.as_ref());
        self.documents.remember(server);
    }

    /// The secrets in a request's body and `Authorization` field, and whether this is their place.
    pub(super) fn carried(&mut self, send: &Send, url: &str) {
        let request = send.request();
        let body = String::from_utf8_lossy(request.body()).into_owned();
        self.asks_for(&parameters(&body));
        if send.purpose() == Purpose::Token {
            self.exchanged(&parameters(&body), url);
        }
        if send.purpose() == Purpose::Refresh {
            self.spends(&parameters(&body));
        }
        if send.purpose() == Purpose::PushedAuthorization {
            self.pushed = Pushed::of(parameters(&body));
            let state = self.pushed.parameter("state").unwrap_or_default().to_owned();
            if let Some(issuer) = self.documents.issuer_pushed_to(url) {
                self.secrets.learn(Sort::State, &state, Home::Issuer(issuer));
            }
        }
        let pushes = send.purpose() == Purpose::PushedAuthorization;
        let codes = send.purpose() == Purpose::DeviceAuthorization;
        let known = (!pushes || self.documents.issuer_pushed_to(url).is_some())
            && (!codes || self.documents.asked_with_codes_of(url).is_some());
        if !known {
            self.breach(format!("a request for {:?} goes where no server takes one", send.purpose()));
        }
        self.proves(send, &parameters(&body), url);
        let field = request.headers().get(header::AUTHORIZATION);
        let field = field.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        self.introduces(send, &parameters(&body), &field, url);
        if let Some(credentials) = field.strip_prefix("Basic ") {
            // As they stand they are as good as what they encode. An empty secret is none.
            let decoded = STANDARD.decode(credentials).unwrap_or_default();
            let credentials = if decoded.ends_with(b":") { "" } else { credentials };
            self.secrets.learn(Sort::ClientSecret, credentials, Home::Endpoint(url.to_owned()));
        }
        let mut carried: Vec<_> =
            self.secrets.in_text(&body).into_iter().map(|found| (found, false)).collect();
        carried.extend(self.secrets.in_authorization(&field).into_iter().map(|found| (found, true)));
        let (mut wrong, mut right, mut misplaced) = (Vec::new(), Vec::new(), Vec::new());
        for (known, in_field) in carried {
            let (sort, homes) = (known.sort, &known.homes);
            let fits = match (send.purpose(), sort) {
                (
                    Purpose::Token
                    | Purpose::Refresh
                    | Purpose::Revocation
                    | Purpose::PushedAuthorization
                    | Purpose::DeviceAuthorization
                    | Purpose::TokenExchange,
                    Sort::ClientSecret | Sort::ClientAssertion,
                ) => sort == Sort::ClientSecret || !in_field,
                (Purpose::Token, Sort::Assertion | Sort::DeviceCode) => !in_field,
                (Purpose::TokenExchange, Sort::IdentityAssertion) => !in_field,
                (Purpose::PushedAuthorization, Sort::State) => !in_field,
                (Purpose::Token, Sort::Code | Sort::CodeVerifier) => !in_field,
                (Purpose::Refresh, Sort::RefreshToken) => !in_field,
                (Purpose::Revocation, Sort::RefreshToken | Sort::AccessToken) => !in_field,
                (Purpose::Registration, Sort::InitialAccessToken) => in_field,
                (Purpose::Registration, Sort::SoftwareStatement) => !in_field,
                _ => false,
            };
            let at_home = homes.iter().any(|home| match home {
                Home::Endpoint(endpoint) if send.purpose() == Purpose::Revocation => {
                    self.documents.revokes_for_endpoint(endpoint, url)
                }
                Home::Issuer(issuer) if send.purpose() == Purpose::Revocation => {
                    self.documents.revokes_for(issuer, url)
                }
                Home::Endpoint(endpoint) => same_url(endpoint, url),
                Home::Issuer(issuer) if send.purpose() == Purpose::PushedAuthorization => {
                    self.documents.is_pushed_to(issuer, url)
                }
                Home::Issuer(issuer) if send.purpose() == Purpose::DeviceAuthorization => {
                    self.documents.gives_codes_for(issuer, url)
                }
                Home::Issuer(issuer) if send.purpose() == Purpose::Registration => {
                    self.documents.registers_for(issuer, url)
                }
                // A record's word will do, too: it names the server that has granted before.
                Home::Issuer(issuer) if sort == Sort::Assertion => self.documents.grants_for(issuer, url),
                Home::Issuer(issuer) => self.documents.is_token_endpoint_of(issuer, url),
                Home::Anywhere => true,
            });
            let place = if fits && at_home { &mut right } else { &mut misplaced };
            place.push((known.text().to_owned(), sort));
        }
        // A server may give one text twice, as an access token and as a refresh token.
        for (_, sort) in misplaced.iter().filter(|(text, _)| right.iter().all(|(other, _)| other != text)) {
            wrong.push(format!("a request for {:?} carries a secret ({sort:?})", send.purpose()));
        }
        if send.purpose().is_metadata() && (!body.is_empty() || !field.is_empty()) {
            wrong.push("a request for metadata has a body or an Authorization field".to_owned());
        }
        self.breaches.extend(wrong);
    }
}
