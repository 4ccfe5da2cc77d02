//! The names that are still ahead of who follows a path through directories and symbolic links (path_resolution(7)).
//!
//! Who walks has the directories, on this machine or in an image, and asks here for the next name. The target of a symbolic link on
//! the way goes in front of what is ahead. The name `..` comes as it stands.

/// How many symbolic links one path may lead through (the kernel's `MAXSYMLINKS`).
pub const MAX_SYMLINKS: usize = 40;

/// A path being followed.
#[derive(Clone, Debug)]
pub struct Route {
    /// The names ahead, the next one last.
    ahead: Vec<Box<[u8]>>,
    symlinks: usize,
    names: usize,
}

/// Where the target of a symbolic link starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// At the root.
    Root,
    /// In the directory that the link is in.
    Here,
}

/// More symbolic links than a path may lead through: most often some that lead to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SymlinkLoop;

impl Route {
    /// All of a path. Whether it begins with a slash does not matter here.
    pub fn new(path: &[u8]) -> Self {
        let ahead: Vec<_> = names(path).rev().map(Box::from).collect();
        Self { names: ahead.len(), ahead, symlinks: 0 }
    }

    /// Takes the next name; `None` at the path's end.
    pub fn next_name(&mut self) -> Option<Box<[u8]>> {
        self.ahead.pop()
    }

    /// Whether no name is left.
    pub fn is_at_end(&self) -> bool {
        self.ahead.is_empty()
    }

    /// How many names the path has come to, those of the symbolic links on its way included.
    pub fn names(&self) -> usize {
        self.names
    }

    /// Goes on through the symbolic link that the last name was.
    ///
    /// # Errors
    /// When it is one link too many.
    pub fn follow(&mut self, target: &[u8]) -> Result<Origin, SymlinkLoop> {
        self.symlinks += 1;
        if self.symlinks > MAX_SYMLINKS {
            return Err(SymlinkLoop);
        }
        let before = self.ahead.len();
        self.ahead.extend(names(target).rev().map(Box::from));
        self.names += self.ahead.len() - before;
        Ok(if target.starts_with(b"/") { Origin::Root } else { Origin::Here })
    }

    /// Leaves out what the path goes up from again (`missing/../there`), and says whether there was such a thing.
    pub fn turn_back(&mut self) -> bool {
        let mut depth = 1;
        for (index, name) in self.ahead.iter().enumerate().rev() {
            depth = if **name == *b".." { depth - 1 } else { depth + 1 };
            if depth == 0 {
                self.ahead.truncate(index);
                return true;
            }
        }
        false
    }
}

/// The names of a path that mean something.
pub fn names(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|name| !matches!(*name, b"" | b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(mut route: Route) -> Vec<u8> {
        std::iter::from_fn(|| route.next_name()).collect::<Vec<_>>().join(&b'/')
    }

    #[test]
    fn a_target_stands_before_what_is_ahead() {
        let mut route = Route::new(b"//a/./link/c/");
        assert_eq!(route.next_name().as_deref(), Some(&b"a"[..]));
        assert_eq!(route.next_name().as_deref(), Some(&b"link"[..]));
        assert_eq!(route.follow(b"../b"), Ok(Origin::Here));
        assert_eq!((route.names(), route.is_at_end()), (5, false));
        assert_eq!(route.follow(b"/d"), Ok(Origin::Root));
        assert_eq!(rest(route), b"d/../b/c");
    }

    #[test]
    fn links_have_a_limit() {
        let mut route = Route::new(b"a");
        assert!((0..MAX_SYMLINKS).all(|_| route.follow(b"a").is_ok()));
        assert_eq!(route.follow(b"a"), Err(SymlinkLoop));
    }

    #[test]
    fn what_is_left_again_is_left_out() {
        let mut route = Route::new(b"missing/a/../../there");
        route.next_name();
        assert!(route.turn_back());
        assert_eq!(rest(route.clone()), b"there");
        assert!(!route.turn_back());
    }
}
