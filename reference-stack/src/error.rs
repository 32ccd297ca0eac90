//! What can go wrong before the stack is ready; afterwards a fault is a response, not an error.

use std::path::PathBuf;

/// Why the stack did not start.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// The scenario does not describe this music service, or is too large for one machine.
    #[error("scenario `{scenario}` can't be played on the reference stack:\n{}", bullets(.problems))]
    Unplayable {
        scenario: String,
        /// Never empty; each with its way out.
        problems: Vec<String>,
    },
    #[error(
        "port {port} on 127.0.0.1 is already taken: stop the program that listens there, choose another port, or leave the port out to get a free one"
    )]
    PortTaken { port: u16 },
    #[error(
        "can't listen on 127.0.0.1 for {tier}: {cause}; check the limits on open files and ports (`ulimit -n`)"
    )]
    Listen { tier: String, cause: std::io::Error },
    #[error("can't prepare {what} in {}: {cause}; check free space and permissions there, or point TMPDIR elsewhere", .place.display())]
    Prepare { what: &'static str, place: PathBuf, cause: std::io::Error },
    #[error("can't build the song database: {0}; check free space in the temporary directory")]
    Database(#[from] rusqlite::Error),
    #[error("can't open the audio store: {0}; check free space in the temporary directory")]
    Store(#[from] object_store::Error),
    #[error("can't start the stack's threads: {0}; check the limits on processes (`ulimit -u`)")]
    Threads(std::io::Error),
    #[error("the system gave no random bytes for the API key: {0}; try again")]
    Key(getrandom::Error),
    #[error(
        "this build has the embedded profile only; real servers need the feature `services`: cargo run --release --features services -- stack up --profile services"
    )]
    NoServices,
    #[error(
        "the services profile needs programs that are not here: {programs}; on Debian: apt-get install {packages}"
    )]
    MissingPrograms { programs: String, packages: String },
    #[error(
        "as root, servers run as the user {name} or nobody, and neither is known here; start the stack as somebody else"
    )]
    NoUser { name: String },
    #[error("{name} did not start:\n{said}")]
    Server { name: String, said: String },
    #[error("{name} refuses its work: {cause}")]
    Service { name: &'static str, cause: String },
    #[error("the stack ended while it was starting; this is a defect of plimsoll, please report it")]
    Gone,
}

fn bullets(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("  - {problem}")).collect::<Vec<_>>().join("\n")
}
