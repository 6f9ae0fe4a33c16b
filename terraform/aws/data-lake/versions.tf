terraform {
  required_version = "~> 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Where the state lies is given at init: -backend-config=bucket=... -backend-config=key=data-lake/{environment}.tfstate
  backend "s3" {
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      project     = "data-lake"
      environment = var.environment
      owner       = var.owner
      managed_by  = "terraform"
    }
  }
}
