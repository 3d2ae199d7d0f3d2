//! Device authorization (RFC 8628): the request, the page for the person, and the polls.

use http::Method;
use serde_json::json;

use crate::authentication::error_status;
use crate::authorization_server::{AuthorizationServer, Grant, Lasting};
use crate::authorize::{audience, scopes};
use crate::consent::{self, Shown};
use crate::dials::{Confirmation, Person};
use crate::documents::Site;
use crate::message::{self, Answer, Asked, Parameters};
use crate::token::{DEVICE_CODE, Issued, Refused, TokenRequest, refused, same_resource};
use crate::world::World;

/// The letters of a user code: no vowels, so that it spells nothing (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// A device that waits for its person.
#[derive(Clone, Debug)]
pub(crate) struct DeviceCode {
    client_id: String,
    client_name: String,
    user_code: String,
    resource: String,
    asked_resource: Option<String>,
    scopes: Vec<String>,
    expires: u64,
    /// Grows with each poll that came too early.
    interval: u64,
    polled: Option<u64>,
    polls: u64,
    /// What the person said.
    allowed: Option<bool>,
    spent: bool,
}

impl World {
    /// A person enters a user code, as it is shown or without regard to case and punctuation, and allows or denies.
    /// Whether the code is one that waits for that.
    pub fn enter_user_code(&mut self, code: &str, allow: bool) -> bool {
        self.servers.iter_mut().any(|server| server.enter(code, allow))
    }
}

impl AuthorizationServer {
    /// RFC 8628 §3.1 and §3.2. `None` where there is no such endpoint.
    pub(crate) fn device(&mut self, site: Site<'_>, now: u64, request: &Asked) -> Option<Answer> {
        let dials = site.dials.device.as_ref()?;
        let (client, form) = match self.authenticated_form(site, now, request) {
            Ok(found) => found,
            Err(answer) => return Some(answer),
        };
        let refuse = |error: &str, why: &str| Some(message::oauth_error(error_status(site, 400), error, why));
        if !client.may(DEVICE_CODE) {
            return refuse("unauthorized_client", "The client is not registered for the device code grant.");
        }
        let resource = match audience(site, &form) {
            Ok(resource) => resource,
            Err(why) => return refuse("invalid_target", &why),
        };
        let scopes = match scopes(site, &client, &form) {
            Ok(scopes) => scopes,
            Err(why) => return refuse("invalid_scope", &why),
        };
        let code = self.draw("device");
        let user_code = user_code(&code);
        let device = DeviceCode {
            client_id: client.id,
            client_name: client.name,
            user_code: user_code.clone(),
            resource,
            asked_resource: form.one("resource").map(str::to_owned),
            scopes,
            expires: now.saturating_add(dials.expires_in),
            interval: dials.interval,
            polled: None,
            polls: 0,
            allowed: None,
            spent: false,
        };
        self.devices.insert(code.clone(), device);
        let page = site.endpoint(self.index, "device");
        let mut answer = json!({
            "device_code": code,
            "user_code": user_code,
            "verification_uri": page,
            "expires_in": dials.expires_in,
        });
        if let Some(members) = answer.as_object_mut() {
            if dials.complete_uri {
                let complete = message::with_query(&page, &[("user_code", &user_code)]);
                members.insert("verification_uri_complete".to_owned(), complete.into());
            }
            if dials.tells_interval {
                members.insert("interval".to_owned(), dials.interval.into());
            }
        }
        Some(message::json(200, &answer))
    }

