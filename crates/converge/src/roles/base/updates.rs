//! Security updates, in the environment's maintenance window and at no other time.

use crate::context::RoleContext;
use crate::error::Error;
use crate::machine::{Resources, file, strings, unit};
use crate::render::render;
use andamio_manifest::{File, Unit};
use andamio_spec::Window;
use minijinja::context;

const DAY: u16 = 1_440;
/// When the window is always open: the hours with the fewest users of a European application.
const DEFAULT_MINUTE: u16 = 3 * 60 + 30;
/// Between the starts of two machines, so that a bad update meets one machine first.
const APART: u16 = 7;
/// Left at the window's end for the update itself.
const LAST: u16 = 30;

/// Debian's own schedule is in nobody's window; its service only waits for a shutdown, with 20 MB of Python.
pub(super) const OFF: &[&str] =
    &["apt-daily.timer", "apt-daily-upgrade.timer", "unattended-upgrades.service"];

pub(super) fn add(cx: &RoleContext<'_>, out: &mut Resources) -> Result<(), Error> {
    // One command that reads the file as apt does, and fails where apt would.
    out.file(File {
        validate: strings(&["/usr/bin/apt-config", "-c", "{}", "dump"]),
        ..file("/etc/apt/apt.conf.d/60andamio", include_str!("apt.conf"))
    });
    // Not masked: a running timer that is masked counts as failed.
    out.off(OFF);
    out.file(file("/etc/systemd/system/andamio-updates.service", include_str!("updates.service")));
    let position = cx.inputs.topology.machines.iter().position(|m| m.name == cx.machine.name);
    let position = u16::try_from(position.unwrap_or(0)).unwrap_or(0);
    let timer = out.file(file(
        "/etc/systemd/system/andamio-updates.timer",
        render(
            "updates.timer",
            include_str!("updates.timer"),
            context! { calendar => calendar(&cx.inputs.environment.window, position) },
        )?,
    ));
    out.unit(Unit { restart_on: vec![timer], ..unit("andamio-updates.timer") });
    Ok(())
}

/// The window's start, later by a few minutes for each machine, as systemd writes it.
fn calendar(window: &Window, position: u16) -> String {
    let all_days = vec![1, 2, 3, 4, 5, 6, 7];
    let (days, from, length) = match window {
        Window::Always => (&all_days, DEFAULT_MINUTE, DAY),
        Window::Weekly { days, from_minute, to_minute } => {
            let length = (to_minute + DAY - from_minute % DAY) % DAY;
            (days, from_minute % DAY, if length == 0 { DAY } else { length })
        }
    };
    let room = length.saturating_sub(LAST).max(1);
    let minute = from + position.saturating_mul(APART) % room;
    // Past midnight, the start belongs to the day after.
    let shift = u8::from(minute >= DAY);
    let minute = minute % DAY;
    let mut names: Vec<u8> = days.iter().map(|day| (day - 1 + shift) % 7).collect();
    names.sort_unstable();
    let names: Vec<&str> = names.into_iter().filter_map(name_of_day).collect();
    let days = if names.len() == 7 { String::new() } else { format!("{} ", names.join(",")) };
    format!("{days}*-*-* {:02}:{:02}:00 UTC", minute / 60, minute % 60)
}

/// 0 is Monday.
fn name_of_day(day: u8) -> Option<&'static str> {
    ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].get(usize::from(day)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_lie_in_the_window() {
        assert_eq!(calendar(&Window::Always, 0), "*-*-* 03:30:00 UTC");
        assert_eq!(calendar(&Window::Always, 2), "*-*-* 03:44:00 UTC");
        let weekend = Window::Weekly { days: vec![6, 7], from_minute: 0, to_minute: 0 };
        assert_eq!(calendar(&weekend, 1), "Sat,Sun *-*-* 00:07:00 UTC");
        let night = Window::Weekly { days: (1..=7).collect(), from_minute: 120, to_minute: 240 };
        assert_eq!(calendar(&night, 14), "*-*-* 02:08:00 UTC");
        let late = Window::Weekly { days: vec![7], from_minute: 1_430, to_minute: 60 };
        assert_eq!(calendar(&late, 0), "Sun *-*-* 23:50:00 UTC");
        assert_eq!(calendar(&late, 2), "Mon *-*-* 00:04:00 UTC");
    }
}
