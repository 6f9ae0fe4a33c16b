# Who reads the lake besides the analysts on Athena: Redshift, QuickSight and a notebook, each behind a switch and declared
# as a dbt exposure (models/exposures.yml). All read through Lake Formation: none has a right to the tables' files.

locals {
  analytics_models = flatten([
    for file in fileset(local.repository, "models/analytics/**/*.yml") :
    yamldecode(file("${local.repository}/${file}")).models
  ])

  # The tables that all consumers may read: those of analytics_db without a column of personal data.
  consumed_tables = toset([
    for model in local.analytics_models : model.name
    if !anytrue([for column in model.columns : try(column.config.meta.pii, false)])
  ])

  consumers = merge(
    { for role in aws_iam_role.redshift : "redshift" => role.arn },
    { for role in aws_iam_role.notebook : "notebook" => role.arn },
    { for reader in var.enable_quicksight ? var.quicksight_readers : [] : reader => reader },
  )

  # The columns of files/star_orders.sql as QuickSight names their types.
  star_orders_columns = {
    order_id       = "STRING"
    order_date     = "DATETIME"
    calendar_year  = "INTEGER"
    calendar_month = "INTEGER"
    day_of_week    = "INTEGER"
    product_id     = "STRING"
    product        = "STRING"
    category       = "STRING"
    department     = "STRING"
    brand          = "STRING"
    customer_id    = "STRING"
    segment        = "STRING"
    region         = "STRING"
    quantity       = "INTEGER"
    price          = "DECIMAL"
    discount       = "DECIMAL"
    total          = "DECIMAL"
  }
}

resource "aws_lakeformation_permissions" "consumer_database" {
  for_each = var.lake_is_built ? local.consumers : {}

  principal   = each.value
  permissions = ["DESCRIBE"]

  database {
    name = aws_glue_catalog_database.zone["analytics_db"].name
  }
}

resource "aws_lakeformation_permissions" "consumer_table" {
  for_each = {
    for pair in setproduct(keys(local.consumers), var.lake_is_built ? local.consumed_tables : []) :
    "${pair[0]}-${pair[1]}" => { principal = local.consumers[pair[0]], table = pair[1] }
  }

  principal   = each.value.principal
  permissions = ["SELECT"]

  table {
    database_name = aws_glue_catalog_database.zone["analytics_db"].name
    name          = each.value.table
  }
}

data "aws_iam_policy_document" "reads_analytics" {
  #checkov:skip=CKV_AWS_111:Lake Formation's access has no resource that a policy could name; its grants decide.
  #checkov:skip=CKV_AWS_356:Lake Formation's access has no resource that a policy could name; its grants decide.
  statement {
    sid       = "FindTables"
    actions   = local.glue_reads
    resources = local.catalog_arns.marts
  }

  statement {
    sid       = "ReadWhatIsGranted"
    actions   = ["lakeformation:GetDataAccess"]
    resources = ["*"]
  }
}

# Redshift Serverless

resource "aws_redshiftserverless_namespace" "lake" {
  count = var.enable_redshift ? 1 : 0

  namespace_name                   = local.name_prefix
  db_name                          = "datalake"
  admin_username                   = "datalake_admin"
  manage_admin_password            = true
  admin_password_secret_kms_key_id = aws_kms_key.lake.arn
  kms_key_id                       = aws_kms_key.lake.arn
  iam_roles                        = [aws_iam_role.redshift[0].arn]
  default_iam_role_arn             = aws_iam_role.redshift[0].arn
  log_exports                      = ["connectionlog", "useractivitylog", "userlog"]

  depends_on = [aws_cloudwatch_log_group.redshift]
}

resource "aws_redshiftserverless_workgroup" "lake" {
  count = var.enable_redshift ? 1 : 0

  workgroup_name       = local.name_prefix
  namespace_name       = aws_redshiftserverless_namespace.lake[0].namespace_name
  base_capacity        = 8  # RPU, the least
  max_capacity         = 32 # RPU
  publicly_accessible  = false
  enhanced_vpc_routing = true
  subnet_ids           = [for subnet in aws_subnet.private : subnet.id]
  security_group_ids   = [aws_security_group.redshift.id]

  config_parameter {
    parameter_key   = "require_ssl"
    parameter_value = "true"
  }

  config_parameter {
    parameter_key   = "enable_user_activity_logging"
    parameter_value = "true"
  }
}

# Queries stop for the rest of the day: 24 RPU hours are 9 USD.
resource "aws_redshiftserverless_usage_limit" "daily" {
  count = var.enable_redshift ? 1 : 0

  resource_arn  = aws_redshiftserverless_workgroup.lake[0].arn
  usage_type    = "serverless-compute"
  period        = "daily"
  amount        = 24
  breach_action = "deactivate"
}

# The catalog's tables as analytics.fct_orders and so on; the administrator grants usage on the schema.
resource "aws_redshiftdata_statement" "analytics" {
  count = var.enable_redshift ? 1 : 0

  statement_name = "external-schema"
  workgroup_name = aws_redshiftserverless_workgroup.lake[0].workgroup_name
  database       = aws_redshiftserverless_namespace.lake[0].db_name
  secret_arn     = aws_redshiftserverless_namespace.lake[0].admin_password_secret_arn
  sql            = "create external schema if not exists analytics from data catalog database '${aws_glue_catalog_database.zone["analytics_db"].name}' region '${local.region}' iam_role '${aws_iam_role.redshift[0].arn}'"
}

resource "aws_cloudwatch_log_group" "redshift" {
  for_each = var.enable_redshift ? toset(["connectionlog", "useractivitylog", "userlog"]) : []

  name              = "/aws/redshift/${local.name_prefix}/${each.key}"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.lake.arn
}

