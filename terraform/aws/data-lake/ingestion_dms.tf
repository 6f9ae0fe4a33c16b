# Customers from PostgreSQL: a full load, then every change. DMS delivers its files under landing/dms/customers/, from
# where the function `arrivals` brings them into the raw layout (docs/decisions/0019).

locals {
  # What DMS asks of the account itself, under these very names, once for all its instances.
  # https://docs.aws.amazon.com/dms/latest/userguide/security-iam.html#CHAP_Security.APIRole
  dms_service_roles = var.enable_dms && var.create_dms_service_roles ? {
    dms-vpc-role             = "AmazonDMSVPCManagementRole"
    dms-cloudwatch-logs-role = "AmazonDMSCloudWatchLogsRole"
  } : {}

  dms_change_types = [
    for column in sort(var.customer_columns_not_text) : {
      rule-type   = "transformation"
      rule-target = "column"
      rule-action = "change-data-type"
      object-locator = {
        schema-name = var.customer_table.schema
        table-name  = var.customer_table.table
        column-name = column
      }
      data-type = { type = "string", length = 64 }
    }
  ]

  # A folder under landing/ is named for the service and the data set: landing/{schema}/{table}/, as DMS makes it.
  dms_rules = concat(
    [
      {
        rule-type      = "selection"
        rule-action    = "include"
        object-locator = { schema-name = var.customer_table.schema, table-name = var.customer_table.table }
        filters        = []
      },
      {
        rule-type      = "transformation"
        rule-target    = "schema"
        rule-action    = "rename"
        object-locator = { schema-name = var.customer_table.schema }
        value          = "dms"
      },
      {
        rule-type      = "transformation"
        rule-target    = "table"
        rule-action    = "rename"
        object-locator = { schema-name = var.customer_table.schema, table-name = var.customer_table.table }
        value          = "customers"
      },
    ],
    local.dms_change_types,
  )
}

resource "aws_dms_replication_subnet_group" "lake" {
  count = var.enable_dms ? 1 : 0

  replication_subnet_group_id          = local.name_prefix
  replication_subnet_group_description = "The private subnets of the lake"
  subnet_ids                           = [for subnet in aws_subnet.private : subnet.id]

  depends_on = [aws_iam_role_policy_attachment.dms_service]
}

resource "aws_dms_replication_instance" "customers" {
  count = var.enable_dms ? 1 : 0

  replication_instance_id     = "${local.name_prefix}-customers"
  replication_instance_class  = var.dms_instance_class
  allocated_storage           = 50 # GB: changes wait here while the full load runs
  multi_az                    = var.dms_multi_az
  publicly_accessible         = false
  auto_minor_version_upgrade  = true
  allow_major_version_upgrade = false
  apply_immediately           = true
  kms_key_arn                 = aws_kms_key.lake.arn
  replication_subnet_group_id = aws_dms_replication_subnet_group.lake[0].id
  vpc_security_group_ids      = [aws_security_group.dms.id]

  depends_on = [aws_cloudwatch_log_group.dms, aws_iam_role_policy_attachment.dms_service]
}

resource "aws_cloudwatch_log_group" "dms" {
  count = var.enable_dms ? 1 : 0

  name              = "dms-tasks-${local.name_prefix}-customers" # as DMS names it
  retention_in_days = 365
  kms_key_id        = aws_kms_key.lake.arn
}

resource "aws_dms_endpoint" "rds_production" {
  count = var.enable_dms ? 1 : 0

  endpoint_id                     = "${local.name_prefix}-rds-production"
  endpoint_type                   = "source"
  engine_name                     = "postgres"
  database_name                   = var.rds_production.database
  ssl_mode                        = "require"
  kms_key_arn                     = aws_kms_key.lake.arn
  secrets_manager_arn             = aws_secretsmanager_secret.connection["rds-production"].arn
  secrets_manager_access_role_arn = aws_iam_role.dms_source[0].arn

  postgres_settings {
    heartbeat_enable             = true # the slot moves on while no customer changes; else the source keeps its log for it
    fail_tasks_on_lob_truncation = true # a text of over 64 KB (ingestion_dms_task.json) stops the task instead of being cut
  }
}

