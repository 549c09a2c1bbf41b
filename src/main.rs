//! The process: argv in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    nomad_clients::guarded(|| {
        if let Some(answered) = nomad_clients::complete() {
            return answered;
        }
        match nomad_clients::cli::parse(std::env::args_os()) {
            Ok(cli) => nomad_clients::run(&cli),
            Err(said) => ExitCode::from(nomad_clients::cli::say(&said)),
        }
    })
}
