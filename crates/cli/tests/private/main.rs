//! What nex makes under a umask that takes nothing: nobody else may get at it, while nex works and afterwards, but for what
//! the user has named. And under one that takes everything, that who needs it can.

mod builds;
mod guests;
mod made;
