//! `mcp-auth login` in the browser of this machine.

use std::process::Stdio;

use mcp_auth::wire::jws::Algorithm;
use mcp_auth_jose::{Key, Signer as _};
use mcp_auth_testbed::{ClientCredentials, Dials, PreRegistered, Purpose, Served, Wires, Workload, serve};
use serde_json::{Value, json};

use crate::recorded::{ran, recorded};
use crate::support::{Home, answer, between, blocking, ended, ends_with, result, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_login_in_the_browser_is_kept_and_said() {
    let served = serve(Dials::default()).await.unwrap();
    let (home, url) = (Home::new(), served.server_url());
    let output = blocking(|| home.run_with_person(&served, &["login", &url]));
    ends_with(&output, 0);
    let shown = result(&output);
    for expected in [
        "Logged in.\n",
        &format!("  server     {url}\n"),
        &format!("  issuer     {}\n", served.world().issuer(0)),
        "  scopes     files:read\n",
        "  kept in    files in ",
        "  tools      echo, read_file, write_file\n",
        &format!("Next: mcp-auth call {url} tools/list\n"),
    ] {
        assert!(shown.contains(expected), "{expected:?} is missing in\n{shown}");
    }
    // A second may begin meanwhile.
    let lives = ["in 1h (", "in 59m 59s ("].map(|span| shown.contains(&format!("  expires    {span}")));
    assert!(lives.contains(&true), "{shown}");
    assert_eq!(home.opened().len(), 1);
    assert_eq!(home.credential()["server"], url.as_str());
    // No resolver can lead it elsewhere (RFC 8252 §8.3).
    assert!(home.opened()[0].contains("&redirect_uri=http%3A%2F%2F127.0.0.1%3A"), "{:?}", home.opened());

    // The second time there is nothing to do.
    let output = blocking(|| home.run(&["login", &url]));
    let shown = ends_with(&output, 0);
    assert!(shown.starts_with("You are logged in already.\n") && shown.contains("--force"), "{shown}");
    assert_eq!(home.opened().len(), 1);
    // But for whoever wants it anew; the record from before stands until there is another.
    let before = home.credential();
    let shown = ends_with(&blocking(|| home.run_with_person(&served, &["login", "--force", &url])), 0);
    assert!(shown.contains("Logged in.") && home.credential() != before, "{shown}");
    assert_eq!(home.opened().len(), 2);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let served = serve(Dials::default()).await.unwrap();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let mut seen = 0;
    for folder in ["", "credentials", "logins"] {
        for path in home.files(folder, "").into_iter().chain([home.path("state/mcp-auth").join(folder)]) {
            let found = std::fs::metadata(&path).unwrap();
            let expected = if found.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(found.permissions().mode() & 0o777, expected, "{}", path.display());
            seen += 1;
        }
    }
    assert!(seen > 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_browser_the_url_is_printed_and_the_answer_is_listened_for() {
    let served = serve(Dials::default()).await.unwrap();
    let (home, url) = (Home::new(), served.server_url());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redirect_uri = format!("http://localhost:{port}/back/here");
    let output = blocking(|| {
        use std::io::BufRead as _;
        let mut command = home.program();
        command.args(["login", "--no-browser", "--redirect-uri", &redirect_uri, &url]);
        recorded(&mut command, |command| {
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let errors = std::io::BufReader::new(child.stderr.take().unwrap());
            let printed =
                errors.lines().map(Result::unwrap).find(|line| line.trim_start().starts_with("http://"));
            let asked = printed.unwrap();
            assert!(
                asked.contains(&format!("redirect_uri=http%3A%2F%2Flocalhost%3A{port}%2Fback%2Fhere")),
                "{asked}"
            );
            let page = answer(&served, asked.trim()).unwrap();
            assert!(page.starts_with("HTTP/1.1 200") && page.contains("Logged in"), "{page}");
            ended(child, 10)
        })
    });
    ends_with(&output, 0);
    assert!(home.opened().is_empty(), "a browser was opened");
    // The next login has it from there.
    home.change(|it| it["refresh_token"] = serde_json::Value::Null);
    home.expire(&served);
    let shown = ends_with(&blocking(|| home.run_with_person(&served, &["login", &url])), 0);
    assert!(shown.contains("Logged in.") && home.opened()[0].contains("%2Fback%2Fhere"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_scope_is_asked_for_besides_what_is_granted() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let wider = ["login", &url, "--scope", "files:write"];
    let shown = ends_with(&blocking(|| home.run_with_person(&served, &wider)), 0);
    assert!(
        shown.contains("Logged in.") && shown.contains("  scopes     files:write files:read\n"),
        "{shown}"
    );
    let shown = ends_with(&blocking(|| home.run(&wider)), 0);
    assert!(shown.contains("logged in already"), "{shown}");
    assert_eq!(home.opened().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_kept_apart_and_a_url_is_found_however_it_is_written() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &["--account", "work"]));
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 4);
    let other = url.replace("http://", "HTTP://") + "#there";
    for url in [&url, &other.replace("#there", "")] {
        ends_with(&blocking(|| home.run(&["call", url, "tools/list", "--account", "work"])), 0);
    }
    let said = ends_with(&blocking(|| home.run(&["call", &other, "tools/list", "--account", "work"])), 2);
    assert!(said.contains("fragment"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_asks_for_no_login_is_told_as_such() {
    let served =
        serve(Dials { unprotected: vec!["tools/list".to_owned()], ..Dials::default() }).await.unwrap();
    let (home, url) = (Home::new(), served.server_url());
    let shown = ends_with(&blocking(|| home.run(&["login", &url])), 0);
    assert!(shown.contains("asks for no login. Its tools: echo, read_file, write_file"), "{shown}");
    assert!(shown.contains(&format!("mcp-auth login {url} --force")), "{shown}");
    assert!(home.opened().is_empty() && home.files("credentials", ".json").is_empty());
    let shown = ends_with(&blocking(|| home.run_with_person(&served, &["login", "--force", &url])), 0);
    assert!(shown.contains("Logged in."), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_a_secret_needs_it_once() {
    let redirect_uri = "http://127.0.0.1:3334/callback";
    let client = PreRegistered::confidential("corp", "hush-hush", "client_secret_basic", redirect_uri);
    let dials = Dials { clients: vec![client], any_loopback_port: true, ..Dials::default() };
    let served = serve(dials).await.unwrap();
    let (home, url, issuer) = (Home::new(), served.server_url(), served.world().issuer(0));
    let file = home.write("secret", "hush-hush\n");
    let args = ["login", &url, "--client-id", "corp", "--issuer", &issuer, "--client-secret-file", &file];
    let shown = ends_with(&blocking(|| home.run_with_person(&served, &args)), 0);
    assert!(shown.contains("  client     corp\n") && !shown.contains("hush"), "{shown}");
    std::fs::remove_file(&file).unwrap();
    home.expire(&served);
    let shown = ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
    assert!(shown.contains("echo"), "{shown}");
    assert_eq!(served.world().count(Purpose::Refresh), 1);
    // What is remembered beside the record holds no secret.
    for file in home.files("logins", ".json") {
        assert!(!std::fs::read_to_string(file).unwrap().contains("hush"));
    }
}

#[cfg(unix)]
#[test]
fn a_secret_that_everybody_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let file = home.write("secret", "hush-hush");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let url = "https://mcp.example/mcp";
    let client = ["--client-id", "corp", "--issuer", "https://as.example"];
    for (option, what) in [("--client-secret-file", "client secret"), ("--key", "private key")] {
        let args: Vec<_> = ["login", url, option, &file].into_iter().chain(client).collect();
        let said = ends_with(&home.run(&args), 2);
        assert!(said.contains(what) && said.contains("mode 0644") && said.contains("chmod 600"), "{said}");
        assert!(!said.contains("hush"), "{said}");
    }
    let args: Vec<_> = ["login", url, "--client-secret-prompt"].into_iter().chain(client).collect();
    let said = ends_with(&home.run(&args), 2);
    assert!(said.contains("standard input is no terminal"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_without_a_person_is_renewed_without_a_word() {
    let client =
        PreRegistered::confidential("robot", "hush-hush", "client_secret_basic", "http://127.0.0.1/x");
    let dials = Dials {
        clients: vec![client],
        client_credentials: Some(ClientCredentials::default()),
        ..Dials::default()
    };
    let served = serve(dials).await.unwrap();
    let (home, url, issuer) = (Home::new(), served.server_url(), served.world().issuer(0));
    let args = ["login", &url, "--grant", "client-credentials", "--client-id", "robot", "--issuer", &issuer];
    let mut command = home.program();
    let shown = blocking(|| ran(command.args(args).env("MCP_CLIENT_SECRET", "hush-hush")));
    ends_with(&shown, 0);
    home.expire(&served);
    let shown = ends_with(&blocking(|| home.run(&["status", &url])), 0);
    assert!(shown.contains("is renewed when it is next needed"), "{shown}");
    let before = served.world().count(Purpose::ClientCredentials);
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
    assert_eq!(served.world().count(Purpose::ClientCredentials), before + 1);
    assert!(home.opened().is_empty());
    // Without its secret there is nobody to act for itself.
    let args = ["login", "--force", &url, "--client-id", "public", "--issuer", &issuer];
    let said = ends_with(&blocking(|| home.run(&args)), 2);
    assert!(said.contains("RFC 6749 §4.4"), "{said}");
}

/// What the requests to the MCP server declare, before a token and with it; the same is named once.
fn declared(served: &Served) -> Vec<Value> {
    let mut found = Vec::new();
    let world = served.world();
    for exchange in world.exchanges().iter().filter(|it| it.is_for(Purpose::Mcp) && it.method == "POST") {
        let body: Value = serde_json::from_slice(&exchange.body).unwrap();
        let stateless = &body["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"];
        let stateful = &body["params"]["capabilities"];
        let said = if body["method"] == "initialize" { stateful } else { stateless };
        // On the wire with sessions it is said once, at their beginning.
        if !(said.is_null() || found.contains(said)) {
            found.push(said.clone());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_extension_that_a_grant_belongs_to_is_declared() {
    let extensions = json!({"extensions": {"io.modelcontextprotocol/oauth-client-credentials": {}}});
    for wires in [Wires::Stateless, Wires::Stateful] {
        let client =
            PreRegistered::confidential("robot", "hush-hush", "client_secret_basic", "http://127.0.0.1/x");
        let dials = Dials {
            wires,
            clients: vec![client],
            client_credentials: Some(ClientCredentials::default()),
            ..Dials::default()
        };
        let served = serve(dials).await.unwrap();
        let (home, url, issuer) = (Home::new(), served.server_url(), served.world().issuer(0));
        let args =
            ["login", &url, "--grant", "client-credentials", "--client-id", "robot", "--issuer", &issuer];
        let mut command = home.program();
        let shown = blocking(|| command.args(args).env("MCP_CLIENT_SECRET", "hush-hush").output().unwrap());
        ends_with(&shown, 0);
        assert_eq!(declared(&served), std::slice::from_ref(&extensions), "{wires:?}");
        // What was said at the login is known later.
        for later in [&["call", &url, "tools/list"][..], &["status", "--check", &url]] {
            served.world().clear_exchanges();
            ends_with(&blocking(|| home.run(later)), 0);
            assert_eq!(declared(&served), std::slice::from_ref(&extensions), "{wires:?} {later:?}");
        }
        // A person's client declares none.
        let served = serve(Dials { wires, ..Dials::default() }).await.unwrap();
        blocking(|| Home::logged_in(&served, &[]));
        assert_eq!(declared(&served), [json!({})], "{wires:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workload_is_known_by_what_its_platform_writes() {
    let served = serve(Dials { workload: Some(Workload::default()), ..Dials::default() }).await.unwrap();
    let (home, url) = (Home::new(), served.server_url());
    let token = served.world().workload_token(crate::support::now()).unwrap();
    let file = home.write("workload.jwt", &token);
    let args = ["login", "-v", &url, "--grant", "workload", "--assertion-file", &file];
    let shown = ends_with(&blocking(|| home.run(&args)), 0);
    assert!(shown.contains("Logged in.") && !shown.contains("eyJ"), "{shown}");
    let said = ends_with(&home.run(&["login", "https://mcp.example/mcp", "--grant", "workload"]), 2);
    assert!(said.contains("--assertion-file"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_cannot_be_kept_says_where_and_why() {
    let served = serve(Dials::default()).await.unwrap();
    let (home, url) = (Home::new(), served.server_url());
    home.write("state", "a file where a directory is wanted");
    let said = ends_with(&blocking(|| home.run_with_person(&served, &["login", &url])), 1);
    assert!(said.contains("state/mcp-auth/credentials") && said.contains("XDG_STATE_HOME"), "{said}");
    assert!(home.opened().is_empty(), "nobody is troubled for nothing");
    assert!(served.world().exchanges().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_is_quiet_and_verbose_is_beside_the_result() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = Home::new();
    let output = blocking(|| home.run_with_person(&served, &["-q", "login", &url]));
    assert_eq!(text(&output), "");
    ends_with(&output, 0);
    let output = blocking(|| home.run_with_person(&served, &["call", "-v", &url, "tools/list"]));
    ends_with(&output, 0);
    assert!(result(&output).starts_with('{') && result(&output).ends_with("}\n"));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(between(&errors, "Authorization: ", "  ").trim(), "Bearer …");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_says_where_by_default_and_moves_nothing() {
    let served = serve(Dials::default()).await.unwrap();
    let url = served.server_url();
    let home = blocking(|| Home::logged_in(&served, &[]));
    let run = |store: &str, url: &str| {
        let mut command = home.program();
        let command = command.env("MCP_AUTH_STORE", store).args(["call", url, "tools/list"]);
        blocking(|| ran(command))
    };
    for store in ["keyring", "file", "", "elsewhere"] {
        ends_with(&run(store, &url), 0);
    }
    let said = ends_with(&run("elsewhere", "https://mcp.example/mcp"), 2);
    assert!(said.contains("\"elsewhere\": expected file or keyring"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_signs_is_known_by_its_key_file() {
    let place = Home::new();
    let (key, pem) = Key::generate(Algorithm::Es256).unwrap();
    let client = PreRegistered::with_key("robot", key.public().value(), "http://127.0.0.1/x");
    let dials = Dials {
        clients: vec![client],
        auth_methods: Some(vec!["private_key_jwt".to_owned()]),
        client_credentials: Some(ClientCredentials::default()),
        ..Dials::default()
    };
    let served = serve(dials).await.unwrap();
    let (home, url, issuer) = (Home::new(), served.server_url(), served.world().issuer(0));
    let file = place.write("key.pem", pem.expose());
    let client = ["--client-id", "robot", "--issuer", &issuer, "--key", &file];
    let args: Vec<_> =
        ["login", "-v", &url, "--grant", "client-credentials"].into_iter().chain(client).collect();
    let shown = ends_with(&blocking(|| home.run(&args)), 0);
    assert!(shown.contains("  client     robot\n") && !shown.contains("eyJ"), "{shown}");
    // The file is found again, and read again.
    home.expire(&served);
    ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 0);
    assert_eq!(served.world().count(Purpose::ClientCredentials), 2);
    std::fs::write(&file, "no key").unwrap();
    let said = ends_with(&blocking(|| home.run(&["call", &url, "tools/list"])), 2);
    assert!(said.contains("key.pem") && !said.contains("no key"), "{said}");
    let said = ends_with(&blocking(|| home.run(&["logout", &url])), 2);
    assert!(said.contains(&format!("mcp-auth logout --forget-only {url}\n")), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_may_come_through_a_pipe() {
    let redirect_uri = "http://127.0.0.1:3334/callback";
    let client = PreRegistered::confidential("corp", "hush-hush", "client_secret_basic", redirect_uri);
    let dials = Dials { clients: vec![client], any_loopback_port: true, ..Dials::default() };
    let served = serve(dials).await.unwrap();
    let (home, url, issuer) = (Home::new(), served.server_url(), served.world().issuer(0));
    let file = home.write("secret", "hush-hush\n");
    let mut command = home.program();
    command.args(["login", &url, "--client-id", "corp", "--issuer", &issuer, "--client-secret-file", "-"]);
    command.stdin(std::fs::File::open(file).unwrap());
    let shown = ends_with(&blocking(|| home.attended(&served, &mut command)), 0);
    assert!(shown.contains("  client     corp\n"), "{shown}");
}
