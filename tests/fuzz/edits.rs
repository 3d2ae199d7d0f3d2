//! Small changes to what has a form, so that most of it still holds: bytes choose what is changed, and how.

use serde_json::Value;

#[path = "../../src/trace/members.rs"]
mod members;

use members::SECRET;

/// The bytes of a case, one after another; 0 when there are no more.
pub(crate) struct Choices<'a>(std::slice::Iter<'a, u8>);

impl<'a> Choices<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data.iter())
    }

    pub(crate) fn are_left(&self) -> bool {
        !self.0.as_slice().is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }

    /// One of this many. Of none, the first.
    pub(crate) fn below(&mut self, many: usize) -> usize {
        let number = usize::from(self.byte()) << 8 | usize::from(self.byte());
        number.checked_rem(many).unwrap_or_default()
    }
}

/// Texts that mean something elsewhere. A name may stand for a name, and a secret for a secret; a text that is both would be
/// seen wherever the name is.
#[derive(Default)]
pub(crate) struct Pool {
    names: Vec<String>,
    secrets: Vec<String>,
}

impl Pool {
    /// Takes every text in a value; those that hold several others are left out, credentials of a request among them, and so
    /// are the tokens that stand beside their issuers.
    pub(crate) fn learn(&mut self, name: &str, value: &Value) {
        match value {
            Value::String(text) if is_secret(name) => self.secrets.push(text.clone()),
            Value::Array(_) if name == "initial_access_tokens" => {}
            Value::String(text) if !(text.contains(['"', '&', '?']) || is_credential(text)) => {
                self.names.push(text.clone());
            }
            Value::Array(entries) => entries.iter().for_each(|entry| self.learn(name, entry)),
            Value::Object(members) => members.iter().for_each(|(name, member)| self.learn(name, member)),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn choose(&self, secret: bool, choices: &mut Choices<'_>) -> Value {
        let texts = if secret { &self.secrets } else { &self.names };
        texts.get(choices.below(texts.len())).map_or(Value::Null, |text| text.as_str().into())
    }
}

/// Changes one value within this one.
pub(crate) fn edit(value: &mut Value, choices: &mut Choices<'_>, pool: &Pool) {
    let (mut place, mut secret, mut person) = (value, false, false);
    // Down to a value that holds no others, or now and then to one that does.
    while !(choices.byte() < 24 || is_leaf(place)) {
        let next = match place {
            Value::Object(members) => {
                let chosen = choices.below(members.len());
                members.iter_mut().nth(chosen).map(|(name, member)| {
                    secret = is_secret(name);
                    person = ["account", "contacts"].contains(&name.as_str());
                    member
                })
            }
            Value::Array(entries) => {
                let chosen = choices.below(entries.len());
                entries.get_mut(chosen)
            }
            _ => None,
        };
        let Some(next) = next else { return };
        place = next;
    }
    match choices.byte() % 8 {
        0 => *place = Value::Null,
        1 => *place = [0, 1, u64::MAX, 1 << 63, 1_800_000_000][choices.below(5)].into(),
        2 => *place = Value::Bool(choices.byte() > 127),
        // A person is called neither as a word of the protocol nor as a secret is.
        3 | 4 if person => *place = "alice/4711".into(),
        3 | 4 => *place = pool.choose(secret, choices),
        5 => *place = serde_json::json!({"x": -1.5e300}),
        6 => match place {
            Value::Object(members) => {
                let name = members.keys().nth(choices.below(members.len())).cloned();
                let removed = name.and_then(|name| members.remove(&name));
                drop(removed);
            }
            Value::Array(entries) => entries.extend_from_within(..),
            Value::Number(number) => {
                let by = u64::from(choices.byte());
                *place = number.as_u64().map_or(0, |number| number.wrapping_add(by)).into();
            }
            _ => *place = Value::Array(Vec::new()),
        },
        _ => {
            if let Value::String(text) = place {
                let mut bytes = std::mem::take(text).into_bytes();
                let chosen = choices.below(bytes.len());
                if let Some(byte) = bytes.get_mut(chosen) {
                    *byte = choices.byte();
                }
                *text = String::from_utf8_lossy(&bytes).into_owned();
            } else {
                *place = String::new().into();
            }
        }
    }
}

/// The members that hold secrets, and the assertion of a host, which stands under the name of its answer.
fn is_secret(name: &str) -> bool {
    SECRET.contains(&name) || name == "supplied"
}

fn is_credential(text: &str) -> bool {
    ["Basic ", "Bearer ", "DPoP "].iter().any(|scheme| text.starts_with(scheme))
}

fn is_leaf(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.is_empty(),
        Value::Array(entries) => entries.is_empty(),
        _ => true,
    }
}
