//! Room on the host's disk that machines do not get to share. Their disks are sparse files: where the host has no block
//! left for one, that machine's journal is aborted, and its file system can only be read until it has been checked.
//! Nothing on the host watches while nobody runs a command, so the reserve is judged by every command that
//! would use more of it, and said long before.

use super::{Local, LocalError};
use nix::sys::statvfs::statvfs;
use serde::Serialize;
use std::path::Path;

/// Of the file system, in hundredths.
const SHARE: u64 = 5;
/// What a handful of machines can have in memory that still has to be written.
const LEAST: u64 = 2_000_000_000;
/// More would only keep people of large disks from working.
const MOST: u64 = 5_000_000_000;

/// Bytes of the file system that holds the machines' disks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Room {
    pub free_bytes: u64,
    /// With less than this nothing new is begun.
    pub reserve_bytes: u64,
}

impl Room {
    /// Where `folder` is or would be.
    pub(super) fn of(folder: &Path) -> Self {
        let there = folder.ancestors().find(|p| p.exists()).unwrap_or(Path::new("/"));
        statvfs(there).map_or(Self { free_bytes: u64::MAX, reserve_bytes: 0 }, |stat| Self {
            free_bytes: stat.blocks_available() * stat.fragment_size(),
            reserve_bytes: reserve(stat.blocks() * stat.fragment_size()),
        })
    }

    #[must_use]
    pub fn is_short(&self) -> bool {
        self.free_bytes < self.reserve_bytes
    }

    /// Soon it will be short: a build or a growing database takes that much in minutes.
    #[must_use]
    pub fn is_low(&self) -> bool {
        self.free_bytes < self.reserve_bytes * 2
    }
}

fn reserve(whole: u64) -> u64 {
    (whole / 100 * SHARE).clamp(LEAST, MOST)
}

impl Local {
    #[must_use]
    pub fn room(&self) -> Room {
        Room::of(&self.roots.data)
    }

    /// # Errors
    /// When less than the reserve is free.
    pub fn check_room(&self) -> Result<(), LocalError> {
        let room = self.room();
        if room.is_short() {
            return Err(LocalError::Room { folder: self.roots.data.clone(), room });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twentieth_within_bounds() {
        const GB: u64 = 1_000_000_000;
        assert_eq!(
            (reserve(4 * GB), reserve(60 * GB), reserve(2000 * GB)),
            (2 * GB, 3 * GB, 5 * GB)
        );
        let room = |free_bytes| Room { free_bytes, reserve_bytes: 2 * GB };
        assert!(room(GB).is_short() && room(3 * GB).is_low() && !room(3 * GB).is_short());
        assert!(!room(4 * GB).is_low());
    }
}
