//! Which secrets an environment needs.

use crate::error::Error;
use crate::inputs::Inputs;
use crate::secret::{SecretKind, SecretSpec};
use crate::{roles, tls};
use andamio_spec::{Spec, Topology};

/// Every secret that the environment's roles and its application need, without repetition.
#[must_use]
pub fn secret_names(spec: &Spec, topology: &Topology) -> Vec<SecretSpec> {
    let of_roles = roles::secrets(topology).into_iter().map(|(name, kind)| SecretSpec {
        name: name.to_owned(),
        kind,
        hosts: Vec::new(),
    });
    let given = spec.app.all_secrets().into_iter().map(|secret| SecretSpec {
        name: secret.name.clone(),
        kind: if secret.given { SecretKind::Asked } else { SecretKind::Given },
        hosts: Vec::new(),
    });
    let mut all: Vec<SecretSpec> = Vec::new();
    for secret in of_roles.chain(given).chain(tls::secrets(topology)) {
        if all.iter().all(|known| known.name != secret.name) {
            all.push(secret);
        }
    }
    all
}

pub(crate) fn check(inputs: &Inputs<'_>) -> Result<(), Error> {
    if inputs.operator_keys.iter().all(|key| key.trim().is_empty()) {
        return Err(Error::NoOperatorKeys);
    }
    let specs = secret_names(inputs.spec, inputs.topology);
    let missing: Vec<String> = specs
        .iter()
        // An application's may be empty: it is its own business.
        .filter(|secret| match secret.kind {
            kind if kind.is_of_application() => !inputs.secrets.contains_key(&secret.name),
            _ => inputs.secret(&secret.name).is_empty(),
        })
        .map(|secret| secret.name.clone())
        .collect();
    if !missing.is_empty() {
        return Err(Error::MissingSecrets(missing));
    }
    let mut others = 0;
    for secret in specs {
        let value = inputs.secret(&secret.name);
        let is_pem =
            [SecretKind::Authority, SecretKind::Signer, SecretKind::Account].contains(&secret.kind);
        if is_pem {
            continue;
        }
        if !secret.kind.is_of_application() && !is_plain(value) {
            return Err(Error::SecretForm(secret.name));
        }
        if secret.kind.is_of_application() {
            secret_value_problem(value, others)
                .map_err(|problem| Error::SecretValue(secret.name, problem))?;
            others += value.len();
        }
    }
    Ok(())
}

/// Bytes of one value: the kernel gives a process no variable of more than 128 KiB, its name included.
const SECRET_MOST: usize = 100 * 1024;
/// Bytes of all values of an application: the kernel starts no program with more than 2 MiB of variables and
/// arguments, wherever stacks have their usual size of 8 MiB.
const SECRETS_MOST: usize = 1024 * 1024;

/// Whether a value can be a process's variable beside others of so many bytes.
///
/// # Errors
/// Why not, in words that follow on the name.
pub fn secret_value_problem(value: &str, others: usize) -> Result<(), String> {
    if value.contains('\0') {
        return Err("has a NUL byte in it, which no environment variable can have".to_owned());
    }
    if value.len() > SECRET_MOST {
        return Err(format!(
            "has {} bytes; an environment variable can have {SECRET_MOST}",
            value.len()
        ));
    }
    if value.len() + others > SECRETS_MOST {
        return Err(format!(
            "has {} bytes, and the application's others have {others}: a process is given {SECRETS_MOST} \
             of them at most",
            value.len()
        ));
    }
    Ok(())
}

/// Text that means itself in a URL, in SQL, in a shell and in every configuration file.
fn is_plain(value: &str) -> bool {
    value.len() >= 16 && value.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}
