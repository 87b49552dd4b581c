use crate::args::Global;
use crate::exit::{Exit, Stop};
use crate::output::Output;
use crate::project::request;
use andamio_operate::Instance;
use andamio_operate::logs::{Filter, Line, read};
use tokio::sync::mpsc::unbounded_channel;

pub(crate) async fn logs(
    global: &Global,
    output: &Output,
    env: &str,
    filter: &Filter,
) -> Result<Exit, Stop> {
    let instance = Instance::look(request(global, env)?).await?;
    if !filter.follow {
        for line in read(&instance, filter, None).await? {
            show(output, &line);
        }
        return Ok(Exit::Done);
    }
    let (sender, mut lines) = unbounded_channel();
    let work = read(&instance, filter, Some(sender));
    tokio::pin!(work);
    loop {
        tokio::select! {
            ended = &mut work => { ended?; return Ok(Exit::Done) }
            Some(line) = lines.recv() => show(output, &line),
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Interrupted),
        }
    }
}

fn show(output: &Output, line: &Line) {
    if output.json {
        output.document(line);
        return;
    }
    let style = output.style;
    let message = match line.level {
        0..=3 => style.red(&line.message),
        4 => style.yellow(&line.message),
        _ => line.message.clone(),
    };
    let unit = line.unit.trim_end_matches(".service");
    output.answer(&format!(
        "{} {} {} {message}",
        style.dim(&line.time),
        style.bold(&line.machine),
        style.dim(unit)
    ));
}
