//! What the tests over real sockets and real parts are made with.
//!
//! A test that needs a real part begins with [`parts::present`], which records the test as not run where the part is
//! missing. What is started here ends with the value that holds it, also when the test panics or its process is
//! killed. Everything blocks the thread that calls it: inside an async test whose own tasks must go on meanwhile,
//! call it in `tokio::task::spawn_blocking`.
//!
//! The harness panics when the world is not as it should be: a test has nothing better to do.

pub mod certificates;
pub mod estate;
pub mod folder;
pub mod load;
pub mod parts;
pub mod plain_http;
pub mod process;
pub mod real;
pub mod suites;
pub mod tls;
