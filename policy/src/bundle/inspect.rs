//! What a bundle says of itself, for whoever got one from somebody.

use std::path::Path;

use serde::Serialize;

use super::roots;
use super::signature::{self, SignedBy};
use super::{SIGNATURES, Wanted};
use crate::sources::{SourceError, Sources};

/// What a bundle holds and claims. Nothing of it is compiled, and its signature is not checked.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// As records name it.
    pub revision: String,
    /// The paths below `data` that it owns.
    pub roots: Vec<String>,
    /// Rego modules, tests left out.
    pub modules: Vec<String>,
    /// Where its data documents go.
    pub data: Vec<String>,
    /// Who says to have signed it.
    pub signature: Option<SignedBy>,
}

/// Reads a folder or an archive as at load.
pub fn inspect(path: &Path) -> Result<Inspection, SourceError> {
    let mut files = Sources::files(path, Wanted::Policy)?;
    let from = path.display().to_string();
    let signature = match files.remove(SIGNATURES) {
        Some(bytes) => signature::claimed(&bytes).map_err(|wrong| SourceError::of(&from, wrong))?,
        None => None,
    };
    let sources = Sources::unsigned(files).map_err(|wrong| SourceError::of(&from, wrong))?;
    Ok(Inspection {
        revision: sources.revision().to_owned(),
        roots: sources.roots.list(),
        modules: sources.names().map(str::to_owned).collect(),
        data: sources.data.iter().map(|file| roots::shown(&file.path)).collect(),
        signature,
    })
}
