//! Real servers and callers, installed by `cargo x parts`; the servers start on loopback in folders of their own.

pub mod callers;
pub mod envoy;
pub mod ghostunnel;
pub mod ledger;
pub mod nginx;
pub mod old_services;
pub mod openbao;
pub mod postgres;
pub mod spire;

pub use envoy::Envoy;
pub use ghostunnel::Ghostunnel;
pub use ledger::Ledger;
pub use nginx::Nginx;
pub use openbao::OpenBao;
pub use postgres::Postgres;
pub use spire::Spire;
