//! Where the machines of an environment keep what proves who they are to each other. Both sides name these
//! paths: roles in files, the node where it speaks to a service itself.

/// Certificate of the instance's own authority, PEM.
pub const AUTHORITY: &str = "/etc/ssl/andamio-authority.pem";

/// A service's certificate and private key, PEM, in one file that the service's account may read.
pub const MARIADB_IDENTITY: &str = "/etc/mysql/identity.pem";
pub const REDIS_IDENTITY: &str = "/etc/redis/identity.pem";
pub const RABBITMQ_IDENTITY: &str = "/etc/rabbitmq/identity.pem";
