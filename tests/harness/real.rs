//! Real servers, installed by `cargo x parts`, started on loopback in folders of their own.

pub mod openbao;
pub mod postgres;
pub mod spire;

pub use openbao::OpenBao;
pub use postgres::Postgres;
pub use spire::Spire;
