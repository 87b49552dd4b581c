# Rendered from andamio.toml, the only source. `andamio plan dev --on linode` shows what would
# change here, and with --render it writes this file: changes that were made by hand are lost then.

project        = "ficharfirm"
environment    = "dev"
region         = "es-mad"
storage_region = "fr-par"
network        = "10.157.111.0/24"
bastion        = "app-1"
entry_ports    = []
issuer         = ""
backup_days    = 30
machine_limit  = 4

groups = {
  mariadb = {
    machines   = 1
    max        = 1
    type       = "g6-standard-2"
    first_host = 40
    layout     = "single"
    volume_gb  = 0
    backups    = false
  }
  redis = {
    machines   = 1
    max        = 1
    type       = "g6-standard-2"
    first_host = 60
    layout     = "single"
    volume_gb  = 0
    backups    = false
  }
  rabbitmq = {
    machines   = 1
    max        = 1
    type       = "g6-standard-2"
    first_host = 80
    layout     = "single"
    volume_gb  = 0
    backups    = false
  }
  app = {
    machines   = 1
    max        = 1
    type       = "g6-standard-2"
    first_host = 10
    layout     = "single"
    volume_gb  = 0
    backups    = false
  }
}

flows = [
  { from = "operator", to = "app", protocol = "tcp", ports = "22" },
  { from = "world", to = "app", protocol = "tcp", ports = "8080" },
  { from = "app", to = "mariadb", protocol = "tcp", ports = "3306" },
  { from = "operator", to = "mariadb", protocol = "tcp", ports = "22" },
  { from = "app", to = "rabbitmq", protocol = "tcp", ports = "5671" },
  { from = "operator", to = "rabbitmq", protocol = "tcp", ports = "22" },
  { from = "app", to = "redis", protocol = "tcp", ports = "6379" },
  { from = "operator", to = "redis", protocol = "tcp", ports = "22" },
]
