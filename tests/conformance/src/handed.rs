//! What the suite hands to the client in its environment.

use mcp_auth::wire::jws::Algorithm;
use mcp_auth::{GrantType, IdentityProvider, Preregistered, Secret};
use serde_json::{Map, Value};

/// The wire when nobody names one, so that the client can be tried by hand.
const DEFAULT_VERSION: &str = "2025-11-25";

/// The wire to speak, who the client is, and how it obtains tokens: its configuration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Handed {
    pub(crate) protocol_version: String,
    /// The client that was registered before the connection.
    pub(crate) client: Option<Preregistered>,
    /// The key with which it authenticates: PKCS#8 in PEM.
    pub(crate) private_key: Option<Secret>,
    /// What the key signs with, where that is said.
    pub(crate) algorithm: Option<Algorithm>,
    pub(crate) grant_type: GrantType,
    /// What is asserted: who the person is, or what the workload is.
    pub(crate) assertion: Option<Secret>,
}

impl Handed {
    /// Reads `MCP_CONFORMANCE_PROTOCOL_VERSION` and `MCP_CONFORMANCE_CONTEXT`.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let context =
            variable("MCP_CONFORMANCE_CONTEXT").map_or_else(|| Ok(Map::new()), |text| object(&text))?;
        let algorithm = member(&context, "signing_algorithm")?.map(|name| {
            Algorithm::parse(&name).ok_or("signing_algorithm in MCP_CONFORMANCE_CONTEXT is not known here")
        });
        let secret = |name| member(&context, name).map(|text| text.map(Secret::from));
        Ok(Self {
            protocol_version: variable("MCP_CONFORMANCE_PROTOCOL_VERSION")
                .unwrap_or_else(|| DEFAULT_VERSION.to_owned()),
            client: client(&context)?,
            private_key: secret("private_key_pem")?,
            algorithm: algorithm.transpose()?,
            grant_type: grant_type(&context)?,
            assertion: secret("idp_id_token")?.or(secret("valid_jwt")?),
        })
    }
}

/// The client, if one is handed over. With a secret or a key and no issuer, or where no person is asked, nothing says
/// whose it is: the suite's own clients have to take the MCP server's word for it.
fn client(context: &Map<String, Value>) -> Result<Option<Preregistered>, String> {
    let secret = member(context, "client_secret")?.map(Secret::from);
    let Some(client_id) = member(context, "client_id")? else { return Ok(None) };
    let mut client = match member(context, "issuer")? {
        Some(issuer) => Preregistered::new(issuer, client_id),
        None => Preregistered::unbound(client_id),
    };
    client.client_secret = secret;
    let keyed = member(context, "private_key_pem")?.is_some();
    let shows = client.client_secret.is_some() || keyed || !grant_type(context)?.needs_person();
    if client.issuer.is_none() && shows {
        client = client.trusting_the_server_to_name_the_issuer();
    }
    Ok(Some(client))
}

/// How tokens are obtained. An identity provider or the JWT of a platform says it by being there; that a client acts for
/// itself is said by the name of the scenario alone, since what is handed over with it would do for a person's client.
fn grant_type(context: &Map<String, Value>) -> Result<GrantType, String> {
    if let Some(issuer) = member(context, "idp_issuer")? {
        let needed = |name: &str| {
            let found = member(context, name)?;
            found.ok_or_else(|| format!("{name} is missing in MCP_CONFORMANCE_CONTEXT, which has idp_issuer"))
        };
        let provider = IdentityProvider::new(issuer, needed("idp_token_endpoint")?, needed("idp_client_id")?);
        return Ok(GrantType::EnterpriseManaged(Box::new(provider)));
    }
    if context.contains_key("valid_jwt") {
        return Ok(GrantType::WorkloadIdentity);
    }
    let name = member(context, "name")?.unwrap_or_default();
    Ok(if name.contains("client-credentials") {
        GrantType::ClientCredentials
    } else {
        GrantType::AuthorizationCode
    })
}

/// The errors name no value: the context holds secrets.
fn object(text: &str) -> Result<Map<String, Value>, String> {
    match serde_json::from_str(text) {
        Ok(Value::Object(context)) => Ok(context),
        Ok(_) => Err("MCP_CONFORMANCE_CONTEXT is not a JSON object".to_owned()),
        Err(_) => Err("MCP_CONFORMANCE_CONTEXT is not JSON".to_owned()),
    }
}

