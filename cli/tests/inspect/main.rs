//! `mcp-auth inspect` as a person runs it, against servers with dials and against hostile ones.

mod deviations;
mod hostile;
#[path = "../cli/recorded.rs"]
mod recorded;

use std::collections::BTreeSet;
use std::process::{Command, Output};

use mcp_auth_testbed::{
    AuthorizationServers, Dials, Dpop, Iss, IssuerValue, Purpose, ResourceMetadata, ServerMetadata, serve,
};
use serde_json::Value;

use deviations::{Case, authorization_cases, case, resource_cases, server_cases};
use recorded::ran;

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mcp-auth"));
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR"] {
        command.env_remove(name);
    }
    command.arg("inspect");
    command
}

fn inspect(url: &str, arguments: &[&str]) -> Output {
    ran(program().arg(url).args(arguments))
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text:?}"))
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + std::str::from_utf8(&output.stderr).unwrap()
}

/// What was found, as `id verdict`; without what is as it should be.
fn found(report: &Value, least: &[&str]) -> BTreeSet<String> {
    let checks =
        report["documents"].as_array().unwrap().iter().flat_map(|it| it["checks"].as_array().unwrap());
    let told = checks.map(|it| (it["id"].as_str().unwrap(), it["verdict"].as_str().unwrap()));
    told.filter(|(_, verdict)| least.contains(verdict))
        .map(|(id, verdict)| format!("{id} {verdict}"))
        .collect()
}

/// Servers with these dials, looked at with these arguments. What runs the servers is not kept waiting.
fn looked_at(dials: Dials, arguments: &'static [&'static str]) -> Output {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let served = runtime.block_on(serve(dials)).unwrap();
    let output = inspect(&served.server_url(), arguments);
    let world = served.world();
    for purpose in [Purpose::Registration, Purpose::Authorize, Purpose::Token, Purpose::Revoke] {
        assert_eq!(world.count(purpose), 0, "{purpose:?} was asked for");
    }
    output
}

fn check(cases: Vec<Case>) {
    let mut failed = Vec::new();
    for Case { name, dials, said, code, client } in cases {
        let output = looked_at(dials, &["--json"]);
        let report = json(&output);
        let told = found(&report, &["odd", "wrong"]);
        let expected: BTreeSet<_> = said.iter().map(|said| (*said).to_owned()).collect();
        let summary = report["client"]["summary"].as_str().unwrap();
        let whole = text(&output);
        if told != expected
            || output.status.code() != Some(code)
            || !summary.contains(client)
            || !output.stderr.is_empty()
            || whole.contains("hush")
        {
            failed.push(format!("{name}: {told:?}, {:?}, {summary}", output.status.code()));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn each_deviation_of_the_mcp_server_is_named() {
    check(server_cases());
}

#[test]
fn each_deviation_of_the_resource_metadata_is_named() {
    check(resource_cases());
}

#[test]
fn each_deviation_of_the_authorization_server_is_named() {
    check(authorization_cases());
}

#[test]
fn what_is_worth_knowing_is_noted() {
    let cases = [
        case(
            "bound",
            |it| it.dpop = Some(Dpop::default()),
            &["prm-dpop note", "bad-token-error skipped"],
            0,
            "",
        ),
        case("elsewhere", |it| it.endpoints_elsewhere = true, &["as-endpoint-origins note"], 0, ""),
        case("OpenID", |it| it.server_metadata = ServerMetadata::OpenidAppended, &["as-place note"], 0, ""),
        case("no revocation", |it| it.revocation = false, &["as-revocation note"], 0, ""),
        case("no scopes", |it| it.resource_scopes = None, &["prm-scopes note"], 0, ""),
        case(
            "many servers",
            |it| {
                let servers = (0..6).map(|n| format!("http://localhost:1/{n}")).collect();
                it.authorization_servers = AuthorizationServers::Raw(servers);
            },
            &["as-inspected skipped"],
            1,
            "",
        ),
    ];
    for Case { name, dials, said, code, .. } in cases {
        let output = looked_at(dials, &["--json"]);
        let told = found(&json(&output), &["note", "skipped"]);
        for said in said {
            assert!(told.contains(*said), "{name}: {told:?}");
        }
        assert_eq!(output.status.code(), Some(code), "{name}");
    }
}

#[test]
fn a_person_reads_what_is_wrong_and_what_to_do() {
    let shown = |arguments| {
        let dials = Dials { issuer: IssuerValue::TrailingSlash, iss: Iss::Absent, ..Dials::default() };
        let output = looked_at(dials, arguments);
        assert_eq!(output.status.code(), Some(1));
        text(&output)
    };
    let quiet = shown(&[]);
    for expected in [
        "\nAuthorization server http://127.0.0.1:",
        "\n  ✓ 14 checks passed\n",
        "\n  ✗ the document names the issuer that the resource named, byte for byte",
        "RFC 8414 §3.3\n    as-issuer: http://127.0.0.1:",
        "by a slash at its end\n    → Make authorization_servers and issuer the same text",
        "\n✗ MCP 2025-11-25 and 2026-07-28 are not satisfied:\n    as-issuer (MCP 2026-07-28, authorization server metadata discovery)\n",
        "\nwrong: 1 wrong, 1 odd, ",
        "\nA client would stop at the authorization server metadata: ",
    ] {
        assert!(quiet.contains(expected), "{expected:?} is missing in\n{quiet}");
    }
    // The worst comes first, and what is well is only counted.
    assert!(quiet.find("as-issuer:") < quiet.find("as-iss:"), "{quiet}");
    assert!(!quiet.contains("prm-found") && !quiet.contains("GET"), "{quiet}");
    assert!(!quiet.contains('\u{1b}'), "colours where nobody sees them");
    let all = shown(&["--verbose"]);
    for expected in
        ["✓ the server publishes protected resource metadata", "prm-found: http://", "GET http://127"]
    {
        assert!(all.contains(expected), "{expected:?} is missing in\n{all}");
    }
}

#[test]
fn endpoints_are_asked_on_demand() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let served = runtime.block_on(serve(Dials::default())).unwrap();
    let output = inspect(&served.server_url(), &["--probe", "--json"]);
    let told = found(&json(&output), &["ok"]);
    for id in ["token-error ok", "authorize-answers ok", "authorize-redirect ok"] {
        assert!(told.contains(id), "{id} is missing in {told:?}");
    }
    assert_eq!(output.status.code(), Some(0));
    let world = served.world();
    let counted = [Purpose::Token, Purpose::Authorize, Purpose::Registration].map(|it| world.count(it));
    assert_eq!(counted, [1, 1, 0]);
}

#[test]
fn the_exit_code_is_for_scripts() {
    let odd = || Dials { iss: Iss::Absent, ..Dials::default() };
    assert_eq!(looked_at(odd(), &[]).status.code(), Some(0));
    assert_eq!(looked_at(odd(), &["--strict"]).status.code(), Some(1));
    assert_eq!(looked_at(Dials::default(), &["--strict"]).status.code(), Some(0));
    for (url, why) in [
        ("mcp.example", "is no absolute URL"),
        ("http://mcp.example/mcp", "is not https"),
        ("https://user:hush@mcp.example/mcp", "carries user info"),
        ("http://127.0.0.1:1/mcp?key=hush", "the MCP server did not answer: no connection: "),
    ] {
        let output = inspect(url, &["--json"]);
        assert_eq!(output.status.code(), Some(2), "{url}");
        let report = json(&output);
        assert_eq!((&report["result"], &report["version"]), (&"error".into(), &1.into()), "{url}");
        assert!(report["error"].as_str().unwrap().contains(why), "{url}: {report}");
        assert!(text(&output).contains("error: ") && !text(&output).contains("hush"), "{url}");
        assert!(inspect(url, &[]).stdout.is_empty(), "{url}");
    }
    assert_eq!(inspect("https://mcp.example/mcp", &["--timeout", "0"]).status.code(), Some(2));
}

/// The members of the report, with their places; the entries of a list count as one.
fn members(value: &Value, at: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                members(value, &format!("{at}.{name}"), found);
            }
        }
        Value::Array(list) => {
            list.iter().for_each(|value| members(value, &format!("{at}[]"), found));
        }
        _ => {
            found.insert(at.to_owned());
        }
    }
}

