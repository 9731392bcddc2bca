//! Weir's one binary: arguments, logging, wiring. What it does is in the crates; see ARCHITECTURE.md.

mod check;
mod demo;
mod logging;
mod notify;
mod run;
mod schema;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A load balancer for HTTP, TLS, gRPC, TCP and UDP that runs from one YAML file.
#[derive(Debug, Parser)]
#[command(name = "weir", version, disable_help_subcommand = true, after_help = EXIT_STATUS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve a configuration file. SIGHUP reads it again, SIGTERM drains and stops, a second one stops at once
    Run(run::Options),
    /// Print every mistake in a configuration file, with its place and a hint; binds nothing
    Check(check::Options),
    /// The product on its own: three built-in origin servers behind a listener on 127.0.0.1:8080
    Demo(demo::Options),
    /// Process 1 of the appliance; nothing for any other machine
    Init,
    /// Print the JSON Schema of the configuration file, or its reference page
    Schema(schema::Options),
}

const EXIT_STATUS: &str = "Exit status: 0 success, 1 the input was refused, 2 wrong usage.\n\
    Diagnostics go to standard error, data to standard output.";

fn main() -> ExitCode {
    // As process 1 or under one of its names, the arguments are not ours.
    if let Some(status) = weir_init::take_over() {
        return status;
    }
    let outcome = match Arguments::parse().command {
        Command::Run(options) => run::main(&options),
        Command::Check(options) => check::main(&options),
        Command::Demo(options) => demo::main(&options),
        Command::Init => weir_init::run().map(|never| match never {}).map_err(anyhow::Error::from),
        Command::Schema(options) => schema::main(&options),
    };
    match outcome {
        Ok(status) => status,
        Err(error) => {
            logging::say(&format!("weir: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
