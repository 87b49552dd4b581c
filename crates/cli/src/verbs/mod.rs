//! The verbs: each turns arguments into a request, and what comes back into an answer.

mod check;
mod commands;
mod console;
mod cost;
mod down;
mod drill;
mod history;
mod init;
pub(crate) mod internal;
mod key;
mod load;
mod logs;
mod man;
mod plan;
mod secret;
mod state;
mod status;
mod unlock;
mod up;

use crate::args::{Args, Shell, Verb};
use crate::exit::{Exit, Stop};
use crate::output::Output;
use clap::CommandFactory;

pub(crate) async fn dispatch(args: &Args, output: &mut Output) -> Result<Exit, Stop> {
    let global = &args.global;
    match &args.verb {
        Verb::Init => init::init(global, output),
        Verb::Check { explain } => check::check(global, output, *explain),
        Verb::Plan { env, as_recorded, out, exit_code, render, accept } => {
            let wanted = plan::Wanted {
                as_recorded: *as_recorded,
                out: out.as_deref(),
                exit_code: *exit_code,
                render: *render,
                accept,
            };
            plan::plan(global, output, env, &wanted).await
        }
        Verb::Up { env, as_recorded, plan, limit, accept } => {
            let wanted =
                up::Wanted { as_recorded: *as_recorded, reviewed: plan.as_deref(), limit, accept };
            up::up(global, output, env, &wanted).await
        }
        Verb::Down { env } => down::down(global, output, env).await,
        Verb::Status { env } => status::status(global, output, env).await,
        Verb::Logs {
            env,
            file: _,
            machine,
            unit,
            process,
            level,
            since,
            until,
            grep,
            all,
            follow,
            lines,
        } => {
            let filter = andamio_operate::logs::Filter {
                machine: machine.clone(),
                unit: unit.clone(),
                process: process.clone(),
                level: level.clone(),
                since: since.clone(),
                until: until.clone(),
                grep: grep.clone(),
                all: *all,
                follow: *follow,
                lines: *lines,
            };
            logs::logs(global, output, env, &filter).await
        }
        Verb::Ssh { env, machine, command } => {
            commands::ssh(global, output, env, machine, command).await
        }
        Verb::Exec { env, machine, all, command } => {
            commands::exec(global, output, env, machine, *all, command).await
        }
        Verb::Run { env, process, command } => {
            commands::run(global, output, env, process.as_deref(), command).await
        }
        Verb::Db { env, sql } => commands::db(global, output, env, sql).await,
        Verb::History { env, lines } => {
            history::history(global, output, env.as_deref(), *lines).await
        }
        Verb::Unlock { env } => unlock::unlock(global, output, env).await,
        Verb::Cost { env, place, live } => {
            cost::cost(global, output, env.as_deref(), place.as_deref(), *live).await
        }
        Verb::Drill { env, target, fault, all: _, rate } => {
            drill::drill(global, output, env, target.zip(*fault), *rate).await
        }
        Verb::Load { env, rate, seconds, out } => {
            let wanted = load::Wanted { rate: *rate, seconds: *seconds, out: out.as_deref() };
            load::load(global, output, env, &wanted).await
        }
        Verb::Secret { what } => secret::secret(global, output, what).await,
        Verb::State { what } => state::state(global, output, what).await,
        Verb::Key { what } => key::key(global, output, what).await,
        Verb::Completions { shell } => Ok(completions(*shell)),
        Verb::Man { out } => man::man(output, out),
        Verb::Node { what } => internal::node(what).await,
        Verb::Machine { what } => internal::machine(what).await,
    }
}

fn completions(shell: Shell) -> Exit {
    use clap_complete::shells;
    let mut command = Args::command();
    let mut out = std::io::stdout().lock();
    let name = "andamio";
    match shell {
        Shell::Bash => clap_complete::generate(shells::Bash, &mut command, name, &mut out),
        Shell::Elvish => clap_complete::generate(shells::Elvish, &mut command, name, &mut out),
        Shell::Fish => clap_complete::generate(shells::Fish, &mut command, name, &mut out),
        Shell::Powershell => {
            clap_complete::generate(shells::PowerShell, &mut command, name, &mut out);
        }
        Shell::Zsh => clap_complete::generate(shells::Zsh, &mut command, name, &mut out),
    }
    Exit::Done
}
