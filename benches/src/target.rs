//! The proxies that are compared.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::Failure;
use crate::site::{Site, authorization};

/// A proxy that does the job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    Floor,
    Nginx,
    Postern,
}

impl Target {
    /// In the order of a round; the floor first, for the others are measured by it.
    pub(crate) const ALL: [Self; 3] = [Self::Floor, Self::Nginx, Self::Postern];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Nginx => "nginx",
            Self::Postern => "postern",
        }
    }

    /// Its program, or where to get it.
    pub(crate) fn program(self) -> Result<PathBuf, Failure> {
        let ours = env::current_exe()?;
        match self {
            Self::Floor => built(&ours, "postern-benches-floor", "postern-benches"),
            Self::Nginx => Ok(xtask::parts::find("nginx")?),
            Self::Postern => built(&ours, "postern", "postern"),
        }
    }

    /// The command line that makes it listen on `listen`, its configuration written.
    pub(crate) fn command(self, site: &Site, listen: SocketAddr) -> Result<Vec<OsString>, Failure> {
        let mut words = vec![self.program()?.into_os_string()];
        let file = site.path(&format!("{}.conf", self.name()));
        match self {
            Self::Floor => {
                words.extend(
                    [listen.to_string(), site.backend.to_string(), authorization()].map(OsString::from),
                );
                words.push(site.folder().into());
            }
            Self::Nginx => {
                fs::write(&file, site.nginx(listen))?;
                words.extend([
                    "-p".into(),
                    site.folder().into(),
                    "-e".into(),
                    "stderr".into(),
                    "-c".into(),
                    file.into(),
                ]);
            }
            Self::Postern => {
                fs::write(&file, site.postern(listen))?;
                words.extend(["run".into(), "--config".into(), file.into()]);
            }
        }
        Ok(words)
    }
}

/// A program that Cargo put beside this one.
fn built(ours: &Path, program: &str, package: &str) -> Result<PathBuf, Failure> {
    let beside = ours.with_file_name(program);
    if beside.is_file() {
        return Ok(beside);
    }
    Err(format!("{program} is not built in this profile: cargo build --release --package {package}").into())
}
