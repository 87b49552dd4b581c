//! Everything that rendering looks at.

use andamio_spec::{Environment, Spec, Topology};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    pub spec: &'a Spec,
    pub topology: &'a Topology,
    pub environment: &'a Environment,
    /// A value for every name of [`crate::secret_names`].
    pub secrets: &'a BTreeMap<String, String>,
    /// `None`: nothing to deploy yet; the application's units are left out.
    pub release: Option<&'a Release>,
    /// Lines of `authorized_keys` for root. Whoever is not here is locked out.
    pub operator_keys: &'a [String],
    /// Content of `/etc/resolv.conf`, where machines get it from the place; `None`: it is not ours.
    pub resolver: Option<&'a str>,
    /// Digest of the executable that machines run.
    pub agent: &'a str,
    /// Grows with every change of the declared state.
    pub generation: u64,
}

/// A build of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Short digest.
    pub id: String,
    /// Full name with tag: `localhost/PROJECT:ID`.
    pub image: String,
    /// Path of the image's archive on the machine.
    pub archive: String,
}

/// Where images wait on a machine until podman has them.
pub const ARCHIVES: &str = "/var/lib/andamio/images";

impl Release {
    #[must_use]
    pub fn new(id: &str, image: &str) -> Self {
        let (id, image) = (id.to_owned(), image.to_owned());
        Self { archive: format!("{ARCHIVES}/{id}.tar"), image, id }
    }
}

impl Inputs<'_> {
    /// Empty only before [`crate::secrets::check`] has refused the inputs.
    pub(crate) fn secret(&self, name: &str) -> &str {
        self.secrets.get(name).map_or("", String::as_str)
    }
}
