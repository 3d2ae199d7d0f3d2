//! What is posted to an endpoint of the authorization server that knows its clients: a form, and the client's proof
//! of who it is (RFC 6749 §2.3, RFC 7523 §2.2).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::client::{AuthMethod, Client};
use super::form;
use crate::base::breach::{Breach, Kind};
use crate::base::secret::Secret;

/// The type of an assertion that is a JWT (RFC 7523 §2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A message as it is sent: `POST`, `application/x-www-form-urlencoded`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The value of the `Authorization` field.
    pub authorization: Option<Secret>,
    /// The body.
    pub body: Secret,
}

impl Message {
    /// Adds the client to the parameters. It authenticates in one place only (RFC 6749 §2.3): with Basic nothing of it
    /// is in the body, and an assertion names the client by itself (RFC 7521 §4.2). A `client_id` that the
    /// parameters have already stands. A client with an empty identifier is nobody: a workload's JWT says enough
    /// (RFC 7521 §4.1).
    ///
    /// # Errors
    ///
    /// [`Kind::Configuration`]: the client authenticates with a key, and no assertion is given.
    pub fn of<'a>(
        mut parameters: Vec<(&'a str, &'a str)>,
        client: &'a Client,
        assertion: Option<&'a Secret>,
    ) -> Result<Self, Breach> {
        let named = client.id.is_empty() || parameters.iter().any(|(name, _)| *name == "client_id");
        let id = [("client_id", client.id.as_str())].into_iter().filter(|_| !named);
        let secret = client.secret.as_ref().map_or("", Secret::expose);
        let mut authorization = None;
        match client.method {
            AuthMethod::None => parameters.extend(id),
            AuthMethod::ClientSecretPost => parameters.extend(id.chain([("client_secret", secret)])),
            AuthMethod::ClientSecretBasic => authorization = Some(basic(&client.id, secret)),
            AuthMethod::PrivateKeyJwt => {
                let Some(assertion) = assertion else {
                    let expected = format!("a signed assertion of the client {}", client.id);
                    return Err(Breach::new(Kind::Configuration, "RFC 7523 §2.2", expected, "none"));
                };
                parameters.extend([
                    ("client_assertion_type", ASSERTION_TYPE),
                    ("client_assertion", assertion.expose()),
                ]);
            }
        }
        Ok(Self { authorization, body: Secret::new(form::encode(parameters)) })
    }
}

/// RFC 6749 §2.3.1: each part is form-encoded before they are joined, so that a colon cannot shift the border.
fn basic(id: &str, secret: &str) -> Secret {
    let pair = Secret::new(format!("{}:{}", form::encode_part(id), form::encode_part(secret)));
    Secret::new(format!("Basic {}", STANDARD.encode(pair.expose())))
}
