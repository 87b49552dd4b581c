//! Fixed inputs, and a manifest as text that a person can read.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail the test")]

use andamio_converge::{Inputs, Release, SecretKind, secret_names};
use andamio_manifest::{Kind, Manifest, Resource};
use andamio_spec::{Spec, Topology};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The real file, so that what is tested is what people get.
pub(crate) const FICHARFIRM: &str = include_str!("../../../../andamio.toml");

pub(crate) struct Fixture {
    pub(crate) spec: Spec,
    pub(crate) topology: Topology,
    pub(crate) secrets: BTreeMap<String, String>,
    pub(crate) release: Option<Release>,
    pub(crate) keys: Vec<String>,
}

impl Fixture {
    pub(crate) fn new(toml: &str, env: &str) -> Self {
        let parsed = andamio_spec::parse("andamio.toml", toml);
        let spec = parsed.spec.unwrap_or_else(|| panic!("{:?}", parsed.findings));
        let spec = spec.in_environment(env);
        let network = "198.18.7.0/24".parse().unwrap();
        let topology = andamio_spec::topology::compute(&spec, env, "local", network).unwrap();
        let secrets = secret_names(&spec, &topology)
            .into_iter()
            .map(|secret| {
                let value = match secret.kind {
                    SecretKind::Password => format!("secret-{}", secret.name.replace('_', "-")),
                    SecretKind::Authority | SecretKind::Signer => format!(
                        "# {}\n-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n",
                        secret.hosts.join(" ")
                    ),
                    SecretKind::Account => "# thumbprint\n-----BEGIN PRIVATE KEY-----\n".to_owned(),
                    SecretKind::Hex32 | SecretKind::Given | SecretKind::Asked => {
                        "0123456789abcdef".repeat(4)
                    }
                };
                (secret.name, value)
            })
            .collect();
        let release = Some(Release {
            id: "0f3c5a".to_owned(),
            image: format!("localhost/{}:0f3c5a", spec.project.name),
            archive: "/var/lib/andamio/releases/0f3c5a.tar".to_owned(),
        });
        let keys = vec!["ssh-ed25519 AAAAC3Nz operator".to_owned()];
        Self { spec, topology, secrets, release, keys }
    }

    pub(crate) fn inputs(&self) -> Inputs<'_> {
        let environments = &self.spec.environments;
        Inputs {
            spec: &self.spec,
            topology: &self.topology,
            environment: environments.iter().find(|e| e.name == self.topology.env).unwrap(),
            secrets: &self.secrets,
            release: self.release.as_ref(),
            operator_keys: &self.keys,
            resolver: None,
            agent: "0011223344556677",
            generation: 7,
        }
    }

    pub(crate) fn manifest(&self, machine: &str) -> Manifest {
        let all = andamio_converge::manifests(&self.inputs()).unwrap();
        all.into_iter().find(|manifest| manifest.machine == machine).unwrap()
    }
}

/// Its resources of the given roles, one section each.
pub(crate) fn text(manifest: &Manifest, roles: &[&str]) -> String {
    let mut text = String::new();
    for resource in manifest.resources.iter().filter(|r| roles.contains(&r.role.as_str())) {
        section(&mut text, resource);
    }
    text
}

fn section(text: &mut String, resource: &Resource) {
    writeln!(text, "== {}", resource.id()).unwrap();
    match &resource.kind {
        Kind::File(file) => {
            let content = file.content.as_ref().unwrap();
            let secret = if content.sensitive { " secret" } else { "" };
            let check = if file.validate.is_empty() {
                String::new()
            } else {
                format!(" check: {}", file.validate.join(" "))
            };
            let (mode, owner, group) = (file.mode, &file.owner, &file.group);
            writeln!(text, "   {mode:04o} {owner}:{group}{secret}{check}").unwrap();
            for line in content.text.lines() {
                writeln!(text, "   | {line}").unwrap();
            }
        }
        Kind::Firewall(firewall) => {
            for line in firewall.ruleset.lines() {
                writeln!(text, "   | {line}").unwrap();
            }
        }
        Kind::Directory(d) => {
            let exclusive = if d.exclusive { " exclusive" } else { "" };
            writeln!(text, "   {:04o} {}:{}{exclusive}", d.mode, d.owner, d.group).unwrap();
        }
        Kind::Package(_) => {}
        Kind::Sysctl(sysctl) => writeln!(text, "   {}", sysctl.value).unwrap(),
        other => {
            for line in format!("{other:#?}").lines() {
                writeln!(text, "   {line}").unwrap();
            }
        }
    }
}
