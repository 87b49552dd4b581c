terraform {
  required_version = ">= 1.10.0"

  required_providers {
    linode = {
      source  = "linode/linode"
      version = "~> 3.13"
    }
  }

  # The rest is in ../../shared/backend.tf. Which state it is, is never a matter of the command line.
  backend "s3" {
    key          = "prod/terraform.tfstate"
    use_lockfile = true
  }
}
