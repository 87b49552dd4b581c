# Rendered from andamio.toml, the only source. `andamio plan prod --on linode` shows what would
# change here, and with --render it writes this file: changes that were made by hand are lost then.

project        = "ficharfirm"
environment    = "prod"
region         = "es-mad"
storage_region = "fr-par"
network        = "10.168.141.0/24"
bastion        = "ops-1"
entry_ports    = [80, 443]
issuer         = "letsencrypt.org"
backup_days    = 30
machine_limit  = 24

groups = {
  mariadb = {
    machines   = 3
    max        = 3
    type       = "g6-standard-4"
    first_host = 40
    layout     = "galera"
    volume_gb  = 40
    backups    = false
  }
  redis = {
    machines   = 3
    max        = 3
    type       = "g6-standard-4"
    first_host = 60
    layout     = "cluster"
    volume_gb  = 0
    backups    = false
  }
  rabbitmq = {
    machines   = 3
    max        = 3
    type       = "g6-standard-4"
    first_host = 80
    layout     = "cluster"
    volume_gb  = 0
    backups    = false
  }
  app = {
    machines   = 3
    max        = 6
    type       = "g6-standard-4"
    first_host = 10
    layout     = "single"
    volume_gb  = 0
    backups    = false
  }
  balancer = {
    machines   = 2
    max        = 2
    type       = "g6-standard-2"
    first_host = 100
    layout     = "floating"
    volume_gb  = 0
    backups    = false
  }
  ops = {
    machines   = 1
    max        = 1
    type       = "g6-standard-4"
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
  { from = "mariadb", to = "mariadb", protocol = "tcp", ports = "4444,4567,4568" },
  { from = "operator", to = "mariadb", protocol = "tcp", ports = "22" },
  { from = "operator", to = "ops", protocol = "tcp", ports = "22" },
  { from = "app", to = "rabbitmq", protocol = "tcp", ports = "5671" },
  { from = "operator", to = "rabbitmq", protocol = "tcp", ports = "22" },
  { from = "rabbitmq", to = "rabbitmq", protocol = "tcp", ports = "25672" },
  { from = "app", to = "redis", protocol = "tcp", ports = "6379,6380" },
  { from = "operator", to = "redis", protocol = "tcp", ports = "22" },
  { from = "redis", to = "redis", protocol = "tcp", ports = "6379,6380,16379,16380" },
]
