use std::fmt::Write as _;
use std::process::ExitCode;

/// How the process ends: one table for `--help`, the reference and whoever starts this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// `healthcheck`, whose 1 is what container runtimes and probes read; and whatever could not be printed.
    Unhealthy = 1,
    /// The arguments cannot be understood; for tests and queries, as OPA has it, that they failed.
    Usage = 2,
    /// The configuration, or a file that it or an argument names.
    Configuration = 3,
    /// The policy.
    Policy = 4,
    /// Something around us.
    CannotStart = 5,
    /// Something of ours, while serving.
    Failed = 6,
    /// Of records and codes.
    NotFound = 7,
}

impl Exit {
    /// A query is undefined, or defined, and that was not wanted: the number is OPA's.
    pub(super) const UNDEFINED: Self = Self::Unhealthy;
    /// `why`: it would be refused.
    pub(super) const DENIED: Self = Self::Unhealthy;
    /// A test failed or a query has no answer: the number is OPA's.
    pub(super) const TEST_FAILED: Self = Self::Usage;

    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Done,
        Self::Unhealthy,
        Self::Usage,
        Self::Configuration,
        Self::Policy,
        Self::CannotStart,
        Self::Failed,
        Self::NotFound,
    ];

    /// What it says.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; `run`: told to stop, drained, leases returned",
            Self::Unhealthy => {
                "`healthcheck`: not well; `why`: denied; `eval --fail`: undefined; any verb: nobody read it"
            }
            Self::Usage => {
                "the arguments cannot be understood; `policy`: a test failed, or a query has no answer"
            }
            Self::Configuration => {
                "the configuration is refused, or a file that it or an argument names cannot be used"
            }
            Self::Policy => "the policy is refused",
            Self::CannotStart => "cannot start: state folder, records, an address",
            Self::Failed => "a fault of Postern's own ended it: start it again and report it",
            Self::NotFound => "no such record, or none that holds what is asked; no such code",
        }
    }

    /// Whether starting it again unchanged may help.
    #[must_use]
    pub const fn again(self) -> bool {
        matches!(self, Self::CannotStart | Self::Failed | Self::Unhealthy)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}

/// The table as `--help` shows it.
pub(super) fn table() -> String {
    let mut table = String::from("Exit codes:\n");
    for exit in Exit::ALL {
        // Writing to a `String` cannot fail.
        let _written = writeln!(table, "  {}  {}", exit as u8, exit.meaning());
    }
    table.push_str(
        "\nStart with:\n  postern check --config postern.yaml\n  postern run --config postern.yaml\n",
    );
    table
}
