//! What a secret is: a name, and what its value has to be.

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretSpec {
    pub name: String,
    pub kind: SecretKind,
    /// Whom an authority is for, or may sign for: names and addresses. Empty for what is none.
    pub hosts: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// At least 24 letters and digits: it stands in URLs, in SQL and in configuration files.
    Password,
    /// 32 random bytes as 64 hexadecimal digits.
    Hex32,
    /// Certificate and private key, PEM, of the authority that signs those of machines.
    Authority,
    /// Certificate and private key, PEM, of an authority that may sign for `hosts` only.
    Signer,
    /// An account with an authority that speaks ACME: a key, PEM, below its thumbprint.
    Account,
    /// A name of `[app].secrets`: given by a person, and generated like [`Self::Hex32`] when nobody
    /// has given it before the first start.
    Given,
    /// The same, but only a person can know it: none is generated.
    Asked,
}

impl SecretKind {
    /// The application's own, of any form.
    pub(crate) fn is_of_application(self) -> bool {
        matches!(self, Self::Given | Self::Asked)
    }
}
