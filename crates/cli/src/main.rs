//! The `andamio` command: reads the terminal, the environment and the home folder, hands values to
//! the crates that decide, and shows what they say. One file a verb.

mod args;
mod exit;
mod output;
mod project;
mod run;
mod unlock;
mod verbs;

use args::{Args, Internal, NodeVerb, Verb};
use clap::Parser;
use exit::{Exit, Stop};
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = verbs::internal::first_process() {
        return code;
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help and version are answers; the rest is a mistake of the caller.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    let mut output = Output::new(&args.global);
    let result = match &args.verb {
        // A machine's process must have a single thread, so it comes before the runtime.
        Verb::Machine { what: Internal::Launch { folder, groups } } => {
            verbs::internal::launch(folder, groups)
        }
        Verb::Node { what: NodeVerb::Attend { token, container, command } } => {
            verbs::internal::attended(token, container.as_deref(), command)
        }
        _ => on_runtime(&args, &mut output),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(stop) => {
            output.stop(&stop);
            stop.exit().into()
        }
    }
}

fn on_runtime(args: &Args, output: &mut Output) -> Result<Exit, Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Stop::failed("runtime", e, "is the process limit of this user reached?"))?;
    let result = runtime.block_on(verbs::dispatch(args, output));
    // A reader of the terminal may still wait for a key that nobody will press.
    runtime.shutdown_background();
    result
}
