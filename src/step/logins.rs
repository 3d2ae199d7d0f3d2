//! How often a person was shown a login lately.

use std::time::Duration;

use crate::base::time::Timestamp;

/// How long a login counts.
const SPAN: Duration = Duration::from_secs(3600);

/// The logins that a person saw, the oldest first. Those that a person asked for begin the count anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Logins(Vec<Timestamp>);

impl Logins {
    /// A person sees one now.
    pub(crate) fn count(&mut self, now: Timestamp) {
        self.0.retain(|at| now < at.after(SPAN));
        self.0.push(now);
    }

    /// When the next may be shown, if not now.
    pub(crate) fn used_up(&self, limit: u8, now: Timestamp) -> Option<Timestamp> {
        let counted = self.0.iter().filter(|at| now < at.after(SPAN));
        let over = counted.clone().count().checked_sub(usize::from(limit))?;
        Some(counted.clone().nth(over).unwrap_or(&now).after(SPAN))
    }

    /// A person asked for one.
    pub(crate) fn forgive(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_for_an_hour() {
        let at = Timestamp::from_secs;
        let mut logins = Logins::default();
        assert_eq!(logins.used_up(0, at(100)), Some(at(3700)));
        for now in [100, 200, 300] {
            assert_eq!(logins.used_up(3, at(now)), None);
            logins.count(at(now));
        }
        assert_eq!(logins.used_up(3, at(400)), Some(at(3700)));
        assert_eq!(logins.used_up(2, at(400)), Some(at(3800)));
        assert_eq!(logins.used_up(3, at(3700)), None);
        logins.forgive();
        assert_eq!(logins.used_up(1, at(400)), None);
    }
}
