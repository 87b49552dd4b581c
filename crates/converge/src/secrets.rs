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
    let given = spec.app.secrets.iter().map(|name| SecretSpec {
        name: name.clone(),
        kind: SecretKind::Given,
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
        .filter(|secret| inputs.secret(&secret.name).is_empty())
        .map(|secret| secret.name.clone())
        .collect();
    if !missing.is_empty() {
        return Err(Error::MissingSecrets(missing));
    }
    for secret in specs {
        let value = inputs.secret(&secret.name);
        let is_pem =
            [SecretKind::Authority, SecretKind::Signer, SecretKind::Account].contains(&secret.kind);
        if is_pem {
            continue;
        }
        if secret.kind != SecretKind::Given && !is_plain(value) {
            return Err(Error::SecretForm(secret.name));
        }
        if secret.kind == SecretKind::Given && !roles::app::may_be_named(&secret.name) {
            return Err(Error::SecretName(secret.name));
        }
        if value.contains(['\n', '\r', '\0']) {
            return Err(Error::SecretLines(secret.name));
        }
    }
    Ok(())
}

/// Text that means itself in a URL, in SQL, in a shell and in every configuration file.
fn is_plain(value: &str) -> bool {
    value.len() >= 16 && value.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}
