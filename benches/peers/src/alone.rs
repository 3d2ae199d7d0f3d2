//! The `oauth2` crate, for the parts that it has: the authorization URL with PKCE, the exchange of the code, and the
//! renewal. It has no discovery, no registration, and nothing that hands out a token.

use http::Response;
use mcp_auth_benches::documents;
use oauth2::basic::BasicClient;
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, RefreshToken, Scope,
    TokenResponse, TokenUrl,
};

/// The answer of the token endpoint.
pub fn answer() -> Response<Vec<u8>> {
    documents::answer(200, &documents::token())
}

fn send(
    answer: Response<Vec<u8>>,
) -> impl Fn(oauth2::HttpRequest) -> Result<Response<Vec<u8>>, std::io::Error> {
    let answer = std::sync::Mutex::new(Some(answer));
    move |request| {
        std::hint::black_box(request);
        Ok(answer.lock().expect("one thread").take().expect("one request"))
    }
}

macro_rules! client {
    () => {
        BasicClient::new(ClientId::new("7f1c2e0a-7f0e-4d9c-9d2b-0d5f6f0c1b1e".to_owned()))
            .set_auth_uri(
                AuthUrl::new("https://auth.example.com/oauth2/authorize".to_owned()).expect("a URL"),
            )
            .set_token_uri(TokenUrl::new("https://auth.example.com/oauth2/token".to_owned()).expect("a URL"))
            .set_redirect_uri(RedirectUrl::new(documents::REDIRECT.to_owned()).expect("a URL"))
    };
}

/// From the authorization URL to tokens.
pub fn login(answer: Response<Vec<u8>>) -> String {
    let client = client!();
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state) = client
        .authorize_url(CsrfToken::new_random)
        .add_scopes(["files:read", "files:write"].map(|scope| Scope::new(scope.to_owned())))
        .add_extra_param("resource", documents::SERVER)
        .set_pkce_challenge(challenge)
        .url();
    drop(std::hint::black_box((url, state)));
    let token = client
        .exchange_code(AuthorizationCode::new(documents::CODE.to_owned()))
        .set_pkce_verifier(verifier)
        .add_extra_param("resource", documents::SERVER)
        .request(&send(answer))
        .expect("a token");
    token.access_token().secret().clone()
}

/// A renewal.
pub fn refresh(answer: Response<Vec<u8>>) -> String {
    let client = client!();
    let refresh_token = RefreshToken::new(documents::REFRESH_TOKEN.to_owned());
    let token = client
        .exchange_refresh_token(&refresh_token)
        .add_extra_param("resource", documents::SERVER)
        .request(&send(answer))
        .expect("a token");
    token.access_token().secret().clone()
}
