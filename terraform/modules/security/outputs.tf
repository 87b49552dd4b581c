output "tags" {
  description = "Tags of everything that can have some."
  value       = local.tags
}

output "firewall_ids" {
  description = "Firewall of each group."
  value       = { for group, firewall in linode_firewall.machines : group => tonumber(firewall.id) }
}

output "entry_firewall_id" {
  description = "Firewall of the NodeBalancer; null without one."
  value       = one([for firewall in linode_firewall.entry : tonumber(firewall.id)])
}

output "restore_key" {
  description = "Reads backups and cannot remove any; null without backups."
  value       = one([for key in linode_object_storage_key.restore : { access_key = key.access_key, secret_key = key.secret_key }])
  sensitive   = true
}
