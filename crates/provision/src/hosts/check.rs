//! What a server must be before anything is put on it.

/// Asks a server about itself, as root; [`problems`] reads the answer. For a shell that is only just one: what is
/// wrong may be that it is another system.
pub const FACTS: &str = "echo uid $(id -u); echo machine $(uname -m); \
    (. /etc/os-release; echo system $ID $VERSION_ID; echo called $PRETTY_NAME) 2>/dev/null; \
    test -d /run/systemd/system && echo systemd; test -w /var/lib && test -w /usr && echo writable; \
    echo clock $(date +%s); echo free $(df -Pk /var/lib 2>/dev/null | tail -n 1)";

/// For whom, and when, a server is checked.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub user: &'a str,
    /// Seconds since 1970, by the operator's clock.
    pub now: i64,
    /// No run has been there: what was put there later is a matter of the plan.
    pub is_new: bool,
}

/// The packages of one role and the program itself, at the least.
const FREE_MB: u64 = 1000;
/// A server that is further away from the operator's time finds the package mirror's signatures and everybody's
/// certificates not valid yet, or not any more.
const CLOCK_S: i64 = 3600;

/// What stops Andamio on a server that answered [`FACTS`]; empty when nothing does. `complaint` is
/// what it wrote to standard error.
#[must_use]
pub fn problems(look: &Look<'_>, answer: &str, complaint: &str) -> Vec<String> {
    let fact = |name: &str| {
        answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::trim)
    };
    let says = |name: &str| answer.lines().any(|line| line.trim() == name);
    match fact("uid") {
        Some("0") => {}
        Some(_) => return vec![format!("commands of {} do not run as root there", look.user)],
        None => return vec![no_root(look.user, answer, complaint)],
    }
    let mut problems = Vec::new();
    let machine = fact("machine").unwrap_or_default();
    if machine != "x86_64" {
        problems.push(format!("its processor is {machine}, not x86_64"));
    }
    let system = fact("system").unwrap_or_default();
    if system != "debian 13" {
        let called = fact("called").filter(|name| !name.is_empty()).unwrap_or(system);
        let called = if called.is_empty() { "unknown" } else { called };
        problems.push(format!("its system is {called}, not Debian 13"));
        // What else it lacks would not be needed there.
        return problems;
    }
    if !says("systemd") {
        problems.push("systemd does not run there".to_owned());
    }
    if !says("writable") {
        problems.push("its disk is read-only".to_owned());
    }
    let clock = fact("clock").and_then(|text| text.parse::<i64>().ok());
    if let Some(ahead) = clock.map(|clock| clock - look.now)
        && ahead.abs() > CLOCK_S
    {
        let direction = if ahead < 0 { "behind" } else { "ahead" };
        problems.push(format!("its clock is {} {direction}: set it", span(ahead.unsigned_abs())));
    }
    // File system, blocks, used, available; a name with a space in it would come first.
    let mut numbers = fact("free").into_iter().flat_map(str::split_whitespace).rev();
    if let Some(free_kb) = numbers.nth(2).and_then(|text| text.parse::<u64>().ok())
        && look.is_new
        && free_kb / 1000 < FREE_MB
    {
        let free = free_kb / 1000;
        problems.push(format!("its disk has {free} MB free, and {FREE_MB} MB are needed"));
    }
    problems
}

