//! Many texts that are looked for within one, all at once.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::base::spelling::spellings;

/// Below this a text could stand anywhere by chance, and is not looked for.
pub(super) const LEAST: usize = 6;

/// How many steps the search may take for each byte that it reads, and how many more in all. What servers say takes two or
/// three; texts can be made, though, that take thousands.
const STEPS: u64 = 16;
const MORE_STEPS: u64 = 1 << 20;
/// How many bytes that two texts share are compared in one step.
const AT_ONCE: usize = 16;

/// What is looked for, in every spelling, and what stands for it.
pub(super) struct Sought {
    names: BTreeMap<String, String>,
    least: usize,
    steps_left: Cell<u64>,
}

impl Default for Sought {
    fn default() -> Self {
        Self::of_at_least(LEAST)
    }
}

impl Sought {
    /// Looks for texts of this length and longer ones.
    pub(super) fn of_at_least(least: usize) -> Self {
        Self { names: BTreeMap::new(), least, steps_left: Cell::new(MORE_STEPS) }
    }

    /// Whether the search was given up, because it would have no end that anybody waits for. What was not looked through is
    /// left out.
    pub(super) fn is_exhausted(&self) -> bool {
        self.steps_left.get() == 0
    }

    /// From now on `name` stands for `text`, unless another name does already.
    pub(super) fn add(&mut self, text: &str, name: &str) {
        spellings(text).into_iter().for_each(|spelling| self.add_as_it_is(spelling, name));
    }

    /// The same for the text in this spelling alone.
    pub(super) fn add_as_it_is(&mut self, text: String, name: &str) {
        if text.len() >= self.least {
            self.names.entry(text).or_insert_with(|| name.to_owned());
        }
    }

    /// The text with all that is sought replaced: from left to right, and where several begin at one place, the longest.
    pub(super) fn replaced(&self, text: &str) -> String {
        self.replaced_as(text, text)
    }

    /// The same for texts that are sought in small letters, whatever letters the text has.
    pub(super) fn replaced_in_any_case(&self, text: &str) -> String {
        self.replaced_as(text, &text.to_ascii_lowercase())
    }

    /// `read` is looked through, and has every letter where `text` has it.
    fn replaced_as(&self, text: &str, read: &str) -> String {
        let bytes = u64::try_from(text.len()).unwrap_or(u64::MAX);
        if !self.is_exhausted() {
            self.steps_left.set(self.steps_left.get().saturating_add(bytes.saturating_mul(STEPS)));
        }
        let mut changed = String::with_capacity(text.len());
        let (mut text, mut read) = (text, read);
        while let Some(letter) = read.chars().next() {
            let (length, found) = match self.longest_at_start(read) {
                Some((spelling, name)) => (spelling.len(), name),
                None => (letter.len_utf8(), text.get(..letter.len_utf8()).unwrap_or_default()),
            };
            changed.push_str(found);
            if self.is_exhausted() {
                return String::new();
            }
            text = text.get(length..).unwrap_or_default();
            read = read.get(length..).unwrap_or_default();
        }
        changed
    }

