//! How often an operation has led to a step-up in vain.

use crate::base::scope::Scopes;

/// The most operations that are counted apart; further ones share one count.
const MAX_OPERATIONS: usize = 64;
/// The longest name of an operation that is kept, in characters.
const MAX_NAME: usize = 128;

/// Counts step-ups that did not bring what was demanded, for each operation (MCP 2026-07-28, step-up authorization
/// flow). One that helped is not held against the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepUps {
    vain: Vec<(String, u8)>,
    /// The operation whose step-up is under way, and what is demanded for it.
    running: Option<(String, Scopes)>,
}

impl StepUps {
    /// A step-up is demanded. Gives how many there were for this operation, with this one, of which none has helped.
    pub(crate) fn begin(&mut self, operation: &str, demanded: Option<&Scopes>) -> u8 {
        let operation: String = operation.chars().take(MAX_NAME).collect();
        self.running = demanded.map(|demanded| (operation.clone(), demanded.clone()));
        let known = self.vain.iter().position(|(known, _)| *known == operation);
        if known.is_none() && self.vain.len() < MAX_OPERATIONS {
            self.vain.push((operation, 1));
            return 1;
        }
        let entry = match known {
            Some(place) => self.vain.get_mut(place),
            None => self.vain.last_mut(),
        };
        entry.map_or(u8::MAX, |(_, count)| {
            *count = count.saturating_add(1);
            *count
        })
    }

    /// These scopes are granted now.
    pub(crate) fn granted(&mut self, granted: &Scopes) {
        let helped = self.running.take().filter(|(_, demanded)| demanded.is_subset(granted));
        if let Some((operation, _)) = helped {
            self.vain.retain(|(known, _)| *known != operation);
        }
    }

    /// The attempt is over.
    pub(crate) fn end(&mut self) {
        self.running = None;
    }

    /// Whatever was in vain may not be any more.
    pub(crate) fn forgive(&mut self) {
        self.vain.clear();
    }
}
