//! The keys of the tests, and a second opinion on signatures.
#![allow(dead_code, reason = "no test needs all of it")]

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mcp_auth::wire::jws::Algorithm;
use mcp_auth_jose::{FnSigner, Key, Signer};

pub(crate) const ALL: [Algorithm; 5] =
    [Algorithm::Es256, Algorithm::Ps256, Algorithm::Rs256, Algorithm::EdDsa, Algorithm::Ed25519];

pub(crate) fn pem(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/keys").join(name);
    fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

pub(crate) fn key(name: &str) -> Key {
    Key::from_pem(pem(name)).unwrap_or_else(|why| panic!("{name}: {why}"))
}

pub(crate) fn base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// Whether ring, which knows the public half only, takes the signature.
pub(crate) fn verifies(signer: &dyn Signer, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let signature = signature.to_vec();
    let verifier = FnSigner::new(signer.public().clone(), &[algorithm], move |_, _| Ok(signature.clone()));
    verifier.unwrap().sign(algorithm, message).is_ok()
}

/// Whether OpenSSL takes the signature by this key in PEM, public or private; `None` where there is no OpenSSL.
pub(crate) fn openssl_verifies(
    pem: &str,
    algorithm: Algorithm,
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    if Command::new("openssl").arg("version").output().is_err() {
        return None;
    }
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, bytes: &[u8]| {
        fs::write(folder.join(name), bytes).unwrap();
        folder.join(name).to_str().unwrap().to_owned()
    };
    let signature = if algorithm == Algorithm::Es256 { der(signature) } else { signature.to_vec() };
    let files = [write("key", pem.as_bytes()), write("message", message), write("signature", &signature)];
    let [key, message, signature] = &files;
    let mut arguments = vec!["pkeyutl", "-verify", "-inkey", key, "-rawin", "-in", message];
    arguments.extend(["-sigfile", signature]);
    if !pem.contains("PRIVATE") {
        arguments.push("-pubin");
    }
    match algorithm {
        Algorithm::Es256 | Algorithm::Rs256 => arguments.extend(["-digest", "sha256"]),
        Algorithm::Ps256 => {
            arguments.extend(["-digest", "sha256", "-pkeyopt", "rsa_padding_mode:pss"]);
            arguments.extend(["-pkeyopt", "rsa_pss_saltlen:32", "-pkeyopt", "rsa_mgf1_md:sha256"]);
        }
        _ => {}
    }
    let output = Command::new("openssl").args(&arguments).output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    Some(output.status.success())
}

/// A signature of R and S as a key service gives it.
pub(crate) fn der(raw: &[u8]) -> Vec<u8> {
    let (r, s) = raw.split_at(32);
    let number = |bytes: &[u8]| {
        let start = bytes.iter().position(|byte| *byte != 0).unwrap();
        let sign: &[u8] = if bytes[start] >= 0x80 { &[0] } else { &[] };
        let bytes = [sign, &bytes[start..]].concat();
        [vec![0x02, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    };
    let inner = [number(r), number(s)].concat();
    [vec![0x30, u8::try_from(inner.len()).unwrap()], inner].concat()
}
