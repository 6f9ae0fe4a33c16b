# Who may read which tables and columns. Grants are by table and by column, never both in one: Lake Formation refuses that.
#
# Tables that dbt makes are granted on once they are there (var.lake_is_built). What is granted on all tables of a
# database holds for tables to come.

locals {
  # The folders that Lake Formation answers for; others of the bucket are IAM's (docs/decisions/0018).
  registered_folders = toset(["raw", "curated_db", "analytics_db"])

  # Who asks as an analyst: people, and the API, which has no rights of its own to the tables.
  analysts = {
    analyst = aws_iam_role.analyst.arn
    api     = aws_iam_role.api.arn
  }

  # The columns of each table that dbt makes, and whether they hold personal data, as the models' YAML says.
  built_columns = {
    for database, folder in { curated_db = "curated", analytics_db = "analytics" } : database => merge([
      for file in fileset(local.repository, "models/${folder}/**/*.yml") : {
        for model in yamldecode(file("${local.repository}/${file}")).models :
        model.name => { for column in model.columns : column.name => try(column.config.meta.pii, false) }
      }
    ]...)
  }

  # What analysts may read of each table: all of it where null. A table that is not here they may not read.
  analysts_tables = {
    for table, columns in merge(
      {
        "curated_db.orders"    = null
        "curated_db.customers" = ["customer_id", "segment", "region"]
      },
      {
        for table, columns in local.built_columns.analytics_db : "analytics_db.${table}" =>
        anytrue(values(columns)) ? [for column, is_personal in columns : column if !is_personal] : null
      },
    ) : table => columns if var.lake_is_built
  }

  analysts_grants = {
    for pair in setproduct(keys(local.analysts), keys(local.analysts_tables)) : "${pair[0]}-${pair[1]}" => {
      principal = local.analysts[pair[0]]
      database  = split(".", pair[1])[0]
      table     = split(".", pair[1])[1]
      columns   = local.analysts_tables[pair[1]]
    }
  }

  # The text of a line is as it arrived, whatever it holds.
  raw_personal_columns = merge(
    local.raw_pii_columns,
    { for name, table in local.raw_tables : name => ["line"] if table.columns[0].name == "line" },
  )

  personal_columns = merge(
    { for table, columns in local.raw_personal_columns : "raw_db.${table}" => columns },
    merge([
      for database, tables in var.lake_is_built ? local.built_columns : {} : {
        for table, columns in tables : "${database}.${table}" => [for column, is_personal in columns : column if is_personal]
        if anytrue(values(columns))
      }
    ]...),
  )
}

resource "aws_lakeformation_data_lake_settings" "lake" {
  # Without default permissions: what is new is open to nobody.
  admins = concat([aws_iam_role.deployer.arn], sort(tolist(var.lake_formation_admins)))
}

# The folders

resource "aws_lakeformation_resource" "folder" {
  for_each = local.registered_folders

  arn      = "${aws_s3_bucket.lake.arn}/${each.key}"
  role_arn = aws_iam_role.lake_formation.arn

  depends_on = [
    aws_iam_role_policy.lake_formation,
    aws_glue_catalog_table.raw, # a table at a registered place asks for a right to the place
  ]
}

resource "aws_iam_role" "lake_formation" {
  name                 = "${local.name_prefix}-lake-formation"
  assume_role_policy   = data.aws_iam_policy_document.lake_formation_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

data "aws_iam_policy_document" "lake_formation_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lakeformation.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_iam_role_policy" "lake_formation" {
  name   = "lend-the-folders"
  role   = aws_iam_role.lake_formation.id
  policy = data.aws_iam_policy_document.lake_formation.json
}

# https://docs.aws.amazon.com/lake-formation/latest/dg/registration-role.html
data "aws_iam_policy_document" "lake_formation" {
  statement {
    sid       = "FindObjects"
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.lake.arn]
  }

  statement {
    sid       = "ReadFolders"
    actions   = ["s3:GetObject"]
    resources = [for folder in local.registered_folders : "${aws_s3_bucket.lake.arn}/${folder}/*"]
  }

  # Raw is append-only, and services write there by themselves.
  statement {
    sid       = "WriteTables"
    actions   = ["s3:DeleteObject", "s3:PutObject"]
    resources = ["${aws_s3_bucket.lake.arn}/curated_db/*", "${aws_s3_bucket.lake.arn}/analytics_db/*"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.lake.arn]
  }
}

# Who may make tables there. The deployer changes the raw ones.
resource "aws_lakeformation_permissions" "location" {
  for_each = merge([
    for name, right in {
      arrivals = { role = aws_iam_role.arrivals, folders = ["curated_db"] }
      deployer = { role = aws_iam_role.deployer, folders = ["raw"] }
      pipeline = { role = aws_iam_role.pipeline, folders = local.registered_folders }
    } : { for folder in right.folders : "${name}-${folder}" => { principal = right.role.arn, folder = folder } }
  ]...)

  principal   = each.value.principal
  permissions = ["DATA_LOCATION_ACCESS"]

  data_location {
    arn = aws_lakeformation_resource.folder[each.value.folder].arn
  }
}

# Personal data is tagged, table by table.

resource "aws_lakeformation_lf_tag" "pii" {
  key    = "pii"
  values = ["true", "false"]

  depends_on = [aws_lakeformation_data_lake_settings.lake]
}

