# What andamio.toml says: terraform.tfvars is rendered from it, and `andamio plan` shows where they differ.

variable "project" {
  description = "Name of the project."
  type        = string
}

variable "environment" {
  description = "Name of the environment."
  type        = string

  validation {
    condition     = length("${var.project}-${var.environment}") <= 21
    error_message = "Project and environment may have 20 characters together: a volume is called PROJECT-ENVIRONMENT-GROUP-N, in 32 characters."
  }
}

variable "region" {
  description = "Region of machines, network and volumes."
  type        = string
}

variable "storage_region" {
  description = "Region of the backup bucket: not every region has Object Storage."
  type        = string
}

variable "network" {
  description = "Private addresses of the environment, a /24."
  type        = string

  validation {
    condition     = can(cidrhost(var.network, 1)) && endswith(var.network, "/24")
    error_message = "The network is a /24, for example 10.130.7.0/24."
  }
}

variable "groups" {
  description = "Machines by group. `machines` are always there; up to `max` the autoscaler adds. `first_host` is the last octet of the first machine's address, `volume_gb` a volume for each machine's data (0: its own disk)."
  type = map(object({
    machines   = number
    max        = number
    type       = string
    first_host = number
    layout     = string
    volume_gb  = number
    backups    = bool
  }))

  validation {
    condition     = alltrue([for group in values(var.groups) : group.machines >= 1 && group.max >= group.machines])
    error_message = "A group has at least one machine, and `max` is not below `machines`."
  }
}

variable "machine_limit" {
  description = "Most machines that the environment may declare; null: no limit."
  type        = number
  default     = null

  validation {
    condition     = sum(values(var.groups)[*].machines) <= coalesce(var.machine_limit, 1000000)
    error_message = "More machines are declared than limits.machines of andamio.toml allows."
  }
}

variable "flows" {
  description = "Who may open which ports on whom, by group. `world` is anyone, `operator` whoever administers. What is not here is closed."
  type = list(object({
    from     = string
    to       = string
    protocol = string
    ports    = string
  }))
}

variable "entry_ports" {
  description = "Ports of the NodeBalancer; none: there is no NodeBalancer."
  type        = list(number)
}

variable "bastion" {
  description = "The machine through which the others are reached with SSH."
  type        = string
}

variable "issuer" {
  description = "Who alone may issue certificates for the domain; empty: nobody is named."
  type        = string
}

variable "backup_days" {
  description = "Days that a backup is kept after it was replaced or removed."
  type        = number
}

# What a person brings along: not in andamio.toml, never in terraform.tfvars. Use TF_VAR_NAME.

variable "authorized_keys" {
  description = "SSH public keys that open the machines for the first time."
  type        = list(string)

  validation {
    condition     = length(var.authorized_keys) > 0
    error_message = "Without a key nobody gets in: there are no passwords."
  }
}

variable "operator_ranges" {
  description = "IPv4 ranges from which the bastion answers to SSH; none: nobody from outside."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for range in var.operator_ranges : can(cidrhost(range, 0)) && range != "0.0.0.0/0"])
    error_message = "Ranges like 203.0.113.7/32; never the whole Internet."
  }
}

variable "scale" {
  description = "Machines of a group right now, set by whoever scales. A group that is not here keeps the machines it has."
  type        = map(number)
  default     = {}
}

variable "outbound" {
  description = "May machines open connections to the Internet? Without it they need a package mirror in the network."
  type        = bool
  default     = true
}

variable "dns" {
  description = "The domain's zone, where Linode serves it, and the record's name in it (empty: the zone's own)."
  type = object({
    zone_id = number
    record  = string
  })
  default = null
}
