# Network, addresses and the way in. Nothing else in the tree knows an address.

locals {
  # Every address that a group may ever have, so that growing it changes no firewall.
  addresses = {
    for name, group in var.groups : name => [
      for index in range(group.max) : cidrhost(var.network, group.first_host + index)
    ]
  }

  # From here the NodeBalancer speaks to the machines behind it: a /30 that no group has, .240 to .243.
  nodebalancer_range = cidrsubnet(var.network, 6, 60)

  balanced = length(var.entry_ports) > 0

  # One for each port and balancer.
  backends = merge([
    for port in var.entry_ports : {
      for name, address in var.balancers : "${name}-${port}" => {
        port    = port
        name    = name
        address = address
      }
    }
  ]...)
}

resource "linode_vpc" "this" {
  label       = var.label
  region      = var.region
  description = "Private network of ${var.label}"
}

resource "linode_vpc_subnet" "machines" {
  vpc_id = linode_vpc.this.id
  label  = "machines"
  ipv4   = var.network
}

resource "linode_nodebalancer" "entry" {
  count = local.balanced ? 1 : 0

  label       = var.label
  region      = var.region
  firewall_id = var.firewall_id
  # Many people may sit behind one address; HAProxy limits by what they do.
  client_conn_throttle = 0
  tags                 = var.tags

  vpcs = [{
    subnet_id  = linode_vpc_subnet.machines.id
    ipv4_range = local.nodebalancer_range
  }]
}

# TCP and not HTTP: TLS ends on our own HAProxy, which learns the client's address from the PROXY header.
resource "linode_nodebalancer_config" "entry" {
  for_each = toset([for port in var.entry_ports : tostring(port)])

  nodebalancer_id = linode_nodebalancer.entry[0].id
  port            = tonumber(each.key)
  protocol        = "tcp"
  proxy_protocol  = "v2"
  algorithm       = "leastconn"
  stickiness      = "none"

  # A balancer is out after two failures, ten seconds, and at once when requests to it fail.
  check          = "connection"
  check_interval = 5
  check_timeout  = 3
  check_attempts = 2
  check_passive  = true
}

resource "linode_nodebalancer_node" "entry" {
  for_each = local.backends

  nodebalancer_id = linode_nodebalancer.entry[0].id
  config_id       = linode_nodebalancer_config.entry[tostring(each.value.port)].id
  label           = each.value.name
  address         = "${each.value.address}:${each.value.port}"
  subnet_id       = linode_vpc_subnet.machines.id
  mode            = "accept"
  weight          = 100
}

resource "linode_domain_record" "entry" {
  for_each = var.dns != null && local.balanced ? {
    A    = linode_nodebalancer.entry[0].ipv4
    AAAA = linode_nodebalancer.entry[0].ipv6
  } : {}

  domain_id   = var.dns.zone_id
  name        = var.dns.record
  record_type = each.key
  target      = each.value
  ttl_sec     = 300
}
