//! Keeps secrets out of whatever is sent back.
//!
//! Differences are written without secrets in the first place. This is the second fence: messages
//! of other programs (a server's answer, a journal) may repeat what they were given.

use andamio_manifest::{Check, KEPT, Kind, Manifest, Text};

/// Shorter texts are not worth masking: they would blank half of every message.
const SHORTEST: usize = 6;

/// The secrets of one manifest.
#[derive(Default)]
pub(crate) struct Mask(Vec<String>);

impl Mask {
    pub(crate) fn new(manifest: &Manifest) -> Self {
        let mut mask = Self::default();
        for resource in &manifest.resources {
            match &resource.kind {
                // Its secrets are those of the others.
                Kind::File(file) if file.path == KEPT => {}
                Kind::File(file) => mask.add_lines(file.content.as_ref()),
                Kind::Secrets(s) => s.values.values().for_each(|value| {
                    mask.add(value);
                    mask.add_lines(Some(value));
                }),
                Kind::Mariadb(m) => m.accounts.iter().for_each(|a| mask.add(&a.password)),
                Kind::Redis(r) => mask.add(&r.password),
                Kind::RedisCluster(c) => mask.add(&c.password),
                Kind::RabbitmqCluster(c) => mask.add(&c.admin_password),
                Kind::Rabbitmq(r) => {
                    mask.add(&r.admin_password);
                    r.users.iter().for_each(|u| mask.add(&u.password));
                }
                Kind::Probe(p) => match &p.check {
                    Check::Redis { password, .. } | Check::Rabbitmq { password, .. } => {
                        mask.add(password);
                    }
                    Check::Tcp(_)
                    | Check::Http(_)
                    | Check::Request(_)
                    | Check::Command { .. }
                    | Check::Unit(_)
                    | Check::Run(_)
                    | Check::Certificate { .. }
                    | Check::Mariadb { .. }
                    | Check::Replication { .. } => {}
                },
                _ => {}
            }
        }
        // The longest first, so that a secret that contains another one goes as a whole.
        mask.0.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        mask.0.dedup();
        mask
    }

    /// A password is a secret whether it is marked or not.
    fn add(&mut self, text: &Text) {
        if text.text.len() >= SHORTEST {
            self.0.push(text.text.clone());
        }
    }

    /// The words of a secret file that look like keys and passwords: long, with a digit, and neither
    /// an address nor a path, which messages need.
    fn add_lines(&mut self, content: Option<&Text>) {
        let Some(content) = content.filter(|c| c.sensitive) else { return };
        let apart = [' ', '\t', '\n', '=', '"', '\'', ':', '@', ','];
        for word in content.text.split(apart) {
            let digit = word.bytes().any(|byte| byte.is_ascii_digit());
            if word.len() >= 2 * SHORTEST && digit && !word.contains('.') && !word.starts_with('/')
            {
                self.0.push(word.to_owned());
            }
        }
    }

    pub(crate) fn hide(&self, text: String) -> String {
        self.0.iter().fold(text, |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret, "(secret)") } else { text }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_stay_readable() {
        let text = "bind 198.18.250.31:6379\nurl=\"amqp://app:k3yk3yk3yk3y@198.18.250.32\"\n";
        let mut mask = Mask::default();
        mask.add_lines(Some(&Text { text: text.into(), sensitive: true }));
        assert_eq!(mask.0, ["k3yk3yk3yk3y"]);
    }

    #[test]
    fn hides_the_longest_first() {
        let mask = Mask(vec!["hunter22-long".into(), "hunter22".into()]);
        assert_eq!(mask.hide("bad hunter22-long or hunter22".into()), "bad (secret) or (secret)");
    }
}
