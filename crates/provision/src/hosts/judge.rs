//! What a server must be before anything is put on it.

/// Asks a server about itself, as root; [`judge`] reads the answer.
pub const FACTS: &str = "id -u; uname -m; (. /etc/os-release; echo \"$ID $VERSION_ID\"); \
                         test -d /run/systemd/system && echo systemd";

/// What stops Andamio on a server that answered [`FACTS`]; empty when nothing does. `complaint` is
/// what it wrote to standard error.
#[must_use]
pub fn judge(user: &str, answer: &str, complaint: &str) -> Vec<String> {
    let mut lines = answer.lines().map(str::trim);
    if lines.next() != Some("0") {
        let why = complaint.lines().next().unwrap_or("no answer").trim();
        return vec![format!("{user} cannot become root without a password ({why})")];
    }
    let mut problems = Vec::new();
    let machine = lines.next().unwrap_or_default();
    if machine != "x86_64" {
        problems.push(format!("its processor is {machine}, not x86_64"));
    }
    let system = lines.next().unwrap_or_default();
    if system != "debian 13" {
        problems.push(format!("its system is {system}, not Debian 13"));
    }
    if lines.next() != Some("systemd") {
        problems.push("systemd does not run there".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fitting_server_has_no_problems() {
        assert!(judge("root", "0\nx86_64\ndebian 13\nsystemd\n", "").is_empty());
    }

    #[test]
    fn everything_that_does_not_fit_is_said_at_once() {
        let said = judge("root", "0\naarch64\nubuntu 24.04\n", "");
        assert_eq!(said.len(), 3, "{said:?}");
        let said = judge("debian", "", "sudo: a password is required\n");
        assert_eq!(
            said,
            ["debian cannot become root without a password (sudo: a password is required)"]
        );
    }
}
