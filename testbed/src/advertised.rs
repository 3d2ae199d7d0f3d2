//! What the metadata of an authorization server says of the extensions (RFC 8414 §2, RFC 8628 §4, RFC 9126 §5,
//! RFC 9449 §5.1, Identity Assertion JWT Authorization Grant).

use serde_json::{Value, json};

use crate::documents::Site;
use crate::token::{DEVICE_CODE, JWT_BEARER};

impl Site<'_> {
    /// The grants that the token endpoint takes.
    pub(crate) fn grants(&self) -> Vec<&'static str> {
        let dials = self.dials;
        let mut grants = vec!["authorization_code", "refresh_token"];
        grants.extend(dials.client_credentials.as_ref().map(|_| "client_credentials"));
        grants.extend((dials.enterprise.is_some() || dials.workload.is_some()).then_some(JWT_BEARER));
        grants.extend(dials.device.as_ref().map(|_| DEVICE_CODE));
        grants
    }

    /// The members that are there for an extension.
    pub(crate) fn extensions(&self, server: usize) -> Vec<(&'static str, Value)> {
        let dials = self.dials;
        let mut members: Vec<(&'static str, Value)> = Vec::new();
        let signed =
            |methods: &Option<Vec<String>>| methods.iter().flatten().any(|own| own == "private_key_jwt");
        if dials.client_assertions.advertised {
            let algorithms = || dials.client_assertions.algorithms.clone().into();
            if signed(&dials.auth_methods) {
                members.push(("token_endpoint_auth_signing_alg_values_supported", algorithms()));
            }
            if dials.revocation && signed(&dials.revocation_auth_methods) {
                members.push(("revocation_endpoint_auth_signing_alg_values_supported", algorithms()));
            }
        }
        if dials.enterprise.as_ref().is_some_and(|dials| dials.advertised) {
            let profiles = json!(["urn:ietf:params:oauth:grant-profile:id-jag"]);
            members.push(("authorization_grant_profiles_supported", profiles));
        }
        if let Some(dpop) = dials.dpop.as_ref().filter(|dpop| dpop.advertised) {
            members.push(("dpop_signing_alg_values_supported", dpop.algorithms.clone().into()));
        }
        if dials.device.is_some() {
            let endpoint = self.endpoint(server, "device_authorization");
            members.push(("device_authorization_endpoint", endpoint.into()));
        }
        if let Some(pushed) = &dials.pushed {
            members.push(("pushed_authorization_request_endpoint", self.endpoint(server, "par").into()));
            if pushed.required {
                members.push(("require_pushed_authorization_requests", true.into()));
            }
        }
        members
    }
}
