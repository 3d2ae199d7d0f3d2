//! A key that never enters this process: here OpenSSL stands for the key service, as any command, agent or token would.
//!
//! ```sh
//! openssl ecparam -name prime256v1 -genkey -noout -out key.pem
//! openssl pkey -in key.pem -pubout -out public.pem
//! cargo run -p mcp-auth-jose --example external_signer -- public.pem key.pem
//! ```
//!
//! With a cloud's key service the function would be its `Sign` operation: for AWS KMS with `MessageType` RAW and
//! `ECDSA_SHA_256`, for Google Cloud KMS with the SHA-256 digest of the message; both answer in DER. With a PKCS#11
//! token it would be `C_Sign` with `CKM_ECDSA_SHA256`, which gives R and S and needs no conversion.

use std::error::Error;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::SystemTime;
use std::{env, fs};

use mcp_auth::Timestamp;
use mcp_auth::wire::assertion::{ClientAssertion, DEFAULT_LIFETIME};
use mcp_auth::wire::jws::Algorithm;
use mcp_auth_jose::{FnSigner, Signer, public_from_pem, raw_from_der};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let (Some(public), Some(name)) = (arguments.next(), arguments.next()) else {
        return Err("give a file with the public key and the name of the private one".into());
    };

    // The public half is all that is known here.
    let public = public_from_pem(fs::read(public)?)?;
    let key_id = public.thumbprint();
    let signer = FnSigner::new(public, &[Algorithm::Es256], move |_, message| {
        let signature = ask_the_service(&name, message).map_err(|why| format!("the key service: {why}"))?;
        raw_from_der(&signature)
    })?
    .with_key_id(key_id);

    // From here on it is a signer like any other. `sign` blocks: an async driver calls it where that is allowed.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let input = ClientAssertion {
        client_id: "my-client",
        issuer: "https://as.example",
        algorithm: Algorithm::choose(signer.algorithms(), None, "RFC 8414 §2")?,
        key_id: signer.key_id(),
        jti: "one of its own each time",
        issued_at: Timestamp::from_secs(now),
        lifetime: DEFAULT_LIFETIME,
    }
    .signing_input()?;
    let assertion = input.complete(&signer.sign(input.algorithm(), input.as_bytes())?)?;
    println!("{}", assertion.expose());
    Ok(())
}

/// An ES256 signature in DER.
fn ask_the_service(key: &str, message: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut service = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign", key])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    if let Some(mut input) = service.stdin.take() {
        input.write_all(message)?;
    }
    let output = service.wait_with_output()?;
    if output.status.success() { Ok(output.stdout) } else { Err(output.status.to_string().into()) }
}
