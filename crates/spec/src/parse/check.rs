//! Shapes of strings: names, domains, paths, keys, addresses.

use std::net::Ipv4Addr;

/// Names become host names, labels of a provider and parts of paths, several of them in one.
pub(super) const NAME_MAX: usize = 20;

/// What keeps `name` from being a DNS label of at most [`NAME_MAX`] characters.
pub(super) fn name_problem(name: &str) -> Option<String> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let stranger = name.chars().find(|&c| !allowed(c));
    let problem = if name.len() > NAME_MAX && stranger.is_none() {
        "is longer than 20 characters"
    } else if name.is_empty() || stranger.is_some() {
        // Letters of other scripts look like ours.
        if let Some(c) = stranger.filter(|c| !c.is_ascii()) {
            let code = u32::from(c);
            return Some(format!(
                "may have only small letters (a-z), digits and hyphens; `{c}` is U+{code:04X}"
            ));
        }
        "may have only small letters, digits and hyphens"
    } else if name.starts_with('-') || name.ends_with('-') {
        "may not begin or end with a hyphen"
    } else if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        "must begin with a letter"
    } else {
        return None;
    };
    Some(problem.to_owned())
}

/// A host name of letters, digits, hyphens and dots, with at most 253 characters.
pub(super) fn is_host_name(name: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

pub(super) fn is_domain(name: &str) -> bool {
    name.contains('.') && is_host_name(name) && name.parse::<Ipv4Addr>().is_err()
}

pub(super) fn is_email(text: &str) -> bool {
    text.split_once('@')
        .is_some_and(|(user, domain)| !user.is_empty() && is_plain_word(user) && is_domain(domain))
}

/// Name of an environment variable of any program's taste: `SESSION_KEY`, `npm_config_registry`,
/// `spring.datasource.url`. Secrets of Andamio's own have hyphens, so that none of these is one of them.
pub(super) fn is_variable(name: &str) -> bool {
    name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'))
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && !name.ends_with('.')
        && name.len() <= 200
}

/// What stands in a request, and in the files that proxies read, as it is.
pub(super) fn is_request_path(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~%?&=:@+,;!*".contains(&b))
}

/// Means itself in a unit's command line: neither space, quotation mark, variable nor specifier.
pub(super) fn is_plain_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && !b"\"'\\$%;".contains(&b))
}

/// Absolute, written the one way there is, and no part of it leads out again.
pub(super) fn absolute_path_problem(path: &str) -> Option<&'static str> {
    if !path.starts_with('/') {
        Some("is not an absolute path")
    } else if path.split('/').any(|part| part == "..") {
        Some("has `..` in it")
    } else if path.contains(['\0', '\n', ':', ',']) {
        Some("has a character that a volume's path cannot have")
    } else if path.trim_end_matches('/').is_empty() {
        Some("is the root of the container")
    } else if path.split('/').skip(1).any(|part| part.is_empty() || part == ".") {
        Some("has a part that says nothing: `//`, `/./` or a slash at its end")
    } else {
        None
    }
}

/// The form of a recipient that secrets can be encrypted to.
pub(super) fn is_team_key(key: &str) -> bool {
    let base64 = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=');
    if let Some(rest) = key.strip_prefix("age1") {
        // bech32: 32 bytes and a checksum make 58 characters.
        return rest.len() == 58
            && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    }
    match key.split(' ').collect::<Vec<_>>().as_slice() {
        // The blob begins with the length and the name of the type, always the same text.
        ["ssh-ed25519", blob, ..] => {
            blob.starts_with("AAAAC3NzaC1lZDI1NTE5") && blob.len() == 68 && blob.bytes().all(base64)
        }
        _ => false,
    }
}
