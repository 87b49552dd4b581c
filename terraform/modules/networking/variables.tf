variable "label" {
  description = "Begins the name of everything."
  type        = string
}

variable "region" {
  description = "Region of the network."
  type        = string
}

variable "network" {
  description = "Private addresses, a /24."
  type        = string
}

variable "groups" {
  description = "Groups of machines, with the last octet of the first machine's address and the most machines there may be."
  type = map(object({
    first_host = number
    max        = number
  }))

  validation {
    condition     = alltrue([for group in values(var.groups) : group.first_host >= 2 && group.first_host + group.max <= 240])
    error_message = "Machines have the addresses .2 to .239; the NodeBalancer's range lies behind them."
  }
}

variable "entry_ports" {
  description = "Ports of the NodeBalancer; none: there is no NodeBalancer."
  type        = list(number)
}

variable "balancers" {
  description = "Private addresses of the machines behind the NodeBalancer, by name."
  type        = map(string)
}

variable "firewall_id" {
  description = "Firewall of the NodeBalancer."
  type        = number
}

variable "dns" {
  description = "Zone and name of the record that leads to the NodeBalancer; null: DNS is served elsewhere."
  type = object({
    zone_id = number
    record  = string
  })
}

variable "tags" {
  description = "Tags of the NodeBalancer."
  type        = list(string)
}
