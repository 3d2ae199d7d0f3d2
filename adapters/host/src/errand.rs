//! One request of the caller's, from the first time it is sent to the server's last word.

use http::{HeaderMap, Method, StatusCode};
use mcp_auth::Challenge;
use mcp_auth::base::text::clean;
use url::Url;

use crate::host::Carried;

/// How often one request is sent at most. The machine's own bounds on refusals come before this one.
const SENDS: u8 = 8;
/// How often one request is sent again only because the server wants its nonce in the proof.
const NONCES: u8 = 2;

/// The longest name of an operation that is shown, in characters. The core tells no longer ones apart.
const MAX_OPERATION: usize = 128;

/// One request of the caller's: where it goes, and how often it was sent.
#[derive(Clone, Debug)]
pub struct Errand {
    operation: String,
    method: Method,
    url: Url,
    sends: u8,
    retries: u8,
    nonces: u8,
}

/// What follows from an answer.
#[derive(Clone, Debug)]
pub enum Next {
    /// It is the server's last word, and the caller's.
    Done,
    /// Send the request again: nothing is wrong with the token, but the proof lacked the nonce that the server gives
    /// only now (RFC 9449 §9).
    Again,
    /// Hand in the refusal, wait for another token, and send the request again.
    Mend(Challenge),
    /// The request cannot be sent again. Hand in the refusal for the good of those to come, and give the answer back.
    Begin(Challenge),
}

impl Errand {
    /// A request to `url`. `operation` is the caller's name for it, for which step-ups are counted. It often has the name
    /// of a tool in it, which is the server's word, so what is not fit to be shown in a log is taken out.
    pub fn new(operation: &str, method: Method, url: Url) -> Self {
        Self { operation: clean(operation, MAX_OPERATION), method, url, sends: 0, retries: 0, nonces: 0 }
    }

    /// The caller's name for it, fit to be shown.
    pub fn operation(&self) -> &str {
        &self.operation
    }

    /// Its method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// Where it goes.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Whether it was sent in vain for want of a nonce. Where each answer brings another nonce, those that are sent at
    /// once spoil it for each other time and again, so they should go one after another.
    pub fn lacked_nonce(&self) -> bool {
        self.nonces > 0
    }

    /// Judges an answer to the request, which was sent with `carried`. `repeatable`: the request could be sent again.
    pub fn answered(
        &mut self,
        status: StatusCode,
        headers: &HeaderMap,
        carried: Option<Carried>,
        repeatable: bool,
    ) -> Next {
        self.sends = self.sends.saturating_add(1);
        let generation = carried.map(|carried| carried.generation);
        let Some(challenge) = Challenge::of(status, headers, generation, self.retries) else {
            return Next::Done;
        };
        let challenge = challenge.operation(&self.operation);
        let bound = carried.is_some_and(|carried| carried.bound);
        if bound && self.nonces < NONCES && challenge.wanted_nonce().is_some() {
            self.nonces = self.nonces.saturating_add(1);
            return if repeatable { Next::Again } else { Next::Done };
        }
        if !repeatable || self.sends >= SENDS {
            return Next::Begin(challenge);
        }
        self.retries = self.retries.saturating_add(u8::from(status == StatusCode::UNAUTHORIZED));
        Next::Mend(challenge)
    }
}

#[cfg(test)]
mod tests {
    use http::header::WWW_AUTHENTICATE;
    use mcp_auth::Generation;

    use super::*;

    fn errand() -> Errand {
        Errand::new("tools/call:echo", Method::POST, Url::parse("https://mcp.example/mcp").unwrap())
    }

    fn refused(with: &str) -> HeaderMap {
        HeaderMap::from_iter([(WWW_AUTHENTICATE, with.parse().unwrap())])
    }

    #[test]
    fn the_name_of_an_operation_is_fit_to_be_shown() {
        let url = Url::parse("https://mcp.example/mcp").unwrap();
        let errand = Errand::new("tools/call:a\u{1b}[2J\r\nb", Method::POST, url);
        assert_eq!(errand.operation(), "tools/call:a\u{fffd}[2J\u{fffd}\u{fffd}b");
    }

    const NONCE: &str = "DPoP error=\"use_dpop_nonce\"";

    #[test]
    fn a_refusal_is_mended_a_few_times() {
        let (mut errand, headers) = (errand(), refused("Bearer error=\"invalid_token\""));
        let sent = Carried { generation: Generation::default(), bound: false };
        for retries in 0..SENDS - 1 {
            let next = errand.answered(StatusCode::UNAUTHORIZED, &headers, Some(sent), true);
            let Next::Mend(challenge) = next else { panic!("{retries}: {next:?}") };
            assert!(format!("{challenge:?}").contains("tools/call:echo"), "{challenge:?}");
        }
        let next = errand.answered(StatusCode::UNAUTHORIZED, &headers, Some(sent), true);
        assert!(matches!(next, Next::Begin(_)), "{next:?}");
    }

    #[test]
    fn what_cannot_be_sent_again_helps_those_to_come() {
        let next = errand().answered(StatusCode::UNAUTHORIZED, &refused("Bearer"), None, false);
        assert!(matches!(next, Next::Begin(_)), "{next:?}");
        let next = errand().answered(StatusCode::OK, &HeaderMap::new(), None, true);
        assert!(matches!(next, Next::Done), "{next:?}");
    }

    #[test]
    fn a_nonce_is_brought_twice_and_then_it_is_a_refusal() {
        let sent = Some(Carried { generation: Generation::default(), bound: true });
        let mut headers = refused(NONCE);
        headers.insert("dpop-nonce", "n-0".parse().unwrap());
        let (mut errand, status) = (errand(), StatusCode::UNAUTHORIZED);
        for _ in 0..NONCES {
            assert!(matches!(errand.answered(status, &headers, sent, true), Next::Again));
            assert!(errand.lacked_nonce());
        }
        assert!(matches!(errand.answered(status, &headers, sent, true), Next::Mend(_)));
        // One that cannot be sent again is given back.
        assert!(matches!(super::tests::errand().answered(status, &headers, sent, false), Next::Done));
    }
}
