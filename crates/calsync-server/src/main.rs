//! The binary `calendar-sync`: hands the command line over, and gives its exit code back.

use std::process::ExitCode;

fn main() -> ExitCode {
    calsync_server::cli::main()
}
