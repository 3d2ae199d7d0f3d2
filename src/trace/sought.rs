//! Many texts that are looked for within one, all at once.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::base::spelling::spellings;

/// Below this a text could stand anywhere by chance, and is not looked for.
pub(super) const LEAST: usize = 6;

/// What is looked for, in every spelling, and what stands for it.
#[derive(Default)]
pub(super) struct Sought(BTreeMap<String, Name>);

/// What stands for a text, and how long the longest other one is that the text begins with.
struct Name {
    name: String,
    begins_with: Option<usize>,
}

impl Sought {
    /// From now on `name` stands for `text`, unless another name does already.
    pub(super) fn add(&mut self, text: &str, name: &str) {
        spellings(text).into_iter().for_each(|spelling| self.add_as_it_is(spelling, name));
    }

    /// The same for the text in this spelling alone.
    pub(super) fn add_as_it_is(&mut self, text: String, name: &str) {
        if text.len() >= LEAST {
            self.add_however_short(text, name);
        }
    }

    /// The same for a text that does not stand anywhere by chance though it is short.
    pub(super) fn add_however_short(&mut self, text: String, name: &str) {
        if text.is_empty() || self.0.contains_key(&text) {
            return;
        }
        let begins_with = self.longest_at_start(&text).map(|(other, _)| other.len());
        let after = (Bound::Excluded(text.as_str()), Bound::Unbounded);
        for (other, named) in self.0.range_mut::<str, _>(after) {
            if !other.starts_with(&text) {
                break;
            }
            named.begins_with = named.begins_with.max(Some(text.len()));
        }
        self.0.insert(text, Name { name: name.to_owned(), begins_with });
    }

    /// The text with all that is sought replaced: from left to right, and where several begin at one place, the longest.
    pub(super) fn replaced(&self, text: &str) -> String {
        self.replaced_as(text, text)
    }

    /// The same for a text that is written in another case than what is sought: `seen` is the text in that case, letter for
    /// letter.
    pub(super) fn replaced_as(&self, seen: &str, text: &str) -> String {
        let mut changed = String::with_capacity(text.len());
        let (mut seen, mut rest) = (seen, text);
        while let Some(letter) = rest.chars().next() {
            let (length, found) = match self.longest_at_start(seen) {
                Some((spelling, name)) => (spelling.len(), name),
                None => (letter.len_utf8(), rest.get(..letter.len_utf8()).unwrap_or_default()),
            };
            changed.push_str(found);
            (seen, rest) = (seen.get(length..).unwrap_or_default(), rest.get(length..).unwrap_or_default());
        }
        changed
    }

    /// The longest that `text` begins with. Of all that is not above it in order, the last begins with it, or is it: whatever
    /// stands between the two begins so too.
    fn longest_at_start(&self, text: &str) -> Option<(&str, &str)> {
        let up_to = (Bound::Unbounded, Bound::Included(text));
        let (mut spelling, mut named) = self.0.range::<str, _>(up_to).next_back()?;
        while !text.starts_with(spelling.as_str()) {
            (spelling, named) = self.0.get_key_value(spelling.get(..named.begins_with?)?)?;
        }
        Some((spelling, &named.name))
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
    fn the_first_name_stands() {
        let mut sought = sought(&["secret"]);
        sought.add("secret", "another");
        assert_eq!(sought.replaced("secret"), "<0>");
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

    /// Whoever gives out secrets may choose them so that each is nearly the beginning of the next.
    #[test]
    fn secrets_that_are_nearly_found_everywhere_cost_no_more() {
        let mut sought = Sought::default();
        for length in (6..800).chain([20_000]) {
            sought.add(&format!("{}a", "b".repeat(length)), "found");
            sought.add(&format!("{}cd", "b".repeat(length)), "found");
        }
        let text = "b".repeat(30_000);
        let began = std::time::Instant::now();
        assert_eq!(sought.replaced(&text), text);
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }
}
