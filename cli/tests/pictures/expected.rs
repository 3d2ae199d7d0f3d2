//! What a picture of a trace must show, read from the trace itself: nothing of what draws it is used.

use mcp_auth::Failure;
use mcp_auth::base::text::clean;
use serde_json::Value;

/// A message, and what came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrow {
    /// What it is for, in the words of the page.
    pub(crate) purpose: String,
    /// Method and path, or what stands there instead.
    pub(crate) head: String,
    /// How the answer begins; `None`: it is a message that is not answered by another.
    pub(crate) answer: Option<String>,
}

/// What a trace says.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) arrows: Vec<Arrow>,
    pub(crate) failures: Vec<Failure>,
}

/// What stands where no answer came.
const UNANSWERED: &str = "not answered in this trace";

impl Expected {
    pub(crate) fn of(trace: &str) -> Self {
        let mut expected = Self::default();
        // The sends and the requests of the host that wait: id, and place.
        let mut waiting: Vec<(u64, usize)> = Vec::new();
        let (mut requested, mut refused) = (None, false);
        for line in trace.lines().skip(1) {
            let line: Value = serde_json::from_str(line).unwrap();
            if let Some(action) = line.get("action") {
                expected.action(action, &mut waiting);
            } else if let Some(event) = line.get("event") {
                let told = event.get("challenged").filter(|_| !refused);
                // A refusal that no recorded response has told of.
                expected.arrows.extend(told.map(|it| Arrow {
                    purpose: text(it, "operation"),
                    head: if it["step_up"] == true { "403" } else { "401" }.to_owned(),
                    answer: None,
                }));
                expected.event(event, &mut waiting);
                refused = false;
            } else if let Some(request) = line.pointer("/note/request") {
                requested = Some(expected.arrows.len());
                expected.arrows.push(Arrow {
                    purpose: text(request, "operation"),
                    head: format!("{} {}", text(request, "method"), path(&text(request, "url"))),
                    answer: Some(UNANSWERED.to_owned()),
                });
            } else if let (Some(response), Some(place)) = (line.pointer("/note/response"), requested.take()) {
                expected.arrows[place].answer = Some(response["status"].to_string());
                refused = true;
            }
        }
        expected
    }

    fn action(&mut self, action: &Value, waiting: &mut Vec<(u64, usize)>) {
        let (name, asked) = member(action);
        let (purpose, head) = match name {
            "send" => {
                waiting.push((asked["id"].as_u64().unwrap(), self.arrows.len()));
                let purpose = text(asked, "purpose").replace('_', " ");
                (purpose, format!("{} {}", text(asked, "method"), path(&text(asked, "url"))))
            }
            "open" => ("authorization request".to_owned(), format!("GET {}", path(&text(asked, "url")))),
            "show" => ("user code".to_owned(), "shown on the screen".to_owned()),
            "ask" => ("question".to_owned(), "which client identifier?".to_owned()),
            _ => {
                let failure = asked.get("failure");
                self.failures.extend(failure.map(|it| serde_json::from_value(it.clone()).unwrap()));
                return;
            }
        };
        self.arrows.push(Arrow { purpose, head, answer: (name == "send").then(|| UNANSWERED.to_owned()) });
    }

    fn event(&mut self, event: &Value, waiting: &mut Vec<(u64, usize)>) {
        if let Some(called) = event.get("called").and_then(Value::as_str) {
            let head = match called {
                "?state=FOREIGN" => "that nobody waited for".to_owned(),
                awaited if awaited.starts_with('?') || !awaited.contains('?') => {
                    "without its place".to_owned()
                }
                awaited => format!("GET {}", path(awaited)),
            };
            self.arrows.push(Arrow { purpose: "callback".to_owned(), head, answer: None });
        }
        let Some(replied) = event.get("replied") else { return };
        let Some(at) = waiting.iter().position(|(id, _)| replied["id"] == *id) else { return };
        let (_, place) = waiting.remove(at);
        let answer = &replied["answer"];
        let (name, value) =
            if answer.is_object() { member(answer) } else { (answer.as_str().unwrap(), answer) };
        let told = match name {
            "response" => value["status"].to_string(),
            "not_sent" => "not sent".to_owned(),
            "interrupted" => "no whole answer".to_owned(),
            "timed_out" => "no answer in time".to_owned(),
            "too_large" => "too large an answer".to_owned(),
            "address_refused" => "the address may not be reached".to_owned(),
            other => panic!("what stands in a picture for {other}?"),
        };
        self.arrows[place].answer = Some(told);
    }

    /// How many arrows there are, there and back.
    pub(crate) fn both_ways(&self) -> usize {
        let answered = |arrow: &&Arrow| arrow.answer.as_deref().is_some_and(|told| told != UNANSWERED);
        self.arrows.len() + self.arrows.iter().filter(answered).count()
    }
}

/// The hosts that a trace names, but for loopback.
pub(crate) fn hosts(trace: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in trace.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let places = ["/config/server", "/action/send/url", "/action/open/url", "/note/request/url"];
        let urls = places.iter().filter_map(|place| line.pointer(place)?.as_str());
        let parsed = urls.filter_map(|url| url::Url::parse(url).ok());
        found.extend(parsed.filter_map(|url| url.domain().map(str::to_owned)));
    }
    found.retain(|host| host != "localhost");
    found.sort();
    found.dedup();
    found
}

fn member(value: &Value) -> (&str, &Value) {
    static NONE: Value = Value::Null;
    match value {
        Value::Object(members) => members.iter().next().map_or(("", &NONE), |(name, it)| (name, it)),
        Value::String(name) => (name, &NONE),
        _ => ("", &NONE),
    }
}

fn text(value: &Value, name: &str) -> String {
    clean(value[name].as_str().unwrap_or_default(), 160)
}

/// The path of a URL.
fn path(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap();
    let rest = bare.split_once("://").map_or(bare, |(_, rest)| rest);
    clean(rest.find('/').map_or("/", |at| &rest[at..]), 160)
}
