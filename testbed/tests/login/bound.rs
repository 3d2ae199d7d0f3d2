//! A client whose tokens are bound to its key.

use mcp_auth_testbed::call::{self, Wire};
use mcp_auth_testbed::{Dials, Dpop};
use serde_json::{Value, json};

use super::keys::{Key, hash};
use super::*;

pub const TOKEN: &str = "https://as.example/token";
pub const MCP: &str = "https://mcp.example/mcp";

pub fn dials(dpop: Dpop) -> Dials {
    Dials { dpop: Some(dpop), ..Dials::default() }
}

/// A client that proves to have a key.
pub struct Session {
    pub memory: Memory,
    pub found: Found,
    pub client: Client,
    pub key: Key,
    /// A number for each proof.
    pub made: u32,
}

impl Session {
    pub fn new(dials: Dials) -> Self {
        let mut memory = Memory::new(dials);
        let metadata = get(&mut memory, "https://mcp.example/.well-known/oauth-protected-resource/mcp");
        let resource = json_of(&metadata)["resource"].as_str().unwrap().to_owned();
        let server = json_of(&get(&mut memory, "https://as.example/.well-known/oauth-authorization-server"));
        let found = Found { resource, server };
        let client = register(&mut memory, &found, "none");
        Self { memory, found, client, key: Key::es256(), made: 0 }
    }

    pub fn proof(&mut self, url: &str, nonce: Option<&str>, change: &Value) -> String {
        self.made += 1;
        let mut change = change.clone();
        if let Some(nonce) = nonce {
            change["claims"]["nonce"] = nonce.into();
        }
        self.key.proof("POST", url, self.memory.now, &format!("proof {}", self.made), &change)
    }

    pub fn code(&mut self, change: &[(&str, Option<&str>)]) -> String {
        let url = authorization_url(&self.found, &self.client, "files:read", change);
        let pairs = callback(&self.memory.browse(&url));
        value(&pairs, "code").unwrap().to_owned()
    }

    pub fn token(&mut self, headers: &[(&str, &str)], pairs: &[(&str, &str)]) -> Answer {
        let mut all = vec![("client_id", self.client.id.as_str()), ("resource", &self.found.resource)];
        all.extend(pairs);
        post_plain(&mut self.memory, TOKEN, headers, &all)
    }

    pub fn redeem(&mut self, code: &str, proof: Option<&str>) -> Answer {
        let headers: Vec<_> = proof.map(|proof| ("dpop", proof)).into_iter().collect();
        let pairs = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.token(&headers, &pairs)
    }

    pub fn renew(&mut self, token: &str, proof: Option<&str>) -> Answer {
        let headers: Vec<_> = proof.map(|proof| ("dpop", proof)).into_iter().collect();
        self.token(&headers, &[("grant_type", "refresh_token"), ("refresh_token", token)])
    }

    pub fn logged_in(&mut self) -> Value {
        let code = self.code(&[]);
        let proof = self.proof(TOKEN, None, &json!({}));
        let answer = self.redeem(&code, Some(&proof));
        assert_eq!(answer.status(), 200, "{}", json_of(&answer));
        json_of(&answer)
    }

    pub fn call(&mut self, scheme: &str, token: &str, proofs: &[&str]) -> Answer {
        let mut request = call::tool(MCP, Wire::Stateless, "echo", "hello").unwrap();
        request.headers_mut().insert("authorization", format!("{scheme} {token}").parse().unwrap());
        for proof in proofs {
            request.headers_mut().append("dpop", proof.parse().unwrap());
        }
        self.memory.send(request)
    }

    /// A call with a fresh proof that fits, but for the changes.
    pub fn call_with(&mut self, token: &str, nonce: Option<&str>, change: &Value) -> Answer {
        let mut change = change.clone();
        if change["claims"].get("ath").is_none() {
            change["claims"]["ath"] = hash(token).into();
        }
        let proof = self.proof(MCP, nonce, &change);
        self.call("DPoP", token, &[&proof])
    }
}

pub fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

pub fn nonce_of(answer: &Answer) -> Option<String> {
    answer.headers().get("dpop-nonce").map(|value| value.to_str().unwrap().to_owned())
}

pub fn challenges(answer: &Answer) -> Vec<String> {
    let values = answer.headers().get_all("www-authenticate").iter();
    values.map(|value| value.to_str().unwrap().to_owned()).collect()
}
