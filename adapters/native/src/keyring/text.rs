//! One text in a keyring: in one entry where it fits, and in several where entries are small.
//!
//! | entry | what is in it |
//! |---|---|
//! | `NAME` | the text; or `{"parts":3,"slot":"a","digest":"…"}` if it is too long |
//! | `NAME/a/1`, … | the parts of such a text, in one of two slots, `a` and `b` |
//! | `NAME.corrupt-1`, … | what was found and could not be read |
//!
//! A long text is written into the slot that is not in use, and counts as written when `NAME` names that slot: whoever dies
//! before that has changed nothing. The digest tells a reader, who takes no lock, that what it put together was never one
//! text. What a process that died has left is overwritten or deleted by the next write.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::KeyringError;

/// The most parts of a text: far more than a record has.
const MOST: usize = 64;

/// The most texts that are set aside under one name.
const KEPT: usize = 100;

/// What a keyring does.
pub(super) trait Entries {
    /// How much one entry takes, in bytes. `None`: more than any record has.
    fn limit(&self) -> Option<usize>;
    fn entry(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, KeyringError>;
    fn set(&self, name: &str, value: &[u8]) -> Result<(), KeyringError>;
    /// It is well if there is none.
    fn delete(&self, name: &str) -> Result<(), KeyringError>;
}

/// What stands under a name.
pub(super) enum Found {
    Nothing,
    Text(Zeroizing<Vec<u8>>),
    /// A text of several parts that do not make one.
    Torn,
}

/// What stands in the place of a text of several parts.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    parts: usize,
    slot: Slot,
    digest: String,
}

#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum Slot {
    A,
    B,
}

impl Slot {
    fn other(self) -> Self {
        if self == Self::A { Self::B } else { Self::A }
    }

    fn part(self, name: &str, number: usize) -> String {
        let slot = if self == Self::A { 'a' } else { 'b' };
        format!("{name}/{slot}/{number}")
    }
}

fn digest(text: &[u8]) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn head(entry: &[u8]) -> Option<Head> {
    serde_json::from_slice(entry).ok()
}

/// What stands under this name.
pub(super) fn read(entries: &impl Entries, name: &str) -> Result<Found, KeyringError> {
    let Some(entry) = entries.entry(name)? else { return Ok(Found::Nothing) };
    let Some(head) = head(&entry) else { return Ok(Found::Text(entry)) };
    let mut parts = Vec::new();
    for number in 1..=head.parts.min(MOST) {
        match entries.entry(&head.slot.part(name, number))? {
            Some(part) => parts.push(part),
            None => return Ok(Found::Torn),
        }
    }
    // Room for all of it: a vector that grows leaves behind what is not wiped.
    let mut text = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| text.extend_from_slice(part));
    Ok(if digest(&text) == head.digest { Found::Text(text) } else { Found::Torn })
}

/// Puts a text under this name, whole or not at all. Whoever calls this holds the lock.
pub(super) fn write(entries: &impl Entries, name: &str, text: &[u8]) -> Result<(), KeyringError> {
    let Some(limit) = entries.limit() else { return entries.set(name, text) };
    let old = entries.entry(name)?.and_then(|entry| head(&entry)).map(|head| head.slot);
    if text.len() <= limit {
        entries.set(name, text)?;
        return old.map_or(Ok(()), |slot| clear(entries, name, slot, 1));
    }
    let parts: Vec<_> = text.chunks(limit.max(1)).collect();
    if parts.len() > MOST {
        return Err(KeyringError::TooLarge { size: text.len(), most: limit.saturating_mul(MOST) });
    }
    let slot = old.map_or(Slot::A, Slot::other);
    for (number, part) in (1..).zip(&parts) {
        entries.set(&slot.part(name, number), part)?;
    }
    let head = Head { parts: parts.len(), slot, digest: digest(text) };
    let head = serde_json::to_vec(&head).map_err(|error| KeyringError::Failed(error.to_string()))?;
    entries.set(name, &head)?;
    clear(entries, name, slot, parts.len().saturating_add(1))?;
    clear(entries, name, slot.other(), 1)
}

/// Deletes what stands under this name, and what processes that died have left. Whoever calls this holds the lock.
pub(super) fn delete(entries: &impl Entries, name: &str) -> Result<(), KeyringError> {
    entries.delete(name)?;
    if entries.limit().is_some() {
        clear(entries, name, Slot::A, 1)?;
        clear(entries, name, Slot::B, 1)?;
    }
    Ok(())
}

/// Deletes the parts of a slot from this number on: the last one first, so that whoever dies on the way leaves no gap, behind
/// which the next would not look.
fn clear(entries: &impl Entries, name: &str, slot: Slot, from: usize) -> Result<(), KeyringError> {
    let mut parts = Vec::new();
    for number in from..=MOST {
        let part = slot.part(name, number);
        if entries.entry(&part)?.is_none() {
            break;
        }
        parts.push(part);
    }
    parts.iter().rev().try_for_each(|part| entries.delete(part))
}

/// Gives what stands under this name another name that nothing else has, and says which. Whoever calls this holds the lock.
pub(super) fn set_aside(entries: &impl Entries, name: &str) -> Result<String, KeyringError> {
    for number in 1..=KEPT {
        let kept = format!("{name}.corrupt-{number}");
        if entries.entry(&kept)?.is_some() {
            continue;
        }
        if let Some(entry) = entries.entry(name)? {
            entries.set(&kept, &entry)?;
            entries.delete(name)?;
        }
        return Ok(kept);
    }
    Err(KeyringError::Failed(format!(
        "{name} is corrupt, and {KEPT} before it have been kept already; delete some"
    )))
}
