output "machines" {
  description = "Every machine: id, group, private address, and the public one it has outward."
  value       = merge(module.compute.machines, [for database in module.database : database.machines]...)
}

output "entry" {
  description = "Where people reach the application."
  value       = module.networking.entry_address
}

output "bastion" {
  description = "Public address of the machine through which the others are reached."
  value       = module.compute.machines[var.bastion].public_address
}

output "replication" {
  description = "Layout of MariaDB and its members."
  value       = one(module.database[*].replication)
}

output "backups" {
  description = "Bucket of the backups, and where it is."
  value       = one(module.database[*].backups)
}

output "backup_key" {
  description = "Writes backups."
  value       = one(module.database[*].backup_key)
  sensitive   = true
}

output "restore_key" {
  description = "Reads backups and cannot remove any: for drills and emergencies."
  value       = module.security.restore_key
  sensitive   = true
}
