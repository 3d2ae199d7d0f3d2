//! What the machine was told, and what it asked for, as rows.

use mcp_auth::base::text::clean;
use mcp_auth::{Failure, Kind, Outcome};
use serde_json::Value;

use super::ends::{ended, failed, reply, silence};
use super::flow::{Aside, Message, Row, Tone, What};
use super::story::{MAX_TEXT, Story, text, tone};
use super::values::split_url;
use crate::inspect;

/// What a scrubbed trace has in the place of a callback that nobody waited for: nothing of it is known.
const FOREIGN: &str = "?state=FOREIGN";

impl Story {
    pub(super) fn event(&mut self, event: &Value) {
        let answered = self.answered.take();
        self.subject = None;
        let (name, told) = match event {
            Value::String(name) => (name.as_str(), &Value::Null),
            Value::Object(members) => members.iter().next().map_or(("", event), |(name, told)| (name, told)),
            _ => ("", event),
        };
        match name {
            "restore" => {
                self.restoring = !self.going.attempt;
                self.aside(Aside::Event, "the host wants a token: is one kept?".to_owned(), Tone::Plain);
            }
            "log_in" => {
                let scopes = scopes(told.get("scopes"));
                let why = if scopes.is_empty() { String::new() } else { format!(", with {scopes}") };
                self.begin("Login", &format!("the host asks for it{why}"));
            }
            "log_out" => self.begin("Logout", "the host asks for it"),
            "challenged" => self.challenged(told, answered),
            "called" => self.called(told.as_str().unwrap_or_default()),
            "replied" => self.replied(told),
            "cancelled" => {
                self.aside(Aside::Event, "the host calls it off".to_owned(), Tone::Odd);
            }
            "abandoned" => {
                self.aside(Aside::Event, "whoever drove the machine is gone".to_owned(), Tone::Odd);
            }
            "client_disowned" => {
                let words = "the authorization server does not know the client any more";
                self.aside(Aside::Event, words.to_owned(), Tone::Odd);
            }
            "nonce" => {
                let words = "the MCP server gave a nonce for the proofs to come (RFC 9449 §8.2)";
                self.aside(Aside::Event, words.to_owned(), Tone::Plain);
            }
            _ => {}
        }
    }

    fn begin(&mut self, title: &'static str, why: &str) {
        self.titles.push(title);
        self.going.attempt = true;
        self.push(What::Begin { title: title.to_owned(), why: clean(why, MAX_TEXT) });
    }

    fn challenged(&mut self, told: &Value, answered: Option<usize>) {
        let demand = told.get("demand").unwrap_or(&Value::Null);
        let (step_up, scope) = (told.get("step_up") == Some(&Value::Bool(true)), scopes(demand.get("scope")));
        let mut refused = answered;
        if answered.is_none() {
            let named = [("error", text(demand, "error").to_owned()), ("scope", scope.clone())];
            let said = named.into_iter().filter(|(_, value)| !value.is_empty());
            let parameters = said.map(|(name, value)| self.aliases.parameter(name, &value)).collect();
            let head = if step_up { "403" } else { "401" };
            let purpose = clean(text(told, "operation"), 80);
            let message = Message { purpose, head: head.to_owned(), url: None, parameters, tone: Tone::Odd };
            let (from, to) = (self.cast.mcp_server(), 0);
            refused = Some(self.push(What::Message { from, to, message }));
        }
        let operation = clean(text(told, "operation"), 80);
        let operation = if operation.is_empty() { "a request".to_owned() } else { operation };
        if self.going.attempt {
            let words = format!("{operation} was refused too; it waits for the same end");
            self.aside(Aside::Event, words, Tone::Plain);
        } else if step_up {
            self.begin("Step-up", &format!("{operation} needs {scope}"));
        } else if told.get("refused").is_some_and(Value::is_u64) {
            self.begin("Token refused", &format!("{operation} was refused, though it carried the token"));
        } else {
            self.begin("Login", &format!("{operation} was refused, because it carried no token"));
        }
        // What the machine made of the challenge stands beside it.
        self.subject = refused;
    }

    fn called(&mut self, callback: &str) {
        if !self.going.attempt && self.titles.is_empty() {
            self.begin("Login taken up", "another process has asked the person");
            self.going.person = true;
        }
        let from = self.cast.person();
        if callback == FOREIGN {
            let (purpose, head) = ("callback".to_owned(), "that nobody waited for".to_owned());
            let message = Message { purpose, head, url: None, parameters: Vec::new(), tone: Tone::Odd };
            self.push(What::Message { from, to: 0, message });
            return;
        }
        let (place, query) = callback.split_once('?').unwrap_or(("", callback));
        let (origin, path) = split_url(place);
        let (head, url) = match place {
            "" => ("without its place".to_owned(), None),
            _ => (format!("GET {path}"), Some(format!("{origin}{path}"))),
        };
        let parameters = self.aliases.form(query.split('#').next().unwrap_or_default());
        let failed = parameters.iter().any(|it| it.name == "error");
        let message = Message {
            purpose: "callback".to_owned(),
            head,
            url,
            parameters,
            tone: if failed { Tone::Odd } else { Tone::Plain },
        };
        self.push(What::Message { from, to: 0, message });
    }

