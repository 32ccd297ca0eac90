//! What can be wrong with a recorded trace: cause, place, next step.

use std::io;

#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    #[error("reading failed after {after} {what}: {cause}\nhint: name a file, or `-` for the standard input")]
    Read { after: u64, what: &'static str, cause: io::Error },
    #[error("unpacking failed after {after} {what}: {cause}\nhint: check the file with `zstd -t`")]
    Unpack { after: u64, what: &'static str, cause: io::Error },
    #[error(
        "record {record} is cut short: {bytes} of 24 bytes\nhint: if this is no oracleGeneral trace, \
         say what it is with `--trace-format`"
    )]
    CutShort { record: u64, bytes: usize },
    #[error("line {line}, column {column}: {cause}\nhint: {hint}")]
    Line { line: u64, column: usize, cause: String, hint: &'static str },
    #[error("the trace has no requests{0}\nhint: name another file, or say what it is with `--trace-format`")]
    Empty(String),
    #[error("the trace has more than {max} different objects\nhint: replay a part of it")]
    TooManyObjects { max: u32 },
    #[error("the trace is packed with {with}\nhint: `{unpack} TRACE | plimsoll replay - ...`")]
    Packed { with: &'static str, unpack: &'static str },
    #[error(
        "cannot tell what kind of trace this is\nhint: say it with `--trace-format oracle-general`, `csv` or \
         `access-log`"
    )]
    UnknownFormat,
}
