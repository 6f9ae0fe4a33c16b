# What every part of the stack shares.

variable "environment" {
  description = "Which lake this is. Databases and workgroups have the same names in all, so each has an account of its own."
  type        = string
  default     = "dev"

  validation {
    condition     = contains(["dev", "ci", "prod"], var.environment)
    error_message = "The environment is dev, ci or prod."
  }
}

variable "region" {
  description = "The region of everything."
  type        = string
  default     = "us-east-1"
}

variable "owner" {
  description = "Who answers for the lake; a tag of every resource."
  type        = string
  default     = "data-platform"
}

variable "artifacts" {
  description = "The folder of the built artifacts (`make dist`), absolute or relative to this module."
  type        = string
  default     = "../../../dist"
}

variable "alert_email" {
  description = "Who gets alerts by mail; null for nobody. The receiver confirms the subscription."
  type        = string
  default     = null

  validation {
    condition     = var.alert_email == null || can(regex("^[^@ ]+@[^@ ]+$", var.alert_email))
    error_message = "The alert_email is an address, such as lake@example.com."
  }
}

variable "lake_is_built" {
  description = "Whether dbt has built its tables once. Lake Formation grants on tables that exist only: apply, build, set it, apply."
  type        = bool
  default     = false
}

variable "monthly_budget_dollars" {
  description = "Spending in a month beyond which the budget alerts, in USD."
  type        = number
  default     = 500

  validation {
    condition     = var.monthly_budget_dollars > 0
    error_message = "The budget is above 0."
  }
}

# Access

variable "github_repository" {
  description = "The GitHub repository, owner/name, whose workflows may sign in. It has no default: a wrong one opens the account."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "The github_repository is written owner/name, without wildcards."
  }
}

variable "terraform_state_bucket" {
  description = "The bucket of Terraform's state, which the deployer reads and writes; null where it deploys from elsewhere."
  type        = string
  default     = null
}

variable "lake_formation_admins" {
  description = "ARNs of the IAM principals, besides the deployer, who administer Lake Formation. Who applies by hand must be one."
  type        = set(string)
  default     = []
}

variable "analysts" {
  description = "ARNs of the IAM principals who may take the analyst role."
  type        = set(string)
  default     = []
}

variable "engineers" {
  description = "ARNs of the IAM principals who may take the engineer role."
  type        = set(string)
  default     = []
}

variable "raw_custodians" {
  description = "ARNs of the IAM principals who may delete from raw/, such as for the removal of a person; nobody else can."
  type        = set(string)
  default     = []
}

# Sources

variable "rds_production" {
  description = "The PostgreSQL database behind the connection rds-production."
  type = object({
    host     = string
    port     = optional(number, 5432)
    database = optional(string, "production")
  })
  default = { host = "rds-production.example.com" }
}

variable "redshift_warehouse" {
  description = "The Redshift database behind the connection redshift-warehouse."
  type = object({
    host     = string
    port     = optional(number, 5439)
    database = optional(string, "warehouse")
  })
  default = { host = "redshift-warehouse.example.com" }
}
