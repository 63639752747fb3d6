//! What is measured, and how: rounds in which every proxy has its turn, and fixed counts under callgrind.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;

use crate::Failure;
use crate::child::{Callers, MEASURED, OTHERS, Running, installed, printed};
use crate::decision;
use crate::load::{Group, Shape};
use crate::meter::{as_f64, callgrind, cpu_seconds, resident_kib, total};
use crate::site::{Site, authorization, free_address};
use crate::target::Target;

/// How much is measured.
#[derive(clap::Args)]
pub(crate) struct Plan {
    /// Rounds; figures are medians over them.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// Requests in a round, over connections that stay.
    #[arg(long, default_value_t = 15_000)]
    pub(crate) requests: usize,
    /// Handshakes in a round.
    #[arg(long, default_value_t = 600)]
    pub(crate) handshakes: usize,
    /// Idle connections.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) idle: usize,
}

/// Keep-alive connections of the load.
pub(crate) const CONNECTIONS: usize = 32;
/// Handshakes in flight.
pub(crate) const AT_ONCE: usize = 16;
/// Under callgrind, where counts hardly vary: requests, handshakes.
const COUNTED: (usize, usize) = (2_000, 60);

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Figure {
    RequestCpu,
    RequestInstructions,
    HandshakeCpu(Hybrid),
    HandshakeInstructions(Hybrid),
    IdleConnection,
    IdleMemory,
    Binary,
}

/// Whether the key exchange is X25519MLKEM768 rather than X25519.
pub(crate) type Hybrid = bool;

/// What each round gave, or why it gave nothing.
pub(crate) type Rounds = Vec<Result<f64, String>>;
pub(crate) type Cells = HashMap<(Figure, Target), Rounds>;

/// Measures everything. A cell that cannot be measured holds the reason.
pub(crate) fn everything(plan: &Plan) -> Result<(Cells, decision::Cells), Failure> {
    let site = Site::new()?;
    let _backend = backend(&site)?;
    let (mut cells, mut decisions) = (Cells::new(), decision::Cells::new());
    for round in 1..=plan.rounds {
        for target in Target::ALL {
            eprintln!("round {round} of {}: {}", plan.rounds, target.name());
            Bench { site: &site, target, cells: &mut cells }.round(plan);
        }
        eprintln!("round {round} of {}: decisions", plan.rounds);
        decision::round(&site, &mut decisions);
    }
    for target in Target::ALL {
        eprintln!("instructions: {}", target.name());
        Bench { site: &site, target, cells: &mut cells }.counted();
    }
    eprintln!("instructions: decisions");
    decision::counted(&site, &mut decisions);
    Ok((cells, decisions))
}

fn backend(site: &Site) -> Result<Running, Failure> {
    let mut words = vec![std::env::current_exe()?.into_os_string(), "backend".into(), "--listen".into()];
    words.extend([site.backend.to_string(), "--authorization".into(), authorization()].map(OsString::from));
    let log = site.path("backend.log");
    let mut backend = Running::start(&words, OTHERS, &log)?;
    backend.listens(site.backend, &log)?;
    Ok(backend)
}

/// One proxy's turn.
struct Bench<'a> {
    site: &'a Site,
    target: Target,
    cells: &'a mut Cells,
}