    fn replied(&mut self, told: &Value) {
        let id = told.get("id").and_then(Value::as_u64).unwrap_or_default();
        let Some(place) = self.pending.remove(&id) else { return };
        self.subject = Some(place);
        let answer = told.get("answer").unwrap_or(&Value::Null);
        let (name, value) = match answer {
            Value::String(name) => (name.as_str(), &Value::Null),
            Value::Object(members) => {
                members.iter().next().map_or(("", answer), |(name, value)| (name, value))
            }
            _ => ("", answer),
        };
        let why = clean(value.as_str().unwrap_or_default(), 160);
        let now = self.now().as_secs();
        self.held_back = name == "not_sent" && self.inspects && !self.discovers(place);
        let message = match name {
            "response" => Some(self.response(value)),
            "not_sent" if self.held_back => {
                Some(Message { tone: Tone::Odd, ..silence("not sent by the host", inspect::NO_FURTHER) })
            }
            "not_sent" => Some(silence("not sent", &why)),
            "interrupted" => Some(silence("no whole answer", &why)),
            "timed_out" => Some(silence("no answer in time", "")),
            "too_large" => Some(silence("too large an answer", "")),
            "address_refused" => Some(silence("the address may not be reached", &why)),
            _ => None,
        };
        let Some(Row { what, .. }) = self.rows.get_mut(place) else { return };
        match what {
            What::Exchange { request, answer, .. } => {
                let mut message = message;
                // What was said already need not be said again.
                for it in message.iter_mut().flat_map(|message| &mut message.parameters) {
                    it.minor |=
                        request.parameters.iter().any(|said| said.name == it.name && said.value == it.value);
                }
                *answer = message;
            }
            What::Aside { text, tone, .. } => {
                let (words, how) = reply(name, value, now, &why);
                *text = clean(&format!("{text}: {words}"), MAX_TEXT);
                *tone = how;
            }
            What::Message { .. } if matches!(name, "unasked" | "no_client" | "client") => {
                let (words, how) = reply(name, value, now, &why);
                self.aside(Aside::Event, words, how);
            }
            _ => {}
        }
    }

    /// Whether it is the request for metadata.
    fn discovers(&self, place: usize) -> bool {
        match self.rows.get(place).map(|row| &row.what) {
            Some(What::Exchange { request, .. }) => request.purpose.ends_with(" metadata"),
            _ => false,
        }
    }

    fn response(&mut self, value: &Value) -> Message {
        let status = value.get("status").and_then(Value::as_u64).unwrap_or_default();
        let status = u16::try_from(status).unwrap_or_default();
        let body = value.get("body").and_then(Value::as_str).unwrap_or_default();
        let mut parameters = self.aliases.members(body);
        for field in value.get("fields").and_then(Value::as_array).into_iter().flatten().take(20) {
            let part = |place| field.get(place).and_then(Value::as_str).unwrap_or_default();
            match part(0) {
                "dpop-nonce" | "location" | "retry-after" => {
                    parameters.push(self.aliases.parameter(part(0), part(1)));
                }
                "www-authenticate" => parameters.extend(self.aliases.challenge(part(1))),
                _ => {}
            }
        }
        let unread = parameters.is_empty() && !body.is_empty();
        let unread = if unread { " · no JSON object" } else { "" };
        let head = format!("{status}{unread}");
        Message { purpose: String::new(), head, url: None, parameters, tone: tone(status) }
    }

    pub(super) fn action(&mut self, action: &Value) {
        let Some((name, asked)) = action.as_object().and_then(|members| members.iter().next()) else {
            return;
        };
        let id = asked.get("id").and_then(Value::as_u64);
        let place = match name.as_str() {
            "load" => Some(self.aside(Aside::Store, "store, read".to_owned(), Tone::Plain)),
            "store" => Some(self.aside(Aside::Store, "store, write the tokens".to_owned(), Tone::Plain)),
            "forget" => Some(self.aside(Aside::Store, "store, forget the record".to_owned(), Tone::Plain)),
            "send" => Some(self.sent(asked)),
            "open" => Some(self.opened(text(asked, "url"))),
            "show" => Some(self.shown(asked)),
            "ask" => Some(self.asked(asked)),
            "sign" => {
                let what =
                    if asked.get("key").is_some_and(|key| key == "proof") { "proof" } else { "assertion" };
                let words = format!("key, sign a {what} with {}", clean(text(asked, "algorithm"), 20));
                Some(self.aside(Aside::Key, words, Tone::Plain))
            }
            "supply" => {
                let words = format!("assertion wanted ({})", clean(text(asked, "kind"), 40));
                Some(self.aside(Aside::Assertion, words, Tone::Plain))
            }
            "renewed" => {
                self.end(asked, true);
                None
            }
            "finish" => {
                self.end(asked, false);
                None
            }
            _ => return,
        };
        if let Some((id, place)) = id.zip(place) {
            self.pending.insert(id, place);
        }
    }

