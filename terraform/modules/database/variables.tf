variable "label" {
  description = "Begins the name of everything."
  type        = string
}

variable "region" {
  description = "Region of the machines."
  type        = string
}

variable "storage_region" {
  description = "Region of the backup bucket."
  type        = string
}

variable "group" {
  description = "MariaDB's machines, how they replicate, and the volume of each in GB (0: its own disk)."
  type = object({
    machines  = number
    max       = number
    type      = string
    layout    = string
    volume_gb = number
    backups   = bool
  })

  validation {
    condition     = contains(["single", "replica", "galera"], var.group.layout)
    error_message = "MariaDB is single, replica or galera."
  }

  validation {
    condition     = var.group.layout != "galera" || (var.group.machines >= 3 && var.group.machines % 2 == 1)
    error_message = "Galera needs an odd number of at least three machines: an even one has no majority when it is cut in half."
  }

  validation {
    condition     = var.group.layout != "replica" || var.group.machines == 2
    error_message = "A primary and its replica are two machines."
  }

  validation {
    condition     = var.group.volume_gb == 0 || var.group.volume_gb >= 10
    error_message = "A volume has at least 10 GB."
  }
}

variable "backup_days" {
  description = "Days that a backup is kept after it was replaced or removed."
  type        = number
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
