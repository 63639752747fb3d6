//! What the CPU itself counts.

use std::io;

use perf_event::Builder;
use perf_event::events::{Event, Hardware};

/// How many instructions `work` takes on this thread, the kernel's not counted with them; or why that is not known.
pub(super) fn instructions(work: impl FnOnce()) -> Result<u64, String> {
    count(Hardware::INSTRUCTIONS, work)
}

fn count(event: impl Into<Event>, work: impl FnOnce()) -> Result<u64, String> {
    let counted = || {
        let mut counter = Builder::new().kind(event).build()?;
        counter.enable()?;
        work();
        counter.disable()?;
        counter.read_count_and_time()
    };
    let read = counted().map_err(|error| why(&error))?;
    // A counter that others used meanwhile could only be extrapolated.
    if read.count == 0 || read.time_running < read.time_enabled {
        return Err("the CPU's counter was shared with others: end them, `perf` for one".to_owned());
    }
    Ok(read.count)
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::Unsupported => {
            format!("the CPU's counter is not to be had here, as in most virtual machines: {error}")
        }
        io::ErrorKind::PermissionDenied => {
            format!(
                "the kernel does not let this process have the CPU's counter: {error}: \
                 `sysctl kernel.perf_event_paranoid=2` does, in a container perf_event_open has to be allowed too"
            )
        }
        _ => format!("the CPU's counter cannot be read: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use perf_event::events::Software;

    use super::*;

    /// A counter of the kernel's own, in nanoseconds, where the CPU's is not to be had.
    #[test]
    fn a_counter_counts_the_work_and_nothing_beside_it() {
        let turns = |turns: u32| {
            count(Software::TASK_CLOCK, || {
                for turn in 0..turns {
                    std::hint::black_box(turn);
                }
            })
        };
        let (few, many) = (turns(100_000), turns(10_000_000));
        match (few, many) {
            (Ok(few), Ok(many)) => assert!(few > 1_000 && many > 10 * few, "{few} {many}"),
            (few, many) => assert!(few.is_err_and(|why| why.contains("perf_event_paranoid")), "{many:?}"),
        }
    }

    #[test]
    fn what_cannot_be_counted_is_told_by_its_cause() {
        for (kind, told) in [
            (io::ErrorKind::NotFound, "virtual machines"),
            (io::ErrorKind::Unsupported, "virtual machines"),
            (io::ErrorKind::PermissionDenied, "kernel.perf_event_paranoid=2"),
            (io::ErrorKind::Interrupted, "cannot be read"),
        ] {
            assert!(why(&kind.into()).contains(told), "{kind}: {}", why(&kind.into()));
        }
        let turns = |turns: u32| instructions(|| (0..turns).for_each(|turn| _ = std::hint::black_box(turn)));
        if let (Ok(few), Ok(many)) = (turns(100_000), turns(10_000_000)) {
            assert!(few > 100_000 && many > 10 * few, "{few} {many}");
        }
    }
}
