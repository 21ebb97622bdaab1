//! The program: arguments in, an exit code and at most one line of error out.

use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match switchback_keeper::run(std::env::args_os().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            writeln!(std::io::stderr(), "{}", failure.to_json()).ok();
            ExitCode::from(failure.exit_code())
        }
    }
}
