//! Programs of this host. A caller's search path may leave out the system folders, as that of cron and of
//! `su` does, and what [`super::missing_packages`] found there has to be found again.

use std::path::{Path, PathBuf};

pub(super) const SYSTEM: [&str; 4] = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
/// For a program that starts others by their names.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where a program is; its bare name where only the caller's search path knows.
pub(super) fn find(program: &str) -> PathBuf {
    let places = SYSTEM.iter().map(|folder| Path::new(folder).join(program));
    places.into_iter().find(|file| file.is_file()).unwrap_or_else(|| program.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_the_system_needs_no_search_path() {
        assert!(find("sh").is_absolute());
        assert_eq!(find("no-such-program"), Path::new("no-such-program"));
    }
}
