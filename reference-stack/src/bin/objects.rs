//! The S3 server of the services profile, for tests of this crate; `plimsoll` brings its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = plimsoll_stack::serve_objects() {
        return ExitCode::from(code);
    }
    eprintln!("this is started by a stack, with serve-objects DIRECTORY PORT");
    ExitCode::from(2)
}