    /// A poll (RFC 8628 §3.4 and §3.5).
    pub(crate) fn poll(
        &mut self,
        site: Site<'_>,
        now: u64,
        request: &TokenRequest<'_>,
    ) -> Result<Issued, Refused> {
        let invalid = |why| refused("invalid_grant", why);
        let text = request.form.one("device_code");
        let text = text.ok_or_else(|| refused("invalid_request", "There is no device_code."))?;
        let device = self.devices.get_mut(text).ok_or_else(|| invalid("The device code is not known."))?;
        if device.client_id != request.client.id {
            return Err(invalid("The device code was given to another client."));
        }
        if device.spent {
            return Err(invalid("The device code was used before."));
        }
        if device.expires <= now {
            return Err(refused("expired_token", "The device code has expired."));
        }
        let early = device.polled.is_some_and(|last| now < last.saturating_add(device.interval));
        device.polled = Some(now);
        device.polls = device.polls.saturating_add(1);
        if early {
            device.interval = device.interval.saturating_add(5);
            return Err(refused(
                "slow_down",
                "The polls come too fast. The interval is 5 seconds longer now.",
            ));
        }
        same_resource(site, request.form, &device.resource, device.asked_resource.as_deref())?;
        match decision(site, device) {
            None => return Err(refused("authorization_pending", "The person has not decided yet.")),
            Some(false) => return Err(refused("access_denied", "The person denied.")),
            Some(true) => device.spent = true,
        }
        let (resource, asked_resource) = (device.resource.clone(), device.asked_resource.clone());
        let scopes = device.scopes.clone();
        let grant = Grant {
            family: self.count(),
            client_id: request.client.id.clone(),
            resource,
            asked_resource,
            scopes,
            key: request.key.clone(),
        };
        Ok(self.issue_by_consent(site, now, request.client, grant, Lasting::default()))
    }

    /// The page that the person opens: a form for the code, then one to allow or deny (RFC 8628 §3.3).
    pub(crate) fn device_page(&mut self, site: Site<'_>, now: u64, request: &Asked) -> Option<Answer> {
        site.dials.device.as_ref()?;
        let mut asked = Parameters::of_query(request);
        if request.method() == Method::POST {
            asked.0.extend(Parameters::of_form(request).unwrap_or_default().0);
        }
        let action = site.endpoint(self.index, "device");
        let decision = asked.one("request").zip(asked.one("decision"));
        if let (&Method::POST, Some((code, decision))) = (request.method(), decision) {
            let waits = self.waiting(code).is_some_and(|device| now < device.expires);
            return Some(if waits && self.enter(code, decision == "allow") {
                consent::done_page("You can go back to the device.")
            } else {
                consent::error_page(400, "This code has expired, or was answered before.")
            });
        }
        let Some(code) = asked.one("user_code") else { return Some(consent::code_page(&action, None)) };
        let device = self.waiting(code).filter(|device| now < device.expires).cloned();
        let Some(device) = device else {
            return Some(consent::code_page(&action, Some("There is no such code, or it has expired.")));
        };
        Some(consent::page(&Shown {
            client: &device.client_name,
            redirect_uri: None,
            resource: &device.resource,
            scopes: &device.scopes,
            issuer: &site.own_issuer(self.index),
            action: &action,
            ticket: &device.user_code,
        }))
    }

    fn enter(&mut self, code: &str, allow: bool) -> bool {
        match self.waiting(code) {
            Some(device) => {
                device.allowed = Some(allow);
                true
            }
            None => false,
        }
    }

    fn waiting(&mut self, code: &str) -> Option<&mut DeviceCode> {
        let code = letters(code);
        self.devices
            .values_mut()
            .find(|device| device.allowed.is_none() && letters(&device.user_code) == code)
    }
}

fn decision(site: Site<'_>, device: &DeviceCode) -> Option<bool> {
    match site.dials.device.as_ref()?.confirmation {
        Confirmation::Person => device.allowed,
        Confirmation::AtPoll(number) if device.polls < number => None,
        Confirmation::AtPoll(_) => match site.dials.person {
            Person::Allows => Some(true),
            Person::Denies => Some(false),
            Person::Leaves => None,
        },
        Confirmation::Never => None,
    }
}

/// A short code for a person, from the code for the device.
fn user_code(device_code: &str) -> String {
    let number = device_code.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let letter = |place: u32| {
        let digit = number / 20_u64.pow(place) % 20;
        char::from(LETTERS.iter().copied().nth(digit as usize).unwrap_or(b'B'))
    };
    let part = |places: std::ops::Range<u32>| places.map(letter).collect::<String>();
    format!("{}-{}", part(0..4), part(4..8))
}

/// What counts of a user code (RFC 8628 §6.1).
fn letters(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase()).collect()
}
