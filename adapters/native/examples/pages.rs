//! Serves each page from a real listener, for somebody to look at: prints a name and a URL for each, then answers whoever
//! opens it. `tests/pages` takes pictures of them.

use std::time::Duration;

use mcp_auth_native::{ListenError, Loopback, Page};

fn main() -> Result<(), ListenError> {
    let application = std::env::args().nth(1).unwrap_or_else(|| "Example Notes".to_owned());
    let mut listener = Loopback::new(application).listen()?;
    let names = ["success", "refused", "failed", "failed-long", "stranger", "arrived"];
    for name in names {
        println!("{name} {}?state={name}&code=1", listener.redirect_uri());
    }
    println!("stateless {}?code=1", listener.redirect_uri());
    while let Some(received) = listener.wait(Duration::from_secs(60)) {
        let long = "issuer mismatch: expected iss=https://login.example.com/tenants/2f6d1c0e-7a52-4f0b-9a44-c4a2f9fd0b11/v2.0, \
            got iss=https://attacker.example/averyveryverylongpathwithoutanyplacetobreakit0123456789abcdefghijklmnopqrstuvwxyz \
            (RFC 9207 §2.4)";
        let page = match received.callback() {
            it if it.contains("=success") => Page::Success,
            it if it.contains("=refused") => Page::Refused { reason: "access_denied: The resource owner denied the request".to_owned() },
            it if it.contains("=failed-long") => Page::Failed {
                reason: long.to_owned(),
                next: "If the difference is known and harmless, allow it for this issuer with issuer_match or issuer_aliases.".to_owned(),
            },
            it if it.contains("=failed") => Page::Failed {
                reason: "The token endpoint could not be reached: the connection was refused.".to_owned(),
                next: "Check the network and the host name, then try again.".to_owned(),
            },
            it if it.contains("=stranger") => Page::Stranger,
            _ => continue,
        };
        received.finish(page);
    }
    Ok(())
}
