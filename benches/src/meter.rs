//! The meters: what the kernel and callgrind say of a process.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::Failure;
use crate::child::installed;

/// CPU time of a process so far, user and kernel, all its threads, those that ended too.
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64, Failure> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name before it may hold spaces; user and kernel ticks are the 14th and 15th field of the line.
    let (_, fields) = stat.rsplit_once(") ").ok_or("an odd /proc/PID/stat")?;
    let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    Ok(ticks / as_f64(usize::try_from(rustix::param::clock_ticks_per_second())?))
}

/// Resident memory of a process.
pub(crate) fn resident_kib(pid: u32) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// What to put before a command line so that its instructions are counted into `out`.
pub(crate) fn callgrind(out: &Path) -> Result<Vec<OsString>, Failure> {
    if !installed("valgrind") {
        return Err("`valgrind` is not installed".into());
    }
    let mut file = OsString::from("--callgrind-out-file=");
    file.push(out);
    // Without a debugger's door, whose pipes a killed process would leave behind.
    Ok(vec!["valgrind".into(), "--quiet".into(), "--vgdb=no".into(), "--tool=callgrind".into(), file])
}

/// What was counted into `out`.
pub(crate) fn total(out: &Path) -> Result<f64, Failure> {
    let text = fs::read_to_string(out)?;
    let line =
        text.lines().rev().find_map(|line| line.strip_prefix("totals: ")).ok_or("callgrind gave no total")?;
    let total = line.trim().parse()?;
    // The next run must not be mistaken for this one.
    fs::remove_file(out)?;
    Ok(total)
}

/// Counts here are far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2^53")]
pub(crate) const fn as_f64(count: usize) -> f64 {
    count as f64
}
