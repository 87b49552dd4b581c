//! Many journals become one, in the order of time.

use super::{Item, Journal, Line, ON_THE_WAY, Query, Seen, lines_of};
use crate::Failure;
use futures_util::future::join_all;
use tokio::sync::mpsc;

/// Hands over what there is up to now: the newest of all of them together, or all. Returned are the places of those
/// that could come again, when it goes on.
pub(super) async fn past(
    journals: &[Journal],
    command: &str,
    query: &Query,
    out: &mpsc::Sender<Item>,
) -> Result<Seen, Failure> {
    let (senders, receivers): (Vec<_>, Vec<_>) =
        journals.iter().map(|_| mpsc::channel(ON_THE_WAY)).unzip();
    let asked = journals.iter().zip(senders).map(|(j, sender)| lines_of(j, command, sender));
    let hand_over = async {
        match query.lines {
            Some(most) => newest(receivers, most as usize, out).await,
            None => all(receivers, query.follow, out).await,
        }
    };
    let (ended, seen) = tokio::join!(join_all(asked), hand_over);
    ended.into_iter().collect::<Result<Vec<()>, Failure>>()?;
    Ok(seen)
}

/// Each machine sends its newest; in which order, depends on the filter.
async fn newest(
    receivers: Vec<mpsc::Receiver<Line>>,
    most: usize,
    out: &mpsc::Sender<Item>,
) -> Seen {
    let gather = receivers.into_iter().map(|mut receiver| async move {
        let mut lines: Vec<Line> = Vec::new();
        while let Some(line) = receiver.recv().await {
            lines.push(line);
        }
        // With a pattern the newest come first.
        if matches!(&lines[..], [first, .., last] if first.at > last.at) {
            lines.reverse();
        }
        lines
    });
    let mut lines: Vec<Line> = join_all(gather).await.into_iter().flatten().collect();
    lines.sort_by_key(|line| line.at);
    let seen = lines.iter().map(|line| line.cursor.clone()).collect();
    for line in lines.split_off(lines.len().saturating_sub(most)) {
        if out.send(Item::Line(line)).await.is_err() {
            break;
        }
    }
    seen
}

/// Each machine sends in the order of time: the earliest of the first ones is next.
async fn all(
    mut receivers: Vec<mpsc::Receiver<Line>>,
    goes_on: bool,
    out: &mpsc::Sender<Item>,
) -> Seen {
    let mut seen = Seen::new();
    let mut heads = join_all(receivers.iter_mut().map(mpsc::Receiver::recv)).await;
    loop {
        let times = heads.iter().enumerate();
        let next = times.filter_map(|(n, head)| head.as_ref().map(|line| (line.at, n))).min();
        let Some((_, next)) = next else { return seen };
        let following = receivers[next].recv().await;
        if let Some(line) = std::mem::replace(&mut heads[next], following) {
            if goes_on {
                seen.insert(line.cursor.clone());
            }
            if out.send(Item::Line(line)).await.is_err() {
                return seen;
            }
        }
    }
}
