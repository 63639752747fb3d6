//! What a policy may not contain, checked over its whole text before anything is evaluated.

pub(crate) mod entrypoint;
