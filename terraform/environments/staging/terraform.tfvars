# Rendered from andamio.toml, the only source. `andamio plan staging --on linode` shows what would
# change here, and with --render it writes this file: changes that were made by hand are lost then.

project        = "ficharfirm"
environment    = "staging"
region         = "es-mad"
storage_region = "fr-par"
network        = "10.185.224.0/24"
bastion        = "ops-1"
entry_ports    = [80, 443]
issuer         = ""
backup_days    = 30
machine_limit  = 12

groups = {
  mariadb = {
    machines   = 2
    max        = 2
    type       = "g6-standard-2"
    first_host = 40
    layout     = "replica"
    volume_gb  = 40
    backups    = false
  }
  redis = {
    machines   = 2
    max        = 2
    type       = "g6-standard-2"
    first_host = 60
    layout     = "cluster"
    volume_gb  = 0
    backups    = false
  }
  rabbitmq = {
    machines   = 2
    max        = 2
    type       = "g6-standard-2"
    first_host = 80
    layout     = "cluster"
    volume_gb  = 0
    backups    = false
  }
  app = {
    machines   = 2
    max        = 2
    type       = "g6-standard-2"
    first_host = 10
    layout     = "single"
    volume_gb  = 0
    backups    = false
  }
  balancer = {
    machines   = 1
    max        = 1
    type       = "g6-standard-2"
    first_host = 100
    layout     = "single"
    volume_gb  = 0
    backups    = false
  }
  ops = {
    machines   = 1
    max        = 1
    type       = "g6-standard-2"
    first_host = 110
    layout     = "single"
    volume_gb  = 0
    backups    = true
  }
}

flows = [
  { from = "balancer", to = "app", protocol = "tcp", ports = "8443" },
  { from = "operator", to = "app", protocol = "tcp", ports = "22" },
  { from = "operator", to = "balancer", protocol = "tcp", ports = "22" },
  { from = "world", to = "balancer", protocol = "tcp", ports = "80,443" },
  { from = "app", to = "mariadb", protocol = "tcp", ports = "3306,9200" },
  { from = "mariadb", to = "mariadb", protocol = "tcp", ports = "3306,4444" },
  { from = "operator", to = "mariadb", protocol = "tcp", ports = "22" },
  { from = "operator", to = "ops", protocol = "tcp", ports = "22" },
  { from = "app", to = "rabbitmq", protocol = "tcp", ports = "5671" },
  { from = "operator", to = "rabbitmq", protocol = "tcp", ports = "22" },
  { from = "rabbitmq", to = "rabbitmq", protocol = "tcp", ports = "25672" },
  { from = "app", to = "redis", protocol = "tcp", ports = "6379,6380,6381" },
  { from = "operator", to = "redis", protocol = "tcp", ports = "22" },
  { from = "redis", to = "redis", protocol = "tcp", ports = "6379,6380,6381,16379,16380,16381" },
]
