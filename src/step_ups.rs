//! How often an operation has led to a step-up in vain.

use crate::base::scope::Scopes;

/// The most operations that are counted apart; further ones share one count.
const MAX_OPERATIONS: usize = 64;
/// The longest name of an operation that is kept, in characters.
const MAX_NAME: usize = 128;

/// Counts step-ups that brought a grant, and yet not what was demanded, for each operation (MCP 2026-07-28, step-up
/// authorization flow). One that helped is not held against the next; nor is one that brought nothing, for a person who
/// says no and a server that fails are bounds of their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct StepUps {
    vain: Vec<(String, u8)>,
    /// The count of all operations for which there was no room.
    others: u8,
    /// The operation whose step-up is under way, and what is demanded for it.
    running: Option<Box<(String, Option<Scopes>)>>,
}

impl StepUps {
    /// How many step-ups for this operation were in vain since one has helped.
    pub(crate) fn in_vain(&self, operation: &str) -> u8 {
        let operation = cut(operation);
        match self.vain.iter().find(|(known, _)| *known == operation) {
            Some((_, count)) => *count,
            None if self.vain.len() < MAX_OPERATIONS => 0,
            None => self.others,
        }
    }

    /// A step-up begins.
    pub(crate) fn begin(&mut self, operation: &str, demanded: Option<&Scopes>) {
        self.running = Some(Box::new((cut(operation), demanded.cloned())));
    }

    /// It has ended with a grant of these scopes. Whether one helps that names no scope nobody can say before the request is
    /// sent again, so it counts.
    pub(crate) fn granted(&mut self, granted: &Scopes) {
        let Some(running) = self.running.take() else { return };
        let (operation, demanded) = *running;
        let helped = demanded.is_some_and(|demanded| demanded.is_subset(granted));
        let place = self.vain.iter().position(|(known, _)| *known == operation);
        match (place, helped) {
            (Some(place), true) => drop(self.vain.swap_remove(place)),
            (Some(place), false) => {
                if let Some((_, count)) = self.vain.get_mut(place) {
                    *count = count.saturating_add(1);
                }
            }
            (None, true) if self.vain.len() >= MAX_OPERATIONS => self.others = 0,
            (None, true) => {}
            (None, false) if self.vain.len() >= MAX_OPERATIONS => self.others = self.others.saturating_add(1),
            (None, false) => self.vain.push((operation, 1)),
        }
    }

    /// The attempt is over.
    pub(crate) fn end(&mut self) {
        self.running = None;
    }

    /// Whatever was in vain may not be any more.
    pub(crate) fn forgive(&mut self) {
        (self.others, self.vain) = (0, Vec::new());
    }
}

fn cut(operation: &str) -> String {
    operation.chars().take(MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(value: &str) -> Scopes {
        Scopes::parse(value).unwrap()
    }

    /// A step-up that demands `a` and ends with these.
    fn step_up(it: &mut StepUps, operation: &str, granted: &str) {
        it.begin(operation, Some(&scopes("a")));
        it.granted(&scopes(granted));
        it.end();
    }

    #[test]
    fn only_a_grant_that_lacks_something_counts() {
        let mut it = StepUps::default();
        it.begin("x", Some(&scopes("a")));
        it.end();
        it.granted(&scopes("b"));
        assert_eq!(it.in_vain("x"), 0);
        step_up(&mut it, "x", "b");
        step_up(&mut it, "x", "b");
        assert_eq!((it.in_vain("x"), it.in_vain("y")), (2, 0));
        step_up(&mut it, "x", "b a");
        assert_eq!(it.in_vain("x"), 0);
    }

    #[test]
    fn operations_beyond_the_limit_share_a_count_of_their_own() {
        let mut it = StepUps::default();
        for number in 0..MAX_OPERATIONS {
            step_up(&mut it, &number.to_string(), "b");
        }
        step_up(&mut it, "late", "b");
        step_up(&mut it, "later", "b");
        assert_eq!((it.in_vain("63"), it.in_vain("late"), it.in_vain("latest")), (1, 2, 2));
        step_up(&mut it, "latest", "a");
        assert_eq!((it.in_vain("63"), it.in_vain("late")), (1, 0));
        // Where there is room again an operation has a count of its own, and leaves that of the others alone.
        step_up(&mut it, "late", "b");
        step_up(&mut it, "0", "a");
        assert_eq!(it.in_vain("new"), 0);
        step_up(&mut it, "new", "a");
        step_up(&mut it, "newer", "b");
        assert_eq!((it.in_vain("newer"), it.in_vain("late")), (1, 1));
        it.forgive();
        assert_eq!((it.in_vain("63"), it.in_vain("late")), (0, 0));
    }
}