fn member(context: &Map<String, Value>, name: &str) -> Result<Option<String>, String> {
    match context.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(format!("{name} in MCP_CONFORMANCE_CONTEXT is not a string")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithm, GrantType, Handed, IdentityProvider, Map, Preregistered, Secret, Value};

    fn read(variables: &[(&str, &str)]) -> Result<Handed, String> {
        Handed::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// What is made of a context of this name, with these members.
    fn of(name: &str, members: &[(&str, &str)]) -> Handed {
        let mut context = Map::from_iter([("name".to_owned(), Value::from(name))]);
        context.extend(members.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
        read(&[("MCP_CONFORMANCE_CONTEXT", &Value::Object(context).to_string())]).unwrap()
    }

    const CLIENT: [(&str, &str); 2] = [("client_id", "c"), ("client_secret", "hunter2")];

    #[test]
    fn nothing_need_be_set() {
        let expected = Handed {
            protocol_version: "2025-11-25".to_owned(),
            client: None,
            private_key: None,
            algorithm: None,
            grant_type: GrantType::AuthorizationCode,
            assertion: None,
        };
        assert_eq!(read(&[]).unwrap(), expected);
        let later = read(&[("MCP_CONFORMANCE_PROTOCOL_VERSION", "2026-07-28")]).unwrap();
        assert_eq!(later, Handed { protocol_version: "2026-07-28".to_owned(), ..expected });
    }

    #[test]
    fn a_client_is_bound_to_the_issuer_that_is_handed_over_with_it() {
        let issuer = ("issuer", "http://localhost:1");
        let handed = of("auth/pre-registration", &[CLIENT[0], CLIENT[1], issuer]);
        let bound = Preregistered::new("http://localhost:1", "c").secret("hunter2");
        assert_eq!(
            (handed.client.as_ref(), &handed.grant_type),
            (Some(&bound), &GrantType::AuthorizationCode)
        );
        assert!(!format!("{handed:?}").contains("hunter2"));
        // Only where there is none, the server is trusted to name it.
        let handed = of("auth/client-credentials-basic", &CLIENT);
        let trusting = Preregistered::unbound("c").secret("hunter2").trusting_the_server_to_name_the_issuer();
        assert_eq!((handed.client, handed.grant_type), (Some(trusting), GrantType::ClientCredentials));
    }

    #[test]
    fn what_is_handed_over_says_how_tokens_are_obtained() {
        let key = [("client_id", "c"), ("private_key_pem", "a-key"), ("signing_algorithm", "ES256")];
        let handed = of("auth/client-credentials-jwt", &key);
        let trusting = Preregistered::unbound("c").trusting_the_server_to_name_the_issuer();
        assert_eq!(handed.client, Some(trusting));
        assert_eq!(
            (handed.grant_type, handed.algorithm),
            (GrantType::ClientCredentials, Some(Algorithm::Es256))
        );
        assert_eq!(handed.private_key.as_ref().map(Secret::expose), Some("a-key"));

        let provider = [
            ("idp_issuer", "http://localhost:2"),
            ("idp_token_endpoint", "http://localhost:2/token"),
            ("idp_client_id", "at-the-idp"),
            ("idp_id_token", "who"),
        ];
        let handed = of("auth/enterprise-managed-authorization", &[&CLIENT[..], &provider].concat());
        let expected = IdentityProvider::new("http://localhost:2", "http://localhost:2/token", "at-the-idp");
        assert_eq!(handed.grant_type, GrantType::EnterpriseManaged(Box::new(expected)));
        assert_eq!(handed.assertion.as_ref().map(Secret::expose), Some("who"));

        let handed =
            of("auth/wif-jwt-bearer", &[("client_id", "c"), ("valid_jwt", "what"), ("expired_jwt", "old")]);
        assert_eq!(handed.grant_type, GrantType::WorkloadIdentity);
        assert_eq!(handed.assertion.as_ref().map(Secret::expose), Some("what"));
    }

    #[test]
    fn half_of_what_is_needed_is_refused() {
        for (context, named) in [
            (r#"{"idp_issuer":"http://localhost:2"}"#, "idp_token_endpoint"),
            (r#"{"signing_algorithm":"none"}"#, "signing_algorithm"),
        ] {
            let error = read(&[("MCP_CONFORMANCE_CONTEXT", context)]).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn a_context_of_another_shape_is_refused_without_being_shown() {
        for context in ["hunter2", r#"["hunter2"]"#, r#"{"client_secret":["hunter2"]}"#] {
            let error = read(&[("MCP_CONFORMANCE_CONTEXT", context)]).unwrap_err();
            assert!(error.contains("MCP_CONFORMANCE_CONTEXT") && !error.contains("hunter2"), "{error}");
        }
    }
}
