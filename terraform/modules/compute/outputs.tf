output "machines" {
  description = "Every machine: id, group, private address, and the public one it has outward."
  value = {
    for name, machine in linode_instance.machine : name => {
      id             = tonumber(machine.id)
      group          = local.machines[name].group
      address        = machine.interface[0].ipv4[0].vpc
      public_address = var.outbound ? machine.ip_address : null
    }
  }
}
