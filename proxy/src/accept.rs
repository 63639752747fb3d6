//! Listeners: bind, limit, accept, hand over.
