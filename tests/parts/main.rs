//! Each real part really starts, and shows one fact that the other tests rest on.

mod openbao;
mod postgres;
mod spire;