resource "aws_dms_s3_endpoint" "landing" {
  count = var.enable_dms ? 1 : 0

  endpoint_id             = "${local.name_prefix}-landing"
  endpoint_type           = "target"
  bucket_name             = aws_s3_bucket.lake.bucket
  bucket_folder           = "landing"
  expected_bucket_owner   = local.account_id
  service_access_role_arn = aws_iam_role.dms_target[0].arn
  kms_key_arn             = aws_kms_key.lake.arn

  data_format                       = "parquet"
  parquet_version                   = "parquet-1-0"
  encryption_mode                   = "SSE_KMS"
  server_side_encryption_kms_key_id = aws_kms_key.lake.arn

  include_op_for_full_load = true
  timestamp_column_name    = "commit_ts"
  # A full load carries the time of its start. With the time of each row's transfer, a change that was committed while the
  # table was being read would look older than the row, and be lost.
  use_task_start_time_for_full_load_timestamp = true

  cdc_max_batch_interval = 300   # seconds
  cdc_min_file_size      = 32000 # KB
}

resource "aws_dms_replication_task" "customers" {
  count = var.enable_dms ? 1 : 0

  replication_task_id       = "${local.name_prefix}-customers"
  migration_type            = "full-load-and-cdc"
  replication_instance_arn  = aws_dms_replication_instance.customers[0].replication_instance_arn
  source_endpoint_arn       = aws_dms_endpoint.rds_production[0].endpoint_arn
  target_endpoint_arn       = aws_dms_s3_endpoint.landing[0].endpoint_arn
  start_replication_task    = var.start_dms
  replication_task_settings = file("${path.module}/ingestion_dms_task.json")

  table_mappings = jsonencode({
    rules = [
      for number, rule in local.dms_rules : merge(rule, { rule-id = tostring(number + 1), rule-name = tostring(number + 1) })
    ]
  })
}

# Roles

data "aws_iam_policy_document" "dms_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["dms.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

# A secret is read under the regional name.
data "aws_iam_policy_document" "dms_regional_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["dms.${local.region}.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "dms_source" {
  count = var.enable_dms ? 1 : 0

  name                 = "${local.name_prefix}-dms-source"
  assume_role_policy   = data.aws_iam_policy_document.dms_regional_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "dms_source" {
  count = var.enable_dms ? 1 : 0

  name   = "read-the-password"
  role   = aws_iam_role.dms_source[0].id
  policy = data.aws_iam_policy_document.dms_source.json
}

data "aws_iam_policy_document" "dms_source" {
  statement {
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.connection["rds-production"].arn]
  }

  statement {
    actions   = ["kms:Decrypt", "kms:DescribeKey"]
    resources = [aws_kms_key.lake.arn]
  }
}

resource "aws_iam_role" "dms_target" {
  count = var.enable_dms ? 1 : 0

  name                 = "${local.name_prefix}-dms-target"
  assume_role_policy   = data.aws_iam_policy_document.dms_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "dms_target" {
  count = var.enable_dms ? 1 : 0

  name   = "deliver-customers"
  role   = aws_iam_role.dms_target[0].id
  policy = data.aws_iam_policy_document.dms_target.json
}

# https://docs.aws.amazon.com/dms/latest/userguide/CHAP_Target.S3.html#CHAP_Target.S3.Prerequisites
data "aws_iam_policy_document" "dms_target" {
  statement {
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [aws_s3_bucket.lake.arn]
  }

  statement {
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"]
    resources = ["${aws_s3_bucket.lake.arn}/landing/*"]
  }

  statement {
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.lake.arn]
  }
}

resource "aws_iam_role" "dms_service" {
  for_each = local.dms_service_roles

  name                 = each.key
  assume_role_policy   = data.aws_iam_policy_document.dms_service_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

# Without the account's condition: DMS itself looks for these roles before it has an instance to name.
data "aws_iam_policy_document" "dms_service_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["dms.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy_attachment" "dms_service" {
  for_each = local.dms_service_roles

  role       = aws_iam_role.dms_service[each.key].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/${each.value}"
}