resource "aws_iam_role" "redshift" {
  count = var.enable_redshift ? 1 : 0

  name                 = "${local.name_prefix}-redshift"
  assume_role_policy   = data.aws_iam_policy_document.redshift_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "redshift" {
  count = var.enable_redshift ? 1 : 0

  name   = "read-analytics"
  role   = aws_iam_role.redshift[0].id
  policy = data.aws_iam_policy_document.reads_analytics.json
}

data "aws_iam_policy_document" "redshift_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["redshift-serverless.amazonaws.com", "redshift.amazonaws.com"]
    }
  }
}

# QuickSight. Its account, and its role's right to ask Athena, are made by hand once (docs/operations.md, Consumers).

resource "aws_quicksight_data_source" "lake" {
  count = var.enable_quicksight ? 1 : 0

  data_source_id = local.name_prefix
  name           = "Data lake"
  type           = "ATHENA"

  parameters {
    athena {
      work_group = aws_athena_workgroup.analysts.name
    }
  }

  dynamic "permission" {
    for_each = var.quicksight_readers

    content {
      principal = permission.value
      actions = [
        "quicksight:DescribeDataSource",
        "quicksight:DescribeDataSourcePermissions",
        "quicksight:PassDataSource",
      ]
    }
  }
}

resource "aws_quicksight_data_set" "star_orders" {
  count = var.enable_quicksight ? 1 : 0

  data_set_id = "${local.name_prefix}-star-orders"
  name        = "Orders"
  import_mode = "DIRECT_QUERY"

  physical_table_map {
    physical_table_map_id = "star-orders"

    custom_sql {
      data_source_arn = aws_quicksight_data_source.lake[0].arn
      name            = "star_orders"
      sql_query       = file("${path.module}/files/star_orders.sql")

      dynamic "columns" {
        for_each = local.star_orders_columns

        content {
          name = columns.key
          type = columns.value
        }
      }
    }
  }

  dynamic "permissions" {
    for_each = var.quicksight_readers

    content {
      principal = permissions.value
      actions = [
        "quicksight:DescribeDataSet",
        "quicksight:DescribeDataSetPermissions",
        "quicksight:DescribeIngestion",
        "quicksight:ListIngestions",
        "quicksight:PassDataSet",
      ]
    }
  }
}

# SageMaker

resource "aws_sagemaker_notebook_instance" "analytics" {
  count = var.enable_notebook ? 1 : 0

  name                   = "${local.name_prefix}-analytics"
  instance_type          = "ml.t3.medium"
  platform_identifier    = "notebook-al2-v3"
  volume_size            = 5 # GB, the least
  role_arn               = aws_iam_role.notebook[0].arn
  kms_key_id             = aws_kms_key.lake.key_id
  subnet_id              = aws_subnet.private["0"].id
  security_groups        = [aws_security_group.notebook.id]
  direct_internet_access = "Disabled"
  root_access            = "Disabled"
  lifecycle_config_name  = aws_sagemaker_notebook_instance_lifecycle_configuration.analytics[0].name

  instance_metadata_service_configuration {
    minimum_instance_metadata_service_version = "2"
  }

  depends_on = [aws_iam_role_policy.notebook]
}

# What a person changed stays: the notebook is fetched where it is missing.
resource "aws_sagemaker_notebook_instance_lifecycle_configuration" "analytics" {
  count = var.enable_notebook ? 1 : 0

  name = "${local.name_prefix}-analytics"
  on_start = base64encode(<<-SCRIPT
    #!/bin/bash
    set -eu
    notebook=/home/ec2-user/SageMaker/analytics.ipynb
    test -e "$notebook" || aws s3 cp 's3://${aws_s3_bucket.lake.bucket}/${aws_s3_object.artifact["notebook"].key}' "$notebook"
    chown ec2-user:ec2-user "$notebook"
  SCRIPT
  )
}

resource "aws_cloudwatch_log_group" "notebook" {
  count = var.enable_notebook ? 1 : 0

  name              = "/aws/sagemaker/NotebookInstances"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.lake.arn
}

resource "aws_iam_role" "notebook" {
  count = var.enable_notebook ? 1 : 0

  name                 = "${local.name_prefix}-notebook"
  assume_role_policy   = data.aws_iam_policy_document.notebook_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "notebook" {
  count = var.enable_notebook ? 1 : 0

  name   = "ask-analytics"
  role   = aws_iam_role.notebook[0].id
  policy = data.aws_iam_policy_document.notebook[0].json
}

data "aws_iam_policy_document" "notebook_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["sagemaker.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

data "aws_iam_policy_document" "notebook" {
  #checkov:skip=CKV_AWS_111:Lake Formation's access has no resource that a policy could name; its grants decide.
  #checkov:skip=CKV_AWS_356:Lake Formation's access has no resource that a policy could name; its grants decide.
  count = var.enable_notebook ? 1 : 0

  source_policy_documents = [data.aws_iam_policy_document.reads_analytics.json]

  statement {
    sid       = "Ask"
    actions   = local.athena_runs
    resources = [aws_athena_workgroup.analysts.arn]
  }

  statement {
    sid       = "FindTheCatalog"
    actions   = ["athena:GetDataCatalog"]
    resources = [local.athena_catalog_arn]
  }

  statement {
    sid       = "FindResults"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [aws_s3_bucket.results.arn]
  }

  statement {
    sid       = "KeepResults"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = ["${aws_s3_bucket.results.arn}/athena-results/*"]
  }

  statement {
    sid       = "FetchTheNotebook"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.lake.arn}/artifacts/notebook/*"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.lake.arn]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.notebook[0].arn}:*"]
  }
}
