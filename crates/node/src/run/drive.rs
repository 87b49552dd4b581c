//! How work is carried to its end while the operator is told what it is at.

use super::Run;
use crate::resource::{Doing, Say};
use andamio_manifest::{Event, VERSION};
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A wait longer than this says again what it waits for: silence never lasts five seconds.
const REMIND: Duration = Duration::from_secs(3);

/// What work says with it arrives at the other end.
pub(super) fn channel() -> (Say, UnboundedReceiver<Doing>) {
    let (sender, receiver) = unbounded_channel();
    (Say(sender), receiver)
}

impl Run<'_, '_> {
    /// Polls `work` to its end and passes on what it says; repeats it when it takes long. With `left`, for what
    /// only waits, that is the answer as soon as nobody listens.
    pub(super) async fn drive<T>(
        &mut self,
        id: &str,
        doing: String,
        (announce, mut left): (bool, Option<T>),
        mut lines: UnboundedReceiver<Doing>,
        work: impl Future<Output = T>,
    ) -> T {
        let begin = Instant::now();
        let only_waits = left.is_some();
        let mut doing = Doing { text: doing, waits: only_waits };
        if announce {
            self.started(id, &doing.text, doing.waits);
        }
        let mut work = std::pin::pin!(work);
        let mut remind = tokio::time::interval(REMIND);
        remind.reset();
        loop {
            tokio::select! {
                biased;
                Some(line) = lines.recv() => {
                    doing = Doing { waits: line.waits || only_waits, ..line };
                    self.started(id, &doing.text, doing.waits);
                    remind.reset();
                }
                result = &mut work => return result,
                _ = remind.tick() => {
                    let text = format!("{} ({} s)", doing.text, begin.elapsed().as_secs());
                    self.started(id, &text, doing.waits);
                    if left.is_some() && self.stopped() && let Some(left) = left.take() {
                        return left;
                    }
                }
            }
        }
    }

    pub(super) fn started(&mut self, id: &str, doing: &str, waits: bool) {
        let doing = self.mask.hide(doing.to_owned());
        self.send(Event::Started { v: VERSION, resource: id.to_owned(), doing, waits });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::hangup::Hangup;
    use crate::secret::Mask;
    use andamio_manifest::{Manifest, Report};
    use std::ops::ControlFlow;

    /// What the operator is told: the words, and whether it is a wait.
    async fn told(left: Option<()>) -> Vec<(String, bool)> {
        let manifest =
            r#"{"v":1,"machine":"a","instance":"dev@local","generation":1,"resources":[]}"#;
        let manifest: Manifest = serde_json::from_str(manifest).unwrap();
        let mut told = Vec::new();
        let mut out = |event| {
            if let Event::Started { doing, waits, .. } = event {
                told.push((doing, waits));
            }
            ControlFlow::Continue(())
        };
        let mut run = Run {
            out: &mut out,
            mask: Mask::new(&manifest),
            hangup: Hangup::new(),
            report: Report::default(),
            gone: false,
        };
        let (say, lines) = channel();
        let work = async {
            say.waits_for("the others");
            tokio::task::yield_now().await;
            say.say("restarting it");
            tokio::task::yield_now().await;
        };
        run.drive("unit:a", "making it".to_owned(), (true, left), lines, work).await;
        told
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_only_waits_is_a_wait_whatever_it_says() {
        let words = ["making it", "waiting for the others", "restarting it"];
        let expected = |waits: [bool; 3]| -> Vec<(String, bool)> {
            words.iter().map(|word| (*word).to_owned()).zip(waits).collect()
        };
        assert_eq!(told(None).await, expected([false, true, false]));
        assert_eq!(told(Some(())).await, expected([true, true, true]));
    }
}
