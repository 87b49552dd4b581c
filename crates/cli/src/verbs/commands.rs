//! `ssh`, `exec`, `run` and `db`: a person's command goes to a machine, and its exit status comes back.

use super::console::{connect, each, has_person};
use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::Output;
use crate::project::{look, visit};
use andamio_operate::command::{Job, Work};
use andamio_operate::{command, database};
use andamio_remote::quote;
use std::sync::Arc;

pub(crate) async fn ssh(
    global: &Global,
    output: &Output,
    env: &str,
    machine: &str,
    words: &[String],
) -> Result<Exit, Stop> {
    let instance = visit(global, env).await?;
    let work = match words {
        [] if has_person() => Work::Shell,
        // What comes on standard input is its script.
        [] => Work::Line("exec sh".to_owned()),
        words => Work::Line(line(words)),
    };
    let job = command::on(&instance, machine, work).await?;
    connect(output, &instance, &job, false).await
}

pub(crate) async fn exec(
    global: &Global,
    output: &Output,
    env: &str,
    machine: &str,
    all: bool,
    words: &[String],
) -> Result<Exit, Stop> {
    let instance = visit(global, env).await?;
    if all {
        let machines = command::machines(&instance, machine, true)?;
        let job = |machine| Job { machine, work: Work::Line(line(words)), note: None };
        let jobs: Vec<Job> = machines.into_iter().map(job).collect();
        if jobs.len() > 1 {
            return each(output, &instance, &jobs).await;
        }
    }
    let job = command::on(&instance, machine, Work::Line(line(words))).await?;
    connect(output, &instance, &job, false).await
}

pub(crate) async fn run(
    global: &Global,
    output: &Output,
    env: &str,
    process: Option<&str>,
    words: &[String],
) -> Result<Exit, Stop> {
    let instance = Arc::new(look(global, env).await?);
    let job = command::in_app(&instance, process, words).await?;
    connect(output, &instance, &job, false).await
}

pub(crate) async fn db(
    global: &Global,
    output: &Output,
    env: &str,
    sql: &[String],
) -> Result<Exit, Stop> {
    let instance = look(global, env).await?;
    let sql = if sql.is_empty() { None } else { Some(sql.join(" ")) };
    let job = database::job(&instance, sql.as_deref()).await?;
    connect(output, &instance, &job, true).await
}

/// One word is a shell's line, several are a program and its arguments: as with ssh and sudo.
fn line(words: &[String]) -> String {
    match words {
        [one] => one.clone(),
        several => quote(several),
    }
}
