//! What the suite hands to the client in its environment.

use mcp_auth::Secret;
use serde_json::{Map, Value};

/// The wire when nobody names one, so that the client can be tried by hand.
const DEFAULT_VERSION: &str = "2025-11-25";

/// The scenario that is running, the wire to speak, and credentials from before the connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Handed {
    pub(crate) scenario: Option<String>,
    pub(crate) protocol_version: String,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<Secret>,
    /// The authorization server that the client id and secret belong to. A secret is of no use without it.
    pub(crate) issuer: Option<String>,
}

impl Handed {
    /// Reads `MCP_CONFORMANCE_SCENARIO`, `MCP_CONFORMANCE_PROTOCOL_VERSION` and `MCP_CONFORMANCE_CONTEXT`.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let context =
            variable("MCP_CONFORMANCE_CONTEXT").map_or_else(|| Ok(Map::new()), |text| object(&text))?;
        Ok(Self {
            scenario: variable("MCP_CONFORMANCE_SCENARIO"),
            protocol_version: variable("MCP_CONFORMANCE_PROTOCOL_VERSION")
                .unwrap_or_else(|| DEFAULT_VERSION.to_owned()),
            client_id: member(&context, "client_id")?,
            client_secret: member(&context, "client_secret")?.map(Secret::from),
            issuer: member(&context, "issuer")?,
        })
    }
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
    use super::Handed;

    fn read(variables: &[(&str, &str)]) -> Result<Handed, String> {
        Handed::read(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn everything_that_is_set_is_read() {
        let handed = read(&[
            ("MCP_CONFORMANCE_SCENARIO", "auth/pre-registration"),
            ("MCP_CONFORMANCE_PROTOCOL_VERSION", "2026-07-28"),
            (
                "MCP_CONFORMANCE_CONTEXT",
                r#"{"name":"auth/pre-registration","client_id":"c","client_secret":"hunter2","issuer":"http://localhost:1"}"#,
            ),
        ])
        .unwrap();
        assert_eq!(handed.scenario.as_deref(), Some("auth/pre-registration"));
        assert_eq!(handed.protocol_version, "2026-07-28");
        assert_eq!(handed.client_id.as_deref(), Some("c"));
        assert_eq!(handed.client_secret.as_ref().map(|secret| secret.expose()), Some("hunter2"));
        assert_eq!(handed.issuer.as_deref(), Some("http://localhost:1"));
        assert!(!format!("{handed:?}").contains("hunter2"));
    }

    #[test]
    fn nothing_need_be_set() {
        let handed = read(&[]).unwrap();
        let expected = Handed {
            scenario: None,
            protocol_version: "2025-11-25".to_owned(),
            client_id: None,
            client_secret: None,
            issuer: None,
        };
        assert_eq!(handed, expected);
    }

    #[test]
    fn a_context_of_another_shape_is_refused_without_being_shown() {
        for context in ["hunter2", r#"["hunter2"]"#, r#"{"client_secret":["hunter2"]}"#] {
            let error = read(&[("MCP_CONFORMANCE_CONTEXT", context)]).unwrap_err();
            assert!(error.contains("MCP_CONFORMANCE_CONTEXT") && !error.contains("hunter2"), "{error}");
        }
    }
}