/// Why nothing of [`FACTS`] was answered. sudo speaks English, because it was told to.
fn no_root(user: &str, answer: &str, complaint: &str) -> String {
    let said = |words: &[&str]| words.iter().any(|word| complaint.contains(word));
    if said(&["you must have a tty", "no tty present"]) {
        return format!(
            "sudo wants a terminal there (requiretty): add `Defaults:{user} !requiretty` to its sudoers"
        );
    }
    if said(&["a password is required", "interactive authentication is required"]) {
        return format!(
            "{user} cannot become root without a password (sudo asks for one): add `{user} ALL=(ALL) NOPASSWD: \
             ALL` to its sudoers"
        );
    }
    if said(&["is not in the sudoers file", "may not run sudo", "is not allowed to"]) {
        return format!(
            "{user} cannot become root (sudo does not allow it): add `{user} ALL=(ALL) NOPASSWD: ALL` to its \
             sudoers"
        );
    }
    // `env` says it in the language of the login.
    if complaint.lines().any(|line| line.contains("env:") && line.contains("sudo")) {
        return format!("{user} cannot become root: sudo is not installed there");
    }
    let last =
        |text: &str| text.lines().rev().map(str::trim).find(|l| !l.is_empty()).map(str::to_owned);
    let why = last(complaint).or_else(|| last(answer));
    let why = why.map_or_else(|| "it said nothing".to_owned(), |why| format!("it said: {why}"));
    if complaint.contains("sudo") {
        return format!("{user} cannot become root without a password ({why})");
    }
    format!("{user} can log in and run no command there ({why})")
}

/// Of seconds, in the largest unit.
fn span(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(365 * 86_400, "year"), (86_400, "day"), (3600, "hour")];
    let (size, name) =
        UNITS.into_iter().find(|(size, _)| seconds >= *size).unwrap_or((3600, "hour"));
    let count = (seconds / size).max(1);
    format!("{count} {name}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;
    const GOOD: &str = "uid 0\nmachine x86_64\nsystem debian 13\ncalled Debian GNU/Linux 13 (trixie)\n\
                        systemd\nwritable\nclock 1800000100\nfree /dev/vda1 20000000 1000000 19000000 5% /\n";

    fn said(user: &str, answer: &str, complaint: &str) -> Vec<String> {
        problems(&Look { user, now: NOW, is_new: true }, answer, complaint)
    }

    #[test]
    fn a_fitting_server_has_no_problems() {
        assert!(said("root", GOOD, "").is_empty());
    }

    #[test]
    fn everything_that_does_not_fit_is_said_at_once() {
        let answer = GOOD
            .replace("x86_64", "aarch64")
            .replace("systemd\nwritable\n", "")
            .replace("1800000100", "1500000000")
            .replace("19000000", "120000");
        assert_eq!(
            said("root", &answer, ""),
            [
                "its processor is aarch64, not x86_64",
                "systemd does not run there",
                "its disk is read-only",
                "its clock is 9 years behind: set it",
                "its disk has 120 MB free, and 1000 MB are needed",
            ]
        );
        let known = Look { user: "root", now: NOW, is_new: false };
        assert_eq!(problems(&known, &GOOD.replace("19000000", "0"), ""), Vec::<String>::new());
    }

    #[test]
    fn another_system_is_one_sentence() {
        let ubuntu =
            "uid 0\nmachine x86_64\nsystem ubuntu 24.04\ncalled Ubuntu 24.04.1 LTS\nclock 5\n";
        assert_eq!(said("root", ubuntu, ""), ["its system is Ubuntu 24.04.1 LTS, not Debian 13"]);
        let bookworm = GOOD.replace("debian 13", "debian 12").replace("called ", "cold ");
        assert_eq!(said("root", &bookworm, ""), ["its system is debian 12, not Debian 13"]);
        assert_eq!(
            said("root", "uid 0\nmachine x86_64\n", ""),
            ["its system is unknown, not Debian 13"]
        );
    }

    #[test]
    fn why_nobody_becomes_root_is_said_with_what_helps() {
        for (complaint, part) in [
            ("sudo: a password is required\n", "sudo asks for one"),
            ("sudo: sorry, you must have a tty to run sudo\n", "!requiretty"),
            ("deb is not in the sudoers file.\n", "does not allow it"),
            ("env: ‘sudo’: No existe el fichero o el directorio\n", "sudo is not installed"),
            ("", "it said nothing"),
        ] {
            let said = said("deb", "", complaint);
            assert!(said.len() == 1 && said[0].contains(part), "{said:?}");
        }
        let said = said("deb", "This account is currently not available.\n", "");
        assert!(said[0].contains("currently not available"), "{said:?}");
    }
}
