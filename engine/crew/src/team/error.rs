//! Why there is no team.

/// Why there is no team.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Too few or too many members.
    #[error("the team has {members} members; it takes {least} to {most}")]
    Members {
        /// Those that it has.
        members: usize,
        /// The fewest.
        least: usize,
        /// The most.
        most: usize,
    },
    /// Two members have the same name.
    #[error("two members have the name `{name}`; give each its own")]
    SameName {
        /// The name.
        name: String,
    },
    /// A name that cannot stand in a path.
    #[error("`{name}` is no name: give it 1 to 64 characters, none of them a slash")]
    Name {
        /// What was given.
        name: String,
    },
    /// A debate that ends before it begins, or never.
    #[error("a debate of {rounds} rounds; it takes 1 to {most}")]
    Rounds {
        /// Those that were asked for.
        rounds: u32,
        /// The most.
        most: u32,
    },
    /// A description cannot be read.
    #[error("the description of the team: {message}")]
    Description {
        /// What is wrong, and where.
        message: String,
    },
    /// A member of a description cannot be made.
    #[error("member `{member}`: {message}")]
    Member {
        /// Its path.
        member: String,
        /// What is wrong.
        message: String,
    },
}
