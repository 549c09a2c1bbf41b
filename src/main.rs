//! The process: argv in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    match nomad_clients::cli::parse(std::env::args_os()) {
        Ok(cli) => nomad_clients::run(&cli),
        Err(error) => {
            // Help and version go to stdout, wrong usage to stderr; a closed stream hurts nothing.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}
