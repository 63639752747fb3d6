//! Each real part really starts, and shows one fact that the other tests rest on.

mod callers;
mod ledger;
mod load;
mod old_services;
mod openbao;
mod peers;
mod postgres;
mod spire;