impl Bench<'_> {
    /// Puts what `measured` gives into a cell, unless that failed before: the first reason is enough.
    fn put(&mut self, figure: Figure, measured: impl FnOnce(&Self) -> Result<f64, Failure>) {
        let failed =
            self.cells.get(&(figure, self.target)).is_some_and(|cell| cell.iter().any(Result::is_err));
        if !failed {
            let got = measured(self).map_err(|why| why.to_string());
            self.cells.entry((figure, self.target)).or_default().push(got);
        }
    }

    /// Each figure has a process of its own: what one leaves behind is the next one's heap.
    fn round(&mut self, plan: &Plan) {
        let mut idle = None;
        self.put(Figure::IdleConnection, |bench| {
            let (empty, each) = bench.memory(plan.idle)?;
            idle = Some(empty);
            Ok(each)
        });
        self.put(Figure::IdleMemory, |_| idle.ok_or_else(|| "see the row above".into()));
        self.put(Figure::RequestCpu, |bench| bench.cpu(Shape::KeepAlive, Group::X25519, plan.requests));
        for (hybrid, group) in [(false, Group::X25519), (true, Group::X25519mlkem768)] {
            self.put(Figure::HandshakeCpu(hybrid), |bench| {
                bench.cpu(Shape::Handshakes, group, plan.handshakes)
            });
        }
    }

    /// Resident MiB without connections, and KiB for each that is idle.
    fn memory(&self, connections: usize) -> Result<(f64, f64), Failure> {
        let proxy = self.start(&[])?;
        let mut callers = proxy.callers(Shape::Handshakes, Group::X25519, (1, 10))?;
        callers.go()?;
        callers.leave()?;
        let before = resident_kib(proxy.running.pid())?;
        let mut callers = proxy.callers(Shape::Idle, Group::X25519, (connections, 0))?;
        let after = resident_kib(proxy.running.pid())?;
        // They must still be there.
        callers.go()?;
        callers.leave()?;
        Ok((before / 1024.0, (after - before) / as_f64(connections)))
    }

    /// Microseconds of CPU, user and kernel, for each of `count`.
    fn cpu(&self, shape: Shape, group: Group, count: usize) -> Result<f64, Failure> {
        let proxy = self.start(&[])?;
        let at_once = if shape == Shape::KeepAlive { CONNECTIONS } else { AT_ONCE };
        // Pools, leases and branch predictors are warm before the clock is read.
        let mut warm = proxy.callers(shape, group, (at_once, count / 10))?;
        warm.go()?;
        warm.leave()?;
        let mut callers = proxy.callers(shape, group, (at_once, count))?;
        let before = cpu_seconds(proxy.running.pid())?;
        callers.go()?;
        let spent = cpu_seconds(proxy.running.pid())? - before;
        callers.leave()?;
        Ok(spent * 1e6 / as_f64(count))
    }

    /// What hardly varies from round to round.
    fn counted(&mut self) {
        let (requests, handshakes) = COUNTED;
        for (figure, shape, group, count) in [
            (Figure::RequestInstructions, Shape::KeepAlive, Group::X25519, requests),
            (Figure::HandshakeInstructions(false), Shape::Handshakes, Group::X25519, handshakes),
            (Figure::HandshakeInstructions(true), Shape::Handshakes, Group::X25519mlkem768, handshakes),
        ] {
            self.put(figure, |bench| bench.instructions(shape, group, count));
        }
        self.put(Figure::Binary, Self::stripped_mib);
    }

    /// User instructions for each of `count`: what it costs to start, to warm up and to end falls out.
    fn instructions(&self, shape: Shape, group: Group, count: usize) -> Result<f64, Failure> {
        let out = self.site.path("callgrind.out");
        let at_once = if shape == Shape::KeepAlive { CONNECTIONS } else { AT_ONCE };
        let run = |count| -> Result<f64, Failure> {
            let proxy = self.start(&callgrind(&out)?)?;
            let mut callers = proxy.callers(shape, group, (at_once, count))?;
            callers.go()?;
            callers.leave()?;
            proxy.running.stop()?;
            total(&out)
        };
        let warm = count / 5;
        Ok((run(warm + count)? - run(warm)?) / as_f64(count))
    }

    fn stripped_mib(&self) -> Result<f64, Failure> {
        if !installed("strip") {
            return Err("`strip` is not installed".into());
        }
        let out = self.site.path("stripped");
        printed(&["strip".into(), "-o".into(), out.clone().into(), self.target.program()?.into()])?;
        Ok(as_f64(usize::try_from(fs::metadata(out)?.len())?) / f64::from(1 << 20))
    }

    fn start(&self, under: &[OsString]) -> Result<Proxy<'_>, Failure> {
        let listen = free_address()?;
        let mut words = under.to_vec();
        words.extend(self.target.command(self.site, listen)?);
        let log = self.site.path("proxy.log");
        let mut running = Running::start(&words, MEASURED, &log)?;
        running.listens(listen, &log)?;
        Ok(Proxy { running, site: self.site, listen })
    }
}

/// A proxy that runs.
struct Proxy<'a> {
    running: Running,
    site: &'a Site,
    listen: std::net::SocketAddr,
}

impl Proxy<'_> {
    fn callers(
        &self,
        shape: Shape,
        group: Group,
        (connections, count): (usize, usize),
    ) -> Result<Callers, Failure> {
        let mut options: Vec<OsString> = vec!["--site".into(), self.site.folder().into()];
        for (option, value) in [
            ("--to", self.listen.to_string()),
            ("--shape", shape.word().into()),
            ("--group", group.word().into()),
            ("--connections", connections.to_string()),
            ("--count", count.to_string()),
        ] {
            options.extend([option.into(), value.into()]);
        }
        Callers::ready(&options)
    }
}
