# MariaDB's machines with their volumes, and where its backups go. Replication itself is set up on the
# machines: here stands only which of them belong together.

module "machines" {
  source = "../compute"

  label           = var.label
  region          = var.region
  groups          = { mariadb = var.group }
  addresses       = var.addresses
  subnet_id       = var.subnet_id
  firewall_ids    = var.firewall_ids
  authorized_keys = var.authorized_keys
  outbound        = var.outbound
  tags            = var.tags
}

# Data that outlives its machine, and that grows without another one.
resource "linode_volume" "data" {
  for_each = var.group.volume_gb > 0 ? module.machines.machines : {}

  label      = "${var.label}-${each.key}"
  region     = var.region
  size       = var.group.volume_gb
  linode_id  = each.value.id
  encryption = "enabled"
  tags       = var.tags
}

resource "linode_object_storage_bucket" "backups" {
  label        = "${var.label}-backups"
  region       = var.storage_region
  acl          = "private"
  cors_enabled = false

  # What is overwritten or removed, by mistake or on purpose, can be had back for as long as a backup.
  versioning = true
  lifecycle_rule {
    id                                     = "old-versions"
    enabled                                = true
    abort_incomplete_multipart_upload_days = 2

    noncurrent_version_expiration {
      days = var.backup_days
    }
  }
}

resource "linode_object_storage_key" "backups" {
  label = "${var.label}-backups"

  bucket_access {
    bucket_name = linode_object_storage_bucket.backups.label
    region      = var.storage_region
    permissions = "read_write"
  }
}
