//! Progress of a run: live lines a machine on a terminal, plain lines elsewhere, JSON Lines with
//! `--json`. Whatever changed is shown with its diff.

use super::{Output, Style};
use andamio_engine::{Cancel, Event, State};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;

pub(crate) struct Progress<'a> {
    output: &'a Output,
    style: Style,
    /// `None` where nobody watches a cursor.
    bars: Option<MultiProgress>,
    lines: BTreeMap<String, ProgressBar>,
    /// Titles of running steps, for what a line says when a resource is done.
    doing: BTreeMap<String, String>,
    /// Machines that this run makes.
    created: BTreeSet<String>,
}

impl<'a> Progress<'a> {
    pub(crate) fn new(output: &'a Output) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let live = terminal && !output.json && !output.quiet;
        Self {
            output,
            style: Style::detect(terminal),
            bars: live.then(MultiProgress::new),
            lines: BTreeMap::new(),
            doing: BTreeMap::new(),
            created: BTreeSet::new(),
        }
    }

    /// Shows events until the run has ended.
    pub(crate) async fn show(&mut self, mut events: UnboundedReceiver<Event>, cancel: &Cancel) {
        let mut told = false;
        loop {
            tokio::select! {
                event = events.recv() => match event {
                    Some(event) if self.output.json => self.output.document(&event),
                    Some(event) => self.event(&event),
                    None => break,
                },
                () = cancel.wait(), if !told => {
                    told = true;
                    self.line(if cancel.lost() {
                        "The lock could not be renewed: finishing what is under way…"
                    } else {
                        "Finishing what is under way (Ctrl-C again leaves at once)…"
                    });
                }
            }
        }
        for bar in self.lines.values() {
            bar.finish_and_clear();
        }
    }

    fn event(&mut self, event: &Event) {
        let who = event.machine.clone().unwrap_or_else(|| event.step.clone());
        let resource = event.resource.as_deref();
        match (event.state, resource) {
            (State::Started, _) => {
                self.doing.insert(event.step.clone(), event.message.clone());
                if let Some(machine) = event.message.strip_prefix("create ") {
                    self.created.insert(machine.to_owned());
                }
                self.now(&who, &event.message);
            }
            (State::Waiting, Some(resource)) => {
                self.now(&who, &format!("{resource}: {}", event.message));
            }
            (State::Waiting, None) => self.now(&who, &event.message),
            (State::Ok, Some(_)) => {}
            (State::Changed, Some(resource)) => {
                let mut text = format!("{} {who} {resource}", self.style.yellow("~"));
                if self.output.verbose || event.diff.lines().count() <= 12 {
                    for line in event.diff.lines() {
                        text.push_str(&format!("\n      {}", self.style.diff_line(line)));
                    }
                } else {
                    let lines = event.diff.lines().count();
                    text.push_str(
                        &self.style.dim(&format!(" ({lines} lines differ; -v shows them)")),
                    );
                }
                // A fresh machine changes everything: what is worth reading is said when it is done.
                if self.output.verbose || !self.fresh(&event.step) {
                    self.line(&text);
                } else {
                    self.now(&who, resource);
                }
            }
            (State::Failed, Some(resource)) => {
                let text = format!("{} {who} {resource}: {}", self.style.red("✗"), event.message);
                self.line(&text);
            }
            (State::Ok | State::Changed, None) => {
                self.clear(&who);
                self.doing.remove(&event.step);
                let seconds = self
                    .style
                    .dim(&format!("{:.1} s", Duration::from_millis(event.ms).as_secs_f64()));
                self.line(&format!("{} {} {seconds}", self.style.green("✓"), event.message));
            }
            (State::Failed, None) => {
                self.clear(&who);
                let title = self.doing.remove(&event.step).unwrap_or_else(|| event.step.clone());
                // The whole of it comes at the end.
                let first = event.message.lines().next().unwrap_or_default();
                let first = first.trim_end_matches(':');
                self.line(&format!("{} {title}: {first}", self.style.red("✗")));
            }
        }
    }

    /// Machines made by this run are converged from nothing.
    fn fresh(&self, step: &str) -> bool {
        let machine = step.split_once(':').map_or("", |(_, m)| m);
        self.created.contains(machine)
    }

    fn now(&mut self, who: &str, text: &str) {
        let Some(bars) = &self.bars else {
            if self.output.verbose {
                self.output.note(&format!("  {who}: {text}"));
            }
            return;
        };
        let bar = self.lines.entry(who.to_owned()).or_insert_with(|| {
            let bar = bars.add(ProgressBar::new_spinner());
            let template =
                ProgressStyle::with_template("  {spinner} {prefix:12} {wide_msg} {elapsed}");
            if let Ok(template) = template {
                bar.set_style(template);
            }
            bar.set_prefix(who.to_owned());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        bar.set_message(text.lines().next_back().unwrap_or_default().to_owned());
    }

    fn clear(&mut self, who: &str) {
        if let Some(bar) = self.lines.remove(who) {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| self.output.note(text)),
            None => self.output.note(text),
        }
    }
}
