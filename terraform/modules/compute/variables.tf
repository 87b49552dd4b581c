variable "label" {
  description = "Begins the name of everything."
  type        = string
}

variable "region" {
  description = "Region of the machines."
  type        = string
}

variable "groups" {
  description = "Groups of machines. `machines` are always there; up to `max` the autoscaler adds."
  type = map(object({
    machines = number
    max      = number
    type     = string
    backups  = bool
  }))
}

variable "scale" {
  description = "Machines of a group right now, set by whoever scales. A group that is not here keeps the machines it has."
  type        = map(number)
  default     = {}

  validation {
    condition     = alltrue([for name in keys(var.scale) : contains(keys(var.groups), name)])
    error_message = "There is no such group to be scaled."
  }
}

variable "addresses" {
  description = "Every private address that a group may have, in the order of its machines."
  type        = map(list(string))
}

variable "subnet_id" {
  description = "Subnet of the machines."
  type        = number
}

variable "firewall_ids" {
  description = "Firewall of each group."
  type        = map(number)
}

variable "authorized_keys" {
  description = "SSH public keys that open the machines for the first time."
  type        = list(string)
}

variable "outbound" {
  description = "May machines open connections to the Internet?"
  type        = bool
}

variable "tags" {
  description = "Tags of the machines."
  type        = list(string)
}

variable "image" {
  description = "What machines begin with."
  type        = string
  default     = "linode/debian13"
}

variable "placement_size" {
  description = "Most machines of a placement group: 5 in the regions that say so (es-mad)."
  type        = number
  default     = 5
}
