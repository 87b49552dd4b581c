# Firewalls from the table of flows, certificates, keys and tags. What is not in the table is closed, in
# both directions; machines keep to the same table themselves, with nftables.

locals {
  tags = ["project:${var.project}", "environment:${var.environment}", "managed-by:andamio"]

  bastion_group   = regex("^[a-z]+", var.bastion)
  bastion_address = var.addresses[local.bastion_group][tonumber(regex("[0-9]+$", var.bastion)) - 1]

  # Where a NodeBalancer stands, the world reaches the machines through it alone.
  balanced = length(var.entry_ports) > 0
  world    = local.balanced ? [var.nodebalancer_range] : ["0.0.0.0/0"]

  ranges = merge(
    { for group, addresses in var.addresses : group => [for address in addresses : "${address}/32"] },
    { world = local.world },
  )

  inbound = {
    for group in keys(var.addresses) : group => [
      for flow in var.flows : {
        label    = "from-${flow.from}-${lower(flow.protocol)}"
        protocol = upper(flow.protocol)
        ports    = flow.ports
        ipv4 = flow.from != "operator" ? local.ranges[flow.from] : concat(
          ["${local.bastion_address}/32"],
          group == local.bastion_group ? var.operator_ranges : [],
        )
        ipv6 = flow.from == "world" && !local.balanced ? ["::/0"] : null
      } if flow.to == group
    ]
  }

  outbound = {
    for group in keys(var.addresses) : group => concat(
      [
        for flow in var.flows : {
          label    = "to-${flow.to}-${lower(flow.protocol)}"
          protocol = upper(flow.protocol)
          ports    = flow.ports
          ipv4     = local.ranges[flow.to]
          ipv6     = null
        } if flow.from == group || (flow.from == "operator" && group == local.bastion_group)
      ],
      # Names, time, packages, backups, certificates.
      [
        { label = "names-and-time", protocol = "UDP", ports = "53,123", ipv4 = ["0.0.0.0/0"], ipv6 = ["::/0"] },
        { label = "names-and-web", protocol = "TCP", ports = "53,80,443", ipv4 = ["0.0.0.0/0"], ipv6 = ["::/0"] },
      ],
    )
  }
}

resource "linode_firewall" "machines" {
  for_each = var.addresses

  label           = "${var.label}-${each.key}"
  inbound_policy  = "DROP"
  outbound_policy = "DROP"
  tags            = local.tags

  dynamic "inbound" {
    for_each = local.inbound[each.key]

    content {
      label    = inbound.value.label
      action   = "ACCEPT"
      protocol = inbound.value.protocol
      ports    = inbound.value.ports
      ipv4     = inbound.value.ipv4
      ipv6     = inbound.value.ipv6
    }
  }

  dynamic "outbound" {
    for_each = local.outbound[each.key]

    content {
      label    = outbound.value.label
      action   = "ACCEPT"
      protocol = outbound.value.protocol
      ports    = outbound.value.ports
      ipv4     = outbound.value.ipv4
      ipv6     = outbound.value.ipv6
    }
  }
}

resource "linode_firewall" "entry" {
  count = local.balanced ? 1 : 0

  label           = "${var.label}-entry"
  inbound_policy  = "DROP"
  outbound_policy = "DROP"
  tags            = local.tags

  inbound {
    label    = "from-world-tcp"
    action   = "ACCEPT"
    protocol = "TCP"
    ports    = join(",", var.entry_ports)
    ipv4     = ["0.0.0.0/0"]
    ipv6     = ["::/0"]
  }
}

# Certificates are made on the balancers and never in a state file. Here stands who may issue them.
resource "linode_domain_record" "issuer" {
  count = var.dns != null && var.issuer != "" ? 1 : 0

  domain_id   = var.dns.zone_id
  name        = var.dns.record
  record_type = "CAA"
  tag         = "issue"
  target      = var.issuer
}

# A prune from elsewhere beside a running backup destroys data: who restores cannot write.
resource "linode_object_storage_key" "restore" {
  count = length(var.buckets) > 0 ? 1 : 0

  label = "${var.label}-restore"

  dynamic "bucket_access" {
    for_each = var.buckets

    content {
      bucket_name = bucket_access.key
      region      = bucket_access.value
      permissions = "read_only"
    }
  }
}
