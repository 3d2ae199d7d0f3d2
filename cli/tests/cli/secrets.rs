//! No secret of a flow is shown, whatever is run, but for what `token` is there to print.

use std::collections::BTreeSet;

use mcp_auth_testbed::{Dials, PreRegistered, Served, serve};
use serde_json::Value;

use crate::support::{Home, blocking, text};

/// Everything that passed between the parties and that nobody else is to have.
fn secrets(served: &Served, home: &Home, known: &mut BTreeSet<String>) {
    const SECRET: [&str; 8] = [
        "code",
        "code_verifier",
        "client_secret",
        "refresh_token",
        "token",
        "assertion",
        "device_code",
        "client_assertion",
    ];
    let world = served.world();
    for exchange in world.exchanges() {
        let named = exchange.parameters.iter().filter(|(name, _)| SECRET.contains(&name.as_str()));
        known.extend(named.map(|(_, value)| value.clone()));
        let header = exchange.authorization.iter().filter_map(|value| value.split_once(' '));
        known.extend(header.map(|(_, value)| value.to_owned()));
    }
    drop(world);
    for file in home.files("credentials", ".json") {
        let record: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let record = &record["credential"];
        let held = [&record["access_token"], &record["refresh_token"], &record["client"]["secret"]];
        known.extend(held.iter().filter_map(|it| it.as_str()).map(str::to_owned));
    }
    for url in home.opened() {
        let url = url::Url::parse(&url).unwrap();
        known.extend(
            url.query_pairs().filter(|(name, _)| name == "state").map(|(_, value)| value.into_owned()),
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_shows_a_secret() {
    let redirect_uri = "http://127.0.0.1:3334/callback";
    let client =
        PreRegistered::confidential("corp", "canary-of-the-client", "client_secret_post", redirect_uri);
    let dials = Dials {
        clients: vec![client],
        any_loopback_port: true,
        auth_methods: Some(vec!["client_secret_post".to_owned()]),
        ..Dials::default()
    };
    let served = serve(dials).await.unwrap();
    let (home, url, issuer) = (Home::new(), served.server_url(), served.world().issuer(0));
    let secret = home.write("secret", "canary-of-the-client");
    let client = ["--client-id", "corp", "--issuer", &issuer, "--client-secret-file", &secret];
    let write = r#"{"name":"write_file","arguments":{"path":"x"}}"#;
    let login: Vec<_> = ["login", "-v", &url].into_iter().chain(client).collect();
    let wider = ["login", "-v", &url, "--scope", "files:read", "--scope", "files:write"];
    let (mut known, mut said) = (BTreeSet::from(["canary-of-the-client".to_owned()]), Vec::new());
    let mut run = |args: &[&str]| {
        let output = blocking(|| home.run_with_person(&served, args));
        // That is what it is for.
        let text = if args[0] == "token" { String::from_utf8(output.stderr).unwrap() } else { text(&output) };
        said.push((args.join(" "), text));
        secrets(&served, &home, &mut known);
    };
    for args in [
        &login[..],
        &["call", "-v", &url, "tools/list"],
        &["call", "-v", "--raw", &url, "tools/call", write],
        &wider,
        &["call", "-v", &url, "tools/call", write],
        &["status", "-v"],
        &["status", "-v", "--json", "--check", &url],
        &["token", "-v", &url],
        &["login", "-v", "--force", &url],
    ] {
        run(args);
    }
    home.expire(&served);
    run(&["token", "-v", "--json", &url]);
    served.world().expire_access_tokens();
    run(&["call", "-v", &url, "tools/list"]);
    served.world().revoke_everything();
    for args in [
        &["call", "-v", &url, "tools/list"][..],
        &["call", &url, "tools/list"],
        &["login", "-v", &url],
        &["logout", "-v", &url],
        &["token", "-v", &url],
    ] {
        run(args);
    }
    assert!(known.len() > 15, "{known:?}");
    assert!(said.iter().filter(|(_, said)| said.contains("POST /token")).count() > 3);
    for (command, said) in &said {
        // The URL that the browser is opened with is shown, and has to have its `state`.
        let said: Vec<_> =
            said.lines().filter(|line| !home.opened().iter().any(|url| line.trim() == url)).collect();
        let said = said.join("\n");
        for secret in &known {
            assert!(!said.contains(secret.as_str()), "{command} shows {secret}:\n{said}");
        }
    }
}
