# Groups of machines. How many there are right now is the autoscaler's: a plan that names no number keeps
# the machines that a group has, so that nobody's apply takes away what was added under load.

locals {
  elastic = { for name, group in var.groups : name => group if group.max > group.machines }

  running = flatten(data.linode_instances.running[*].instances)

  # The highest number of a group that runs: app-5 is 5.
  highest = {
    for name in keys(local.elastic) : name => max(0, [
      for machine in local.running : tonumber(trimprefix(machine.label, "${var.label}-${name}-"))
      if can(regex("^${var.label}-${name}-[0-9]+$", machine.label))
    ]...)
  }

  # Never below what is declared, never above what is allowed.
  counts = {
    for name, group in var.groups : name =>
    max(group.machines, min(group.max, lookup(var.scale, name, lookup(local.highest, name, 0))))
  }

  machines = merge([
    for name, group in var.groups : {
      for index in range(local.counts[name]) : "${name}-${index + 1}" => {
        group     = name
        type      = group.type
        backups   = group.backups
        address   = var.addresses[name][index]
        placement = group.max > 1 ? "${name}-${floor(index / var.placement_size) + 1}" : null
      }
    }
  ]...)

  # Machines of a group stand on different hosts, as many as a placement group takes.
  placements = toset(flatten([
    for name, group in var.groups : [
      for number in range(ceil(group.max / var.placement_size)) : "${name}-${number + 1}"
    ] if group.max > 1
  ]))
}

data "linode_instances" "running" {
  count = length(local.elastic) > 0 ? 1 : 0

  dynamic "filter" {
    for_each = var.tags

    content {
      name   = "tags"
      values = [filter.value]
    }
  }
}

resource "linode_placement_group" "this" {
  for_each = local.placements

  label                  = "${var.label}-${each.key}"
  region                 = var.region
  placement_group_type   = "anti_affinity:local"
  placement_group_policy = "flexible"
}

resource "linode_instance" "machine" {
  for_each = local.machines

  label           = "${var.label}-${each.key}"
  region          = var.region
  type            = each.value.type
  image           = var.image
  authorized_keys = var.authorized_keys
  disk_encryption = "enabled"
  backups_enabled = each.value.backups
  firewall_id     = var.firewall_ids[each.value.group]
  tags            = concat(var.tags, ["group:${each.value.group}"])

  # No more than it takes to be let in: name, and keys instead of passwords. The rest is Andamio's.
  metadata {
    user_data = base64encode(<<-YAML
      #cloud-config
      hostname: ${each.key}
      ssh_pwauth: false
      disable_root: false
    YAML
    )
  }

  # One interface, in the private network. `nat_1_1` gives connections outward an address; from outside
  # the firewall lets nothing in but the flows of the table.
  interface_generation = "legacy_config"
  interface {
    purpose   = "vpc"
    subnet_id = var.subnet_id
    primary   = true

    ipv4 {
      vpc     = each.value.address
      nat_1_1 = var.outbound ? "any" : null
    }
  }

  dynamic "placement_group" {
    for_each = each.value.placement[*]

    content {
      id = linode_placement_group.this[placement_group.value].id
    }
  }

  lifecycle {
    # They matter when a machine is made. Later ones would replace it, with its data.
    ignore_changes = [authorized_keys, image, metadata]
  }
}
