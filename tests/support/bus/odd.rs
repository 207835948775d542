//! What a peer on the bus may do in place of the usual.

/// What the peer does in place of the usual.
#[derive(Clone, Debug)]
pub(crate) enum Odd {
    /// An error reply of this name.
    Error(&'static str),
    /// The same once, and the usual answer after.
    ErrorOnce(&'static str),
    /// No answer.
    Silence,
    /// The connection is closed.
    Close,
    /// These bytes in place of a message.
    Bytes(Vec<u8>),
    /// The job ends with this result.
    Result(&'static str),
    /// The job's end is said by a stranger, first of all.
    Stranger,
    /// The control group that is told.
    Group(&'static str),
}
