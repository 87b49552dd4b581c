//! A record: what the API shows of a thing, and what it keeps to itself.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::sync::Arc;

pub(crate) type Body = Map<String, Value>;

/// What there is. The names are in the journal: add, never rename.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Account,
    Bucket,
    Config,
    Device,
    Disk,
    Domain,
    DomainRecord,
    Event,
    Firewall,
    FirewallSettings,
    Instance,
    Ip,
    Job,
    Key,
    NodeBalancer,
    NodeBalancerConfig,
    NodeBalancerNode,
    NodeBalancerVpc,
    /// What a bucket has under a name now.
    Object,
    ObjectKey,
    /// A part of an upload that is not complete; its parent is the upload.
    ObjectPart,
    /// Signs the addresses that the API gives out.
    ObjectSigner,
    ObjectUpload,
    /// What a bucket had under a name before, and marks of deletions.
    ObjectVersion,
    PlacementGroup,
    Profile,
    Settings,
    Subnet,
    Tag,
    Volume,
    Vpc,
}

impl Kind {
    /// The field that no two of this kind share, whatever their case.
    pub(crate) fn unique(self) -> Option<&'static str> {
        match self {
            Self::Firewall
            | Self::Instance
            | Self::NodeBalancer
            | Self::PlacementGroup
            | Self::Tag
            | Self::Volume
            | Self::Vpc => Some("label"),
            Self::Domain => Some("domain"),
            Self::Ip => Some("address"),
            Self::ObjectKey => Some("access_key"),
            _ => None,
        }
    }
}

/// Parent first, so that the children of one parent are neighbours. 0 is no parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    pub parent: u64,
    pub id: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub id: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub parent: u64,
    /// What the API shows.
    pub body: Body,
    /// What it does not.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub hidden: Body,
}

/// A record that the tables and the journal hold together; on disk it is the record itself.
#[derive(Debug, Clone)]
pub(crate) struct Shared(pub(crate) Arc<Record>);

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Record::deserialize(deserializer).map(|record| Self(Arc::new(record)))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record {
    pub(crate) fn key(&self) -> Key {
        Key { parent: self.parent, id: self.id }
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.body.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn number(&self, field: &str) -> u64 {
        self.body.get(field).and_then(Value::as_u64).unwrap_or_default()
    }

    pub(crate) fn hidden_number(&self, field: &str) -> u64 {
        self.hidden.get(field).and_then(Value::as_u64).unwrap_or_default()
    }

    pub(crate) fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.body.insert(field.to_owned(), value.into());
    }

    pub(crate) fn hide(&mut self, field: &str, value: impl Into<Value>) {
        self.hidden.insert(field.to_owned(), value.into());
    }

    pub(super) fn unique_name(&self, kind: Kind) -> Option<String> {
        Some(self.body.get(kind.unique()?)?.as_str()?.to_lowercase())
    }
}