#[test]
fn the_form_of_the_report_is_stable() {
    let dials =
        Dials { resource_metadata: ResourceMetadata::PathAndRoot, iss: Iss::Absent, ..Dials::default() };
    let report = json(&looked_at(dials, &["--json"]));
    let mut found = BTreeSet::new();
    members(&report, "", &mut found);
    let found: Vec<_> = found.into_iter().collect();
    let expected = [
        ".client.authorization_server",
        ".client.dpop",
        ".client.legacy",
        ".client.outcome",
        ".client.registration[]",
        ".client.resource",
        ".client.scopes[]",
        ".client.summary",
        ".client.token_endpoint_auth_method",
        ".counts.note",
        ".counts.odd",
        ".counts.ok",
        ".counts.skipped",
        ".counts.wrong",
        ".documents[].checks[].advice",
        ".documents[].checks[].clauses[]",
        ".documents[].checks[].expected",
        ".documents[].checks[].got",
        ".documents[].checks[].id",
        ".documents[].checks[].verdict",
        ".documents[].document",
        ".documents[].exchanges[].bytes",
        ".documents[].exchanges[].content_type",
        ".documents[].exchanges[].failure",
        ".documents[].exchanges[].method",
        ".documents[].exchanges[].milliseconds",
        ".documents[].exchanges[].status",
        ".documents[].exchanges[].url",
        ".documents[].exchanges[].what",
        ".documents[].subject",
        ".format",
        ".result",
        ".revisions[].left_undone[].clause",
        ".revisions[].left_undone[].id",
        ".revisions[].revision",
        ".revisions[].satisfied",
        ".url",
        ".version",
    ];
    assert_eq!(found, expected);
    assert_eq!((&report["format"], &report["version"]), (&"mcp-auth-inspect".into(), &1.into()));
    assert_eq!(
        report["revisions"][1]["left_undone"],
        serde_json::json!([{"id": "as-iss", "clause": "MCP 2026-07-28, authorization response validation"}])
    );
    assert_eq!(report["revisions"][0]["left_undone"], serde_json::json!([]));
}