    /// The longest that `text` begins with. Whatever it begins with is not above it in order; and of all that is not above
    /// it, the last shares at least as many letters with it as any other.
    fn longest_at_start(&self, text: &str) -> Option<(&str, &str)> {
        let mut shared = text;
        loop {
            let (spelling, name) =
                self.names.range::<str, _>((Bound::Unbounded, Bound::Included(shared))).next_back()?;
            if shared.starts_with(spelling.as_str()) {
                return Some((spelling, name));
            }
            let same = shared.chars().zip(spelling.chars()).take_while(|(a, b)| a == b);
            shared = shared.get(..same.map(|(letter, _)| letter.len_utf8()).sum())?;
            let steps = u64::try_from(shared.len() / AT_ONCE).unwrap_or(u64::MAX).saturating_add(1);
            self.steps_left.set(self.steps_left.get().saturating_sub(steps));
            if self.is_exhausted() {
                return None;
            }
            if shared.len() < self.least {
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sought;

    fn sought(texts: &[&str]) -> Sought {
        let mut sought = Sought::default();
        for (number, text) in texts.iter().enumerate() {
            sought.add(text, &format!("<{number}>"));
        }
        sought
    }

    #[test]
    fn the_longest_is_found_wherever_it_stands() {
        let sought = sought(&["secret", "secret-one", "secret-one-more", "über-geheim", "a+b/c=d", "short"]);
        for (text, replaced) in [
            ("secret", "<0>"),
            ("secret-on", "<0>-on"),
            ("secret-one", "<1>"),
            ("secret-one-most", "<1>-most"),
            ("xsecret-one-more,secretsecret", "x<2>,<0><0>"),
            ("secre", "secre"),
            ("sécret über-geheim über-geheix", "sécret <3> über-geheix"),
            ("?x=a%2Bb%2Fc%3Dd&y=a%2bb%2fc%3dd", "?x=<4>&y=<4>"),
            ("short", "short"),
            ("", ""),
        ] {
            assert_eq!(sought.replaced(text), replaced);
        }
    }

    #[test]
    fn hosts_are_found_in_any_case() {
        let mut hosts = Sought::of_at_least(4);
        hosts.add_as_it_is("a.io".to_owned(), "<0>");
        hosts.add_as_it_is("io".to_owned(), "<1>");
        assert_eq!(hosts.replaced_in_any_case("\u{c4}A.Io.\u{c4}"), "\u{c4}<0>.\u{c4}");
        assert_eq!(hosts.replaced("A.Io"), "A.Io");
    }

    #[test]
    fn a_beginning_is_found_whenever_it_was_learnt() {
        let texts = ["secret-one-more", "secret-", "secret-one", "secret-oak", "secret-one-"];
        for turn in 0..texts.len() {
            let order: Vec<_> = (0..texts.len()).map(|place| (place + turn) % texts.len()).collect();
            let mut sought = Sought::default();
            order.iter().for_each(|place| sought.add(texts[*place], &format!("<{place}>")));
            let said = "secret-one-more secret-one-most secret-one secret-onyx secret-oak secret-z secret";
            let found = "<0> <4>most <2> <1>onyx <3> <1>z secret";
            assert_eq!(sought.replaced(said), found, "{order:?}");
        }
    }

    #[test]
    fn the_first_name_stands() {
        let mut sought = sought(&["secret"]);
        sought.add("secret", "another");
        assert_eq!(sought.replaced("secret"), "<0>");
    }

    #[test]
    fn a_text_that_is_long_to_look_through_is_looked_through() {
        let sought = sought(&["b".repeat(1_000) + "a"].each_ref().map(String::as_str));
        let text = "b".repeat(2_000);
        assert_eq!(sought.replaced(&text), text);
        assert!(!sought.is_exhausted());
    }

    /// Texts that are made to be laborious are given up, and nothing of them is left.
    #[test]
    fn what_would_take_for_ever_is_given_up() {
        let alike = (6..300).map(|length| "b".repeat(length) + "a").collect::<Vec<_>>();
        for texts in [&alike[..], &["b".repeat(16_000) + "a"]] {
            let sought = sought(&texts.iter().map(String::as_str).collect::<Vec<_>>());
            assert_eq!(sought.replaced("bbbbbbb and so on"), "bbbbbbb and so on");
            assert_eq!(sought.replaced(&"b".repeat(50_000)), "");
            assert!(sought.is_exhausted());
            assert_eq!(sought.replaced("x"), "");
        }
    }

    /// However many there are, and however alike: the time is that of the text.
    #[test]
    fn very_many_are_found_in_time() {
        let texts: Vec<_> = (0..20_000).map(|number| format!("secret-secret-{number:05}")).collect();
        let sought = sought(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let text = texts.join(" ") + &"secret-secret-".repeat(20_000);
        let began = std::time::Instant::now();
        let replaced = sought.replaced(&text);
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
        assert!(replaced.starts_with("<0> <1> ") && replaced.contains("<19999>secret-secret-secret"));
    }
}
