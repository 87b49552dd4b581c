output "machines" {
  description = "MariaDB's machines."
  value       = module.machines.machines
}

output "replication" {
  description = "How the members replicate, who they are, and where each one's volume appears."
  value = {
    layout  = var.group.layout
    members = keys(module.machines.machines)
    volumes = { for name, volume in linode_volume.data : name => volume.filesystem_path }
  }
}

output "backups" {
  description = "Bucket of the backups, and where it is."
  value = {
    bucket   = linode_object_storage_bucket.backups.label
    region   = var.storage_region
    endpoint = linode_object_storage_bucket.backups.s3_endpoint
  }
}

output "backup_key" {
  description = "Writes backups."
  value = {
    access_key = linode_object_storage_key.backups.access_key
    secret_key = linode_object_storage_key.backups.secret_key
  }
  sensitive = true
}
