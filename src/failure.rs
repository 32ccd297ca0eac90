//! What ends a command: an exit code, and for a failure a message with cause, place and next step.

use std::process::ExitCode;

use plimsoll_sim::plan::PlanError;

/// The exit codes, the same for every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    Success = 0,
    /// Something went wrong that is no fault of the command line or the scenario.
    Failure = 1,
    /// The command line or the scenario is wrong.
    Usage = 2,
    /// An SLO or threshold is breached.
    Breached = 3,
    /// A gate's rounds allow both a pass and a breach.
    Inconclusive = 4,
    /// Ctrl-C; what was finished is kept.
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    Scenario(#[from] plimsoll_scenarios::LoadError),
    #[error("{0}")]
    Prices(#[from] plimsoll_scenarios::prices::LoadError),
    #[error("{0}")]
    Plan(#[from] PlanError),
    #[error("{0}")]
    NoLoad(#[from] plimsoll_scenarios::NoLoad),
    #[error("{0}")]
    Stack(#[from] plimsoll_stack::StackError),
    #[error("{0}")]
    Remote(#[from] plimsoll_stack::RemoteError),
    #[error("{0}")]
    Load(#[from] plimsoll_loadgen::LoadError),
    #[error("cannot write {path}: {cause}\nhint: choose another place (of a run: `--out DIR`), or make room")]
    Write { path: String, cause: std::io::Error },
    #[error("cannot read {path}: {cause}\nhint: {hint}")]
    Read { path: String, cause: String, hint: String },
    #[error("{0}")]
    Json(#[from] plimsoll_reports::json::JsonError),
    #[error("{0}")]
    Usage(String),
    #[error(
        "{command} does not know yet how to play all of {scenario}:\n  {list}\nhint: `plimsoll estimate {scenario}` and `plimsoll simulate {scenario}` cover all of it"
    )]
    NotEmulated { command: &'static str, scenario: String, list: String },
    #[error("{0}")]
    TooLarge(#[from] plimsoll_sim::TooLarge),
    #[error("{0}")]
    Process(String),
    #[error("interrupted before anything was finished")]
    Interrupted,
}

/// Refuses a scenario that the reference stack does not know how to play.
pub fn loadable(scenario: &plimsoll_scenarios::Scenario, command: &'static str) -> Result<(), Failure> {
    let list = scenario.not_emulated();
    if list.is_empty() {
        return Ok(());
    }
    Err(Failure::NotEmulated { command, scenario: scenario.name.clone(), list: list.join("\n  ") })
}

impl Failure {
    pub const fn code(&self) -> Code {
        use plimsoll_loadgen::LoadError as L;
        use plimsoll_stack::StackError as S;
        match self {
            Self::Scenario(_)
            | Self::Prices(_)
            | Self::NoLoad(_)
            | Self::Usage(_)
            | Self::TooLarge(_)
            | Self::Read { .. }
            | Self::Stack(S::Unplayable { .. } | S::NoServices | S::MissingPrograms { .. })
            | Self::Remote(plimsoll_stack::RemoteError::Refused { status: 400..500, .. })
            | Self::Load(
                L::NothingToSend { .. }
                | L::NoTarget { .. }
                | L::NotLoopback { .. }
                | L::BadUrl { .. }
                | L::BadHeader { .. }
                | L::BadTemplate { .. }
                | L::NoSuchAction { .. }
                | L::BadOption { .. },
            ) => Code::Usage,
            Self::Stack(_)
            | Self::Remote(_)
            | Self::Load(_)
            | Self::Write { .. }
            | Self::Json(_)
            | Self::NotEmulated { .. }
            | Self::Process(_) => Code::Failure,
            Self::Plan(PlanError::Infeasible { .. }) => Code::Breached,
            Self::Plan(PlanError::Stopped) | Self::Interrupted => Code::Interrupted,
            Self::Plan(_) => Code::Usage,
        }
    }
}
