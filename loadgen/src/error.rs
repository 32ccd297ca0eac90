//! Why a load run could not start or go on: each message has the cause, the place and the next step.

/// A load run that did not happen. A run that did happen but should not be trusted is no error: see
/// `Measurement::invalid`.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("nothing to send: {}; give each action of the load run an `http` template, such as `http: {{get: \"/v1/songs/{{object}}\"}}`", .reasons.join("; "))]
    NothingToSend {
        /// One per action: its name and what is missing.
        reasons: Vec<String>,
    },

    #[error(
        "no target for tier `{tier}`, where `{action}` enters; start the bundled stack, or name one with --target http://127.0.0.1:PORT"
    )]
    NoTarget { action: String, tier: String },

    #[error(
        "target `{url}` is not on this machine (only 127.0.0.0/8, ::1 and localhost are); run plimsoll beside the system under test"
    )]
    NotLoopback { url: String },

    #[error("target `{url}` is no base url: {cause}; expected something like http://127.0.0.1:8080")]
    BadUrl { url: String, cause: String },

    #[error("cannot reach {url}: {source}; is the stack running, and listening on this port?")]
    Unreachable { url: String, source: std::io::Error },

    #[error(
        "header `{name}` cannot be sent: {cause}; a header needs a token as its name and visible text as its value"
    )]
    BadHeader { name: String, cause: String },

    #[error(
        "the `http` template of `{name}` makes no request: {cause}; expected a method, and a path that starts with `/`"
    )]
    BadTemplate { name: String, cause: String },

    #[error(
        "{scenario} has no sessions (its `load` says nothing of them, or nobody comes): write `load: {{sessions: {{steps: [...]}}}}`, or choose other arrivals"
    )]
    NoSessions { scenario: String },

    #[error("--{option} names `{action}`, which sends nothing; what sends are {known}")]
    NoSuchAction { option: &'static str, action: String, known: String },

    #[error(
        "the system lets this process open {limit} files at the same time, and {wanted} are wanted: raise it (`ulimit -n {wanted}`), or allow fewer users (`--users`)"
    )]
    TooFewFiles { limit: u64, wanted: u64 },

    #[error("{option} is {value}, expected {expected}")]
    BadOption { option: &'static str, value: String, expected: &'static str },

    #[error(
        "cannot start the load generator's {what}: {source}; is the machine out of threads or files (`ulimit -a`)?"
    )]
    Start { what: &'static str, source: std::io::Error },

    #[error("goose could not run the load: {cause}; run again, and report it if it stays")]
    Goose { cause: String },

    #[error(
        "only {ready} of {users} goose users started within {within_s} s; lower the number of users, or free the machine"
    )]
    UsersNotReady { ready: usize, users: usize, within_s: u64 },
}
