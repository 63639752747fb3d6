use std::fmt;

use zeroize::Zeroize;

/// A value that must not be seen: it prints as `[secret]`, cannot be serialised, and is wiped when dropped.
///
/// The only way to the value is [`Secret::expose`], which clippy refuses outside the few files
/// that put a credential into a protocol or take one out of a vault's answer.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in. What the caller copied it from is the caller's to wipe.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_as_a_placeholder() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "[secret]");
    }
}
