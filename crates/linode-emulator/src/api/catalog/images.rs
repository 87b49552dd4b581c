//! Public images and kernels that servers are made from: some of those that `GET /v4/images` lists, as
//! linodego v1.69 has recorded it (2026-05).

use serde_json::{Value, json};

pub(crate) struct Image {
    pub id: &'static str,
    pub label: &'static str,
    vendor: &'static str,
    /// MB that its disk needs at least.
    pub size_mb: u64,
}

const fn image_of(
    id: &'static str,
    label: &'static str,
    vendor: &'static str,
    size_mb: u64,
) -> Image {
    Image { id, label, vendor, size_mb }
}

const IMAGES: &[Image] = &[
    image_of("linode/almalinux10", "AlmaLinux 10", "AlmaLinux", 3500),
    image_of("linode/almalinux9", "AlmaLinux 9", "AlmaLinux", 2500),
    image_of("linode/alpine3.23", "Alpine 3.23", "Alpine", 500),
    image_of("linode/arch", "Arch Linux", "Arch", 2500),
    image_of("linode/debian11", "Debian 11", "Debian", 1500),
    image_of("linode/debian12", "Debian 12", "Debian", 1800),
    image_of("linode/debian13", "Debian 13", "Debian", 1800),
    image_of("linode/fedora43", "Fedora 43", "Fedora", 3000),
    image_of("linode/rocky10", "Rocky Linux 10", "Rocky", 3500),
    image_of("linode/rocky9", "Rocky Linux 9", "Rocky", 2500),
    image_of("linode/ubuntu22.04", "Ubuntu 22.04 LTS", "Ubuntu", 3500),
    image_of("linode/ubuntu24.04", "Ubuntu 24.04 LTS", "Ubuntu", 3500),
];
const KERNELS: &[(&str, &str)] = &[
    ("linode/direct-disk", "Direct Disk"),
    ("linode/grub2", "GRUB 2"),
    ("linode/latest-64bit", "Latest 64 bit"),
];

pub(crate) fn image(id: &str) -> Option<&'static Image> {
    IMAGES.iter().find(|image| image.id == id)
}

pub(crate) fn all() -> impl Iterator<Item = Value> {
    IMAGES.iter().map(Image::to_json)
}

pub(crate) fn kernel(id: &str) -> bool {
    KERNELS.iter().any(|(known, _)| *known == id)
}

pub(crate) fn kernels() -> impl Iterator<Item = Value> {
    KERNELS.iter().map(|(id, label)| {
        json!({
            "id": id,
            "label": label,
            "version": "",
            "architecture": "x86_64",
            "deprecated": false,
            "kvm": true,
            "pvops": true,
            "built": null,
        })
    })
}

impl Image {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "id": self.id,
            "label": self.label,
            "vendor": self.vendor,
            "description": "",
            "type": "manual",
            "status": "available",
            "size": self.size_mb,
            "total_size": self.size_mb,
            "is_public": true,
            "is_shared": null,
            "deprecated": false,
            "created": "2024-07-19T00:00:00",
            "created_by": "linode",
            "updated": "2024-07-19T00:00:00",
            "expiry": null,
            "eol": null,
            "capabilities": ["cloud-init"],
            "regions": [],
            "tags": [],
            "image_sharing": {"shared_by": null, "shared_with": null},
        })
    }
}
