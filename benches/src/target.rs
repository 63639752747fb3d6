//! The proxies that are compared.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

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
            Self::Floor => Ok(ours),
            Self::Nginx => Ok(xtask::parts::find("nginx")?),
            Self::Postern => {
                let beside = ours.with_file_name("postern");
                if beside.is_file() {
                    return Ok(beside);
                }
                Err("postern is not built in this profile: cargo build --release --package postern".into())
            }
        }
    }

    /// The command line that makes it listen on `listen`, its configuration written.
    pub(crate) fn command(self, site: &Site, listen: SocketAddr) -> Result<Vec<OsString>, Failure> {
        let mut words = vec![self.program()?.into_os_string()];
        let file = site.path(&format!("{}.conf", self.name()));
        match self {
            Self::Floor => {
                words.extend(["floor", "--listen"].map(OsString::from));
                words.extend(
                    [listen.to_string(), "--upstream".into(), site.backend.to_string()].map(OsString::from),
                );
                words.extend(["--authorization".into(), OsString::from(authorization())]);
                words.extend(["--site".into(), site.folder().into()]);
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
