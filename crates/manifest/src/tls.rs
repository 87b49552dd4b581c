//! Where the machines of an environment keep what proves who they are to each other. Both sides name these
//! paths: roles in files, the node where it speaks to a service itself.

/// Certificate of the instance's own authority, PEM.
pub const AUTHORITY: &str = "/etc/ssl/andamio-authority.pem";

/// Certificates of the machine's own authority and of the instance's, and the private key of the first, PEM: it
/// signs what the machine's services show, for this machine's names and addresses only. Root's.
pub const SIGNER: &str = "/etc/andamio/signer.pem";
/// What the machine signs for itself: a list of [`crate::Identity`], JSON.
pub const IDENTITIES: &str = "/etc/andamio/identities.json";

/// The subject of a machine's own authority, which is the issuer of what it signs.
#[must_use]
pub fn signer_subject(machine: &str) -> String {
    format!("andamio machine {machine}")
}

/// A certificate that a machine signs for itself holds seven days and is made anew every other day. With fewer
/// days left than this its timer has failed: `status` says so, and `up` does it.
pub const LATE_DAYS: u64 = 2;
/// Where the key begins that follows a certificate in a PEM file (RFC 7468, section 10).
pub const PRIVATE_KEY: &str = "-----BEGIN PRIVATE KEY-----";

/// A service's certificate and private key, PEM, in one file that the service's account may read.
pub const MARIADB_IDENTITY: &str = "/etc/mysql/identity.pem";
pub const REDIS_IDENTITY: &str = "/etc/redis/identity.pem";
pub const RABBITMQ_IDENTITY: &str = "/etc/rabbitmq/identity.pem";
/// What members of a RabbitMQ cluster show each other: by name only, because Erlang/OTP 27 fails on an address
/// below an authority that is limited to addresses (measured: `function_clause` in `pubkey_cert:match_name`).
pub const RABBITMQ_MEMBER: &str = "/etc/rabbitmq/member.pem";

/// Certificates for the people's side of a balancer, each with its key; one that an authority gave is the
/// first by name, and HAProxy shows the first to whoever asks for no name that it has.
pub const ENTRY: &str = "/etc/haproxy/entry";
/// Says `yes` from the moment at which the balancer has a certificate that people trust.
pub const CERTIFIED: &str = "/etc/haproxy/certified";
/// Key of the instance's account with the authority, PEM.
pub const ACME_ACCOUNT: &str = "/etc/haproxy/acme-account.pem";
/// Whom the authority's own address is believed by, where that is no public authority; PEM.
pub const ACME_ROOTS: &str = "/etc/ssl/andamio-acme-roots.pem";