resource "aws_lakeformation_resource_lf_tags" "personal" {
  for_each = local.personal_columns

  lf_tag {
    key   = aws_lakeformation_lf_tag.pii.key
    value = "true"
  }

  table_with_columns {
    database_name = split(".", each.key)[0]
    name          = split(".", each.key)[1]
    column_names  = each.value
  }

  depends_on = [aws_glue_catalog_table.raw]
}

# Analysts

resource "aws_lakeformation_permissions" "analysts_database" {
  for_each = {
    for pair in setproduct(keys(local.analysts), ["curated_db", "analytics_db"]) :
    "${pair[0]}-${pair[1]}" => { principal = local.analysts[pair[0]], database = pair[1] }
  }

  principal   = each.value.principal
  permissions = ["DESCRIBE"]

  database {
    name = aws_glue_catalog_database.zone[each.value.database].name
  }
}

resource "aws_lakeformation_permissions" "analysts_table" {
  for_each = { for name, grant in local.analysts_grants : name => grant if grant.columns == null }

  principal   = each.value.principal
  permissions = ["SELECT"]

  table {
    database_name = aws_glue_catalog_database.zone[each.value.database].name
    name          = each.value.table
  }
}

resource "aws_lakeformation_permissions" "analysts_columns" {
  for_each = { for name, grant in local.analysts_grants : name => grant if grant.columns != null }

  principal   = each.value.principal
  permissions = ["SELECT"]

  table_with_columns {
    database_name = aws_glue_catalog_database.zone[each.value.database].name
    name          = each.value.table
    column_names  = each.value.columns
  }
}

# Engineers read all, personal data too, and make databases: their sandboxes.

resource "aws_lakeformation_permissions" "engineer_database" {
  for_each = local.databases

  principal   = aws_iam_role.engineer.arn
  permissions = ["DESCRIBE"]

  database {
    name = aws_glue_catalog_database.zone[each.key].name
  }
}

resource "aws_lakeformation_permissions" "engineer_tables" {
  for_each = local.databases

  principal   = aws_iam_role.engineer.arn
  permissions = ["DESCRIBE", "SELECT"]

  table {
    database_name = aws_glue_catalog_database.zone[each.key].name
    wildcard      = true
  }
}

# Whoever makes a database owns it: sandbox_{user} and pr_{number}, and `create database if not exists` asks for the right.
resource "aws_lakeformation_permissions" "makes_databases" {
  for_each = {
    arrivals = aws_iam_role.arrivals.arn
    engineer = aws_iam_role.engineer.arn
    pipeline = aws_iam_role.pipeline.arn
  }

  principal        = each.value
  permissions      = ["CREATE_DATABASE"]
  catalog_resource = true

  depends_on = [aws_lakeformation_data_lake_settings.lake]
}

# The pipeline makes, changes and drops tables.

resource "aws_lakeformation_permissions" "pipeline_database" {
  for_each = local.databases

  principal   = aws_iam_role.pipeline.arn
  permissions = ["CREATE_TABLE", "DESCRIBE"]

  database {
    name = aws_glue_catalog_database.zone[each.key].name
  }
}

resource "aws_lakeformation_permissions" "pipeline_tables" {
  for_each = local.databases

  principal   = aws_iam_role.pipeline.arn
  permissions = ["ALTER", "DELETE", "DESCRIBE", "DROP", "INSERT", "SELECT"]

  table {
    database_name = aws_glue_catalog_database.zone[each.key].name
    wildcard      = true
  }
}

# The ledger, which either of the pipeline and the function may have made first. IAM holds the function to its tables.

resource "aws_lakeformation_permissions" "arrivals_database" {
  principal   = aws_iam_role.arrivals.arn
  permissions = ["CREATE_TABLE", "DESCRIBE"]

  database {
    name = aws_glue_catalog_database.zone["curated_db"].name
  }
}

resource "aws_lakeformation_permissions" "arrivals_tables" {
  principal   = aws_iam_role.arrivals.arn
  permissions = ["ALTER", "DELETE", "DESCRIBE", "DROP", "INSERT", "SELECT"]

  table {
    database_name = aws_glue_catalog_database.zone["curated_db"].name
    wildcard      = true
  }
}

# Crawlers enter partitions; Firehose looks up the columns of its table.

resource "aws_lakeformation_permissions" "crawler_database" {
  for_each = toset(["raw_db", "curated_db"])

  principal   = aws_iam_role.crawler.arn
  permissions = ["DESCRIBE"]

  database {
    name = aws_glue_catalog_database.zone[each.key].name
  }
}

resource "aws_lakeformation_permissions" "crawler_tables" {
  for_each = toset(["raw_db", "curated_db"])

  principal   = aws_iam_role.crawler.arn
  permissions = ["DESCRIBE", "INSERT", "SELECT"]

  table {
    database_name = aws_glue_catalog_database.zone[each.key].name
    wildcard      = true
  }
}

resource "aws_lakeformation_permissions" "firehose" {
  principal   = aws_iam_role.firehose.arn
  permissions = ["DESCRIBE"]

  table {
    database_name = aws_glue_catalog_table.raw["events"].database_name
    name          = aws_glue_catalog_table.raw["events"].name
  }
}
