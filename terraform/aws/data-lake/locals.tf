data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  partition  = data.aws_partition.current.partition
  region     = var.region

  name_prefix = "datalake-${var.environment}"
  bucket      = "company-datalake-${var.environment}"

  # The repository, whose declarations this stack reads.
  repository  = "${path.module}/../../.."
  dbt_project = yamldecode(file("${local.repository}/dbt_project.yml"))

  # The raw tables by name, as models/raw/*.yml declares them.
  sources = {
    for table in flatten([
      for file in fileset(local.repository, "models/raw/*.yml") : [
        for source in yamldecode(file("${local.repository}/${file}")).sources : source.tables
      ]
    ]) : table.name => table if can(table.external)
  }

  # The columns of personal data of each raw table that has some.
  raw_pii_columns = {
    for name, table in local.sources : name => local.raw_pii_columns_of[name] if length(local.raw_pii_columns_of[name]) > 0
  }
  raw_pii_columns_of = {
    for name, table in local.sources : name => [
      for column in table.columns : column.name if try(column.config.meta.pii, false)
    ]
  }
}
