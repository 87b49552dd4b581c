# Staging: two machines for the application, a MariaDB with a replica, two machines for Redis and for
# RabbitMQ each, behind a NodeBalancer.

# The token comes from LINODE_TOKEN. Short-lived keys of Object Storage are made where they are needed.
provider "linode" {
  obj_use_temp_keys = true
}

locals {
  # Begins the name of everything here, so that several environments live in one account.
  label = "${var.project}-${var.environment}"
}

module "networking" {
  source = "../../modules/networking"

  label       = local.label
  region      = var.region
  network     = var.network
  groups      = var.groups
  entry_ports = var.entry_ports
  balancers   = { for name, machine in module.compute.machines : name => machine.address if machine.group == "balancer" }
  firewall_id = module.security.entry_firewall_id
  dns         = var.dns
  tags        = module.security.tags
}

module "security" {
  source = "../../modules/security"

  label              = local.label
  project            = var.project
  environment        = var.environment
  addresses          = module.networking.addresses
  nodebalancer_range = module.networking.nodebalancer_range
  entry_ports        = var.entry_ports
  flows              = var.flows
  bastion            = var.bastion
  operator_ranges    = var.operator_ranges
  buckets            = { for database in module.database : database.backups.bucket => database.backups.region }
  issuer             = var.issuer
  dns                = var.dns
}

module "compute" {
  source = "../../modules/compute"

  label           = local.label
  region          = var.region
  groups          = { for name, group in var.groups : name => group if name != "mariadb" }
  scale           = var.scale
  addresses       = module.networking.addresses
  subnet_id       = module.networking.subnet_id
  firewall_ids    = module.security.firewall_ids
  authorized_keys = var.authorized_keys
  outbound        = var.outbound
  tags            = module.security.tags
}

module "database" {
  source = "../../modules/database"
  count  = contains(keys(var.groups), "mariadb") ? 1 : 0

  label           = local.label
  region          = var.region
  storage_region  = var.storage_region
  group           = var.groups["mariadb"]
  backup_days     = var.backup_days
  addresses       = module.networking.addresses
  subnet_id       = module.networking.subnet_id
  firewall_ids    = module.security.firewall_ids
  authorized_keys = var.authorized_keys
  outbound        = var.outbound
  tags            = module.security.tags
}
