variable "label" {
  description = "Begins the name of everything."
  type        = string
}

variable "project" {
  description = "Name of the project, for tags."
  type        = string
}

variable "environment" {
  description = "Name of the environment, for tags."
  type        = string
}

variable "addresses" {
  description = "Every private address that a group may have, in the order of its machines."
  type        = map(list(string))
}

variable "nodebalancer_range" {
  description = "From here the NodeBalancer speaks to the machines behind it."
  type        = string
}

variable "entry_ports" {
  description = "Ports of the NodeBalancer; none: there is no NodeBalancer."
  type        = list(number)
}

variable "flows" {
  description = "Who may open which ports on whom, by group; `world` and `operator` are no groups."
  type = list(object({
    from     = string
    to       = string
    protocol = string
    ports    = string
  }))

  validation {
    condition     = alltrue([for flow in var.flows : contains(["tcp", "udp"], lower(flow.protocol))])
    error_message = "A flow is tcp or udp."
  }
}

variable "bastion" {
  description = "The machine through which the others are reached with SSH, GROUP-N."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[1-9][0-9]*$", var.bastion))
    error_message = "A machine, GROUP-N."
  }
}

variable "operator_ranges" {
  description = "IPv4 ranges from which the bastion answers to SSH."
  type        = list(string)
}

variable "buckets" {
  description = "Buckets of backups, and the region of each."
  type        = map(string)
}

variable "issuer" {
  description = "Who alone may issue certificates for the domain; empty: nobody is named."
  type        = string
}

variable "dns" {
  description = "Zone and name of the domain's record; null: DNS is served elsewhere."
  type = object({
    zone_id = number
    record  = string
  })
}
