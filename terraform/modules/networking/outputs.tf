output "addresses" {
  description = "Every private address that a group may have, in the order of its machines."
  value       = local.addresses
}

output "nodebalancer_range" {
  description = "From here the NodeBalancer speaks to the machines behind it."
  value       = local.nodebalancer_range
}

output "subnet_id" {
  description = "Subnet of the machines."
  value       = linode_vpc_subnet.machines.id
}

output "entry_address" {
  description = "Public address of the NodeBalancer; null without one."
  value       = one(linode_nodebalancer.entry[*].ipv4)
}
