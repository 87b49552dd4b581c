//! What one member of a cluster is asked or told to do by itself, while the operator's side, which sees
//! all of them, decides. One JSON document in, one out.

use crate::Text;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "kebab-case")]
pub enum Task {
    /// How far a Galera member is: [`GaleraState`]. Changes nothing.
    GaleraLook { socket: String },
    /// Stops a member that is no part of a cluster and finds its last transaction: [`GaleraState`].
    GaleraStop { socket: String },
    /// The next start of this member, and only that one, makes a new cluster.
    GaleraBootstrap,
    /// What a server of a replicating pair is: [`ReplicaState`]. Changes nothing.
    ReplicaLook { socket: String },
    /// Writable from now on, also after a restart; copies nobody.
    ReplicaLead { socket: String },
    /// Not writable from now on, also after a restart; copies `source`, beginning at the position that
    /// its own data has.
    ReplicaFollow { socket: String, source: String, port: u16, account: String, password: Text },
    /// Takes the place of the server's data with what `from` sends to `listen`, and starts it again.
    CopyReceive { listen: String, from: String, socket: String },
    /// Sends the server's whole data while it goes on.
    CopySend { to: String, socket: String },
    /// Members whose disks are gone are no members any more.
    RabbitmqForget { members: Vec<String> },
}

/// A Galera member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GaleraState {
    /// systemd's word: `active`, `activating`, `inactive`, …
    pub unit: String,
    /// Part of a cluster that has a majority and takes writes.
    pub primary: bool,
    /// The cluster whose data it has; empty: it was in none.
    pub cluster: String,
    /// Its last transaction; -1: unknown until it was stopped.
    pub position: i64,
    /// It remembers with whom it was last, so that all of them find each other again by themselves.
    pub remembers: bool,
    /// The server has run here before: there may be data.
    pub used: bool,
}

/// A server of a replicating pair.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicaState {
    /// Address of the server that it copies; empty: none.
    pub follows: String,
    /// Both of its threads run.
    pub running: bool,
    pub writable: bool,
    /// GTIDs that its data has; empty: none.
    pub position: String,
    /// Why it does not copy.
    #[serde(default)]
    pub error: String,
}
