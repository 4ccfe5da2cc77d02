//! What a token is to allow (distribution specification, "Token Scope Documentation").

use std::fmt;

/// What is to be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Reading.
    Pull,
    /// Writing, and reading what is there already.
    Push,
    /// Removing.
    Delete,
}

impl Access {
    /// The actions by the names that token servers know.
    fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Pull => &["pull"],
            Self::Push => &["pull", "push"],
            Self::Delete => &["delete"],
        }
    }
}

/// A repository, and what is to be done with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope {
    /// The repository.
    pub repository: String,
    /// What is to be done.
    pub access: Access,
}

impl Scope {
    /// Whether scopes that a registry has asked for, separated by spaces, allow it.
    fn is_in(&self, scopes: &str) -> bool {
        scopes.split(' ').any(|scope| {
            let Some((name, actions)) = scope.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':')) else {
                return false;
            };
            let allows = |action: &&str| actions.split(',').any(|allowed| allowed == *action || allowed == "*");
            name == self.repository && self.access.actions().iter().all(allows)
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "repository:{}:{}", self.repository, self.access.actions().join(","))
    }
}

/// What a request needs: its own repository, and others beside it, as a mount of another repository's blob does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scopes {
    pub(crate) own: Scope,
    pub(crate) others: Vec<Scope>,
}

impl Scopes {
    /// What to ask a token server for. A registry's challenge says what reading takes; what writing takes, and other repositories,
    /// are added where it leaves them out.
    pub(crate) fn asked_for(&self, challenge: Option<&str>) -> String {
        let Some(challenge) = challenge else { return self.to_string() };
        let own = Some(&self.own).filter(|own| own.access != Access::Pull);
        let missing = own.into_iter().chain(&self.others).filter(|scope| !scope.is_in(challenge));
        missing.fold(challenge.to_owned(), |scopes, scope| format!("{scopes} {scope}"))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.own)?;
        self.others.iter().try_for_each(|scope| write!(f, " {scope}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(repository: &str, access: Access) -> Scope {
        Scope { repository: repository.to_owned(), access }
    }

    #[test]
    fn a_challenge_is_taken_at_its_word_and_completed() {
        let pull = Scopes { own: scope("a/b", Access::Pull), others: Vec::new() };
        assert_eq!(pull.asked_for(None), "repository:a/b:pull");
        assert_eq!(pull.asked_for(Some("x y")), "x y");
        let push = Scopes { own: scope("a/b", Access::Push), others: Vec::new() };
        assert_eq!(push.asked_for(None), "repository:a/b:pull,push");
        for full in ["repository:a/b:pull,push", "repository:a/b:push,pull", "repository:a/b:*"] {
            assert_eq!(push.asked_for(Some(full)), full);
        }
        assert_eq!(push.asked_for(Some("repository:a/b:pull")), "repository:a/b:pull repository:a/b:pull,push");
    }

    #[test]
    fn a_mount_needs_both_repositories_in_one_token() {
        let mount = Scopes { own: scope("a/b", Access::Push), others: vec![scope("base", Access::Pull)] };
        assert_eq!(mount.asked_for(None), "repository:a/b:pull,push repository:base:pull");
        let asked = mount.asked_for(Some("repository:a/b:pull,push"));
        assert_eq!(asked, "repository:a/b:pull,push repository:base:pull");
        assert_eq!(mount.asked_for(Some(&asked)), asked);
    }
}
