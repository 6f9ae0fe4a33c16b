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

# Storage

variable "further_lifecycle_rules" {
  description = "Lifecycle rules of the lake's bucket besides the required ones: classes and expiry by age, in days, under a prefix."
  type = map(object({
    prefix       = string
    transitions  = optional(map(number), {})
    expire_after = optional(number)
  }))
  default = {}
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

# Network

variable "vpc_cidr" {
  description = "The addresses of the lake's network, a /20 or wider, that overlap with no network it is peered with."
  type        = string
  default     = "10.40.0.0/20"

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 4, 2)) && try(tonumber(split("/", var.vpc_cidr)[1]) <= 20, false)
    error_message = "The vpc_cidr is an IPv4 range of /20 or wider, such as 10.40.0.0/20."
  }
}

variable "availability_zones" {
  description = "The letters of the three zones of the region that the network lies in; take others where a service is not in one."
  type        = list(string)
  default     = ["a", "b", "c"]

  validation {
    condition     = length(distinct(var.availability_zones)) == 3
    error_message = "Redshift Serverless asks for three zones."
  }
}

variable "database_cidr" {
  description = "Where rds-production listens: the addresses of its subnets."
  type        = string
  default     = "10.50.0.0/20"

  validation {
    condition     = can(cidrhost(var.database_cidr, 0)) && !endswith(var.database_cidr, "/0")
    error_message = "The database_cidr is an IPv4 range, not the whole internet."
  }
}

variable "database_peering_id" {
  description = "The VPC peering connection to the network of rds-production, already accepted; null where another route leads there."
  type        = string
  default     = null
}

variable "interface_endpoints" {
  description = "The services that the network reaches; each costs about 7 USD a month and zone (0.01 USD an hour)."
  type        = set(string)
  default = [
    "athena",         # the notebook asks
    "glue",           # Redshift and the notebook read the catalog
    "secretsmanager", # DMS and Glue read the passwords of connections
  ]

  validation {
    condition     = alltrue([for service in var.interface_endpoints : service != "s3" && service != "dynamodb"])
    error_message = "S3 has a free gateway endpoint already, and DynamoDB can have one."
  }
}

# DMS

variable "enable_dms" {
  description = "Whether DMS brings customers from rds-production."
  type        = bool
  default     = true
}

variable "start_dms" {
  description = "Whether the replication task runs. Fill the secret of rds-production first: username, password, host, port."
  type        = bool
  default     = false
}

variable "create_dms_service_roles" {
  description = "Whether this stack makes dms-vpc-role and dms-cloudwatch-logs-role, which an account has once."
  type        = bool
  default     = true
}

variable "dms_instance_class" {
  description = "The size of the replication instance."
  type        = string
  default     = "dms.t3.medium"

  validation {
    condition     = startswith(var.dms_instance_class, "dms.")
    error_message = "The dms_instance_class begins with dms., such as dms.t3.medium."
  }
}

variable "dms_multi_az" {
  description = "Whether the replication instance has a twin in another zone, at twice the price; a failed one goes on where it stopped anyway."
  type        = bool
  default     = false
}

variable "customer_table" {
  description = "The table of customers in rds-production. Its REPLICA IDENTITY is FULL where a delete is to carry all columns."
  type = object({
    schema = string
    table  = string
  })
  default = { schema = "public", table = "customers" }
}

variable "customer_columns_not_text" {
  description = "Columns of that table that are numbers, dates or the like; DMS writes them as text, since raw columns are text."
  type        = set(string)
  default     = []
}

# AppFlow

variable "enable_appflow" {
  description = "Whether AppFlow brings accounts and contacts from the CRM."
  type        = bool
  default     = true
}

variable "crm_connector_profile" {
  description = "The AppFlow connector profile of the CRM (Salesforce), which a person makes in the console by signing in there."
  type        = string
  default     = "crm"
}

# Lambda

variable "api_concurrency" {
  description = "Requests that the API answers at once. Lambda keeps 100 of the account's executions (1,000 unless AWS gave fewer) unreserved."
  type        = number
  default     = 20

  validation {
    condition     = var.api_concurrency >= 1
    error_message = "The api_concurrency is 1 or more; 0 would switch the API off."
  }
}

# Monitoring

variable "daily_dpu_hours" {
  description = "The budget of DPU hours a day, all Glue jobs together; null for the one of src/datalake/alerts.yml."
  type        = number
  default     = null

  validation {
    condition     = var.daily_dpu_hours == null || try(var.daily_dpu_hours > 0, false)
    error_message = "The daily_dpu_hours are above 0."
  }
}

# Consumption

variable "enable_redshift" {
  description = "Whether there is a Redshift Serverless workgroup with an external schema on analytics_db."
  type        = bool
  default     = true
}

variable "enable_quicksight" {
  description = "Whether QuickSight has a data set on the star schema. The account must be signed up for QuickSight."
  type        = bool
  default     = true
}

variable "quicksight_readers" {
  description = "ARNs of QuickSight's users and groups who may use the data set, arn:aws:quicksight:REGION:ACCOUNT:group/default/NAME."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for reader in var.quicksight_readers : can(regex("^arn:[a-z-]+:quicksight:[a-z0-9-]+:[0-9]{12}:(user|group)/", reader))])
    error_message = "The quicksight_readers are ARNs of QuickSight's users or groups."
  }
}

variable "enable_notebook" {
  description = "Whether there is a SageMaker notebook on the analytics tables; it costs about 37 USD a month while it runs."
  type        = bool
  default     = true
}
