//! The builtins of the engine that we answer ourselves, because their cost or their answer would be wrong.

mod numbers_range;
mod time_now;
pub(crate) mod turn;

use regorus::{Engine, Value};

/// Every builtin that does not go to the engine as it is: one line each.
const BUILTINS: &[Builtin] = &[
    Builtin { name: "numbers.range", arity: 2, answer: numbers_range::range },
    Builtin { name: "time.now_ns", arity: 0, answer: time_now::now_ns },
];

/// One builtin in the place of the engine's.
struct Builtin {
    name: &'static str,
    arity: u8,
    answer: fn(&[Value]) -> Result<Value, Fail>,
}

/// Why a builtin gives no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fail {
    /// It was asked for more than its cap.
    #[error("{0}")]
    Limit(&'static str),
    /// An argument is not what it takes.
    #[error("{0}")]
    Argument(&'static str),
}

/// Puts our builtins in the place of the engine's.
pub(crate) fn install(engine: &mut Engine) -> anyhow::Result<()> {
    for builtin in BUILTINS {
        let (name, answer) = (builtin.name, builtin.answer);
        let extension = move |args: Vec<Value>| {
            answer(&args).map_err(|fail| {
                if let Fail::Limit(limit) = fail {
                    turn::exceed(name, limit);
                }
                anyhow::anyhow!("{name}: {fail}")
            })
        };
        engine.add_extension(name.to_owned(), builtin.arity, Box::new(extension))?;
    }
    Ok(())
}