    fn sent(&mut self, asked: &Value) -> usize {
        let url = text(asked, "url");
        let (origin, path) = split_url(url);
        let purpose = text(asked, "purpose");
        // While a person thinks, only the grant in use is renewed.
        self.going.beside = self.going.beside || (self.going.person && purpose == "refresh");
        if std::mem::take(&mut self.restoring) && !self.going.person {
            let (title, why) = match purpose {
                "refresh" => ("Renewal", "the token that is kept has run out"),
                _ => ("Grant", "nobody needs to be asked"),
            };
            self.begin(title, why);
        }
        let mut parameters = self.aliases.form(url.split_once('?').map_or("", |(_, query)| query));
        let body = asked.get("body").and_then(Value::as_str).unwrap_or_default();
        let read = if body.starts_with('{') { self.aliases.members(body) } else { self.aliases.form(body) };
        parameters.extend(read);
        for field in asked.get("fields").and_then(Value::as_array).into_iter().flatten().take(20) {
            let part = |place| field.get(place).and_then(Value::as_str).unwrap_or_default();
            parameters.extend(self.aliases.field(part(0), part(1)));
        }
        let request = Message {
            purpose: clean(&purpose.replace('_', " "), 40),
            head: format!("{} {path}", clean(text(asked, "method"), 20)),
            url: Some(format!("{origin}{path}")),
            parameters,
            tone: Tone::Plain,
        };
        let to = self.cast.at(url);
        self.push(What::Exchange { from: 0, to, request, answer: None })
    }

    fn opened(&mut self, url: &str) -> usize {
        let (origin, path) = split_url(url);
        self.going.person = true;
        let query = url.split_once('?').map_or("", |(_, query)| query);
        let message = Message {
            purpose: "authorization request".to_owned(),
            head: format!("GET {path}"),
            url: Some(format!("{origin}{path}")),
            parameters: self.aliases.form(query.split('#').next().unwrap_or_default()),
            tone: Tone::Plain,
        };
        let (from, to) = (self.cast.person(), self.cast.at(url));
        self.push(What::Message { from, to, message })
    }

    fn shown(&mut self, asked: &Value) -> usize {
        self.going.person = true;
        let parameters = vec![
            self.aliases.parameter("user_code", text(asked, "user_code")),
            self.aliases.parameter("verification_uri", text(asked, "verification_uri")),
        ];
        let (purpose, head) = ("user code".to_owned(), "shown on the screen".to_owned());
        let message = Message { purpose, head, url: None, parameters, tone: Tone::Plain };
        let to = self.cast.person();
        self.push(What::Message { from: 0, to, message })
    }

    fn asked(&mut self, asked: &Value) -> usize {
        let parameters = vec![self.aliases.parameter("issuer", text(asked, "issuer"))];
        let (purpose, head) = ("question".to_owned(), "which client identifier?".to_owned());
        let message = Message { purpose, head, url: None, parameters, tone: Tone::Plain };
        let to = self.cast.person();
        self.push(What::Message { from: 0, to, message })
    }

    fn end(&mut self, asked: &Value, beside: bool) {
        let now = self.now().as_secs();
        let failure = asked.get("failure").and_then(|it| serde_json::from_value::<Failure>(it.clone()).ok());
        let outcome = asked.get("outcome").and_then(|it| serde_json::from_value::<Outcome>(it.clone()).ok());
        self.restoring = false;
        if !self.going.attempt && !beside {
            let words = match &outcome {
                Some(Outcome::Anonymous) => "no grant: the request goes without a token",
                Some(Outcome::Authorized(_)) => "the token that is kept serves",
                _ => "",
            };
            if !words.is_empty() {
                self.aside(Aside::Event, words.to_owned(), Tone::Plain);
                return;
            }
        }
        let (title, lines, tone) = match (failure, outcome) {
            // Nothing went wrong, and nothing is to be done about it.
            (Some(failure), _) if self.held_back && failure.kind() == Kind::Unreachable => {
                let why = format!("{}, so it goes no further", inspect::NO_FURTHER);
                ("The inspection ends here".to_owned(), vec![why], Tone::Plain)
            }
            (Some(failure), _) => failed(&failure, now),
            (None, Some(outcome)) => ended(&outcome, now),
            (None, None) => ("Over".to_owned(), Vec::new(), Tone::Plain),
        };
        let title = if beside { format!("Renewal beside the login: {title}") } else { title };
        self.push(What::End { title, lines: lines.iter().map(|it| clean(it, MAX_TEXT)).collect(), tone });
        if beside {
            self.going.beside = false;
        } else {
            self.going = super::flow::Going { beside: self.going.beside, ..Default::default() };
        }
    }
}

/// Scopes in the form of the trace.
fn scopes(value: Option<&Value>) -> String {
    let text = match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        _ => String::new(),
    };
    clean(&text, 160)
}
