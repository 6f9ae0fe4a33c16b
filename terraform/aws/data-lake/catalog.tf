# What the catalog knows: databases, raw tables, crawlers, connections and the quality rules of orders.

locals {
  databases = {
    raw_db       = "What arrived, untouched and append-only."
    curated_db   = "Cleaned, typed, one row per key."
    analytics_db = "Aggregates and the star schema."
  }

  text_formats = {
    input  = "org.apache.hadoop.mapred.TextInputFormat"
    output = "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat"
  }

  # How files are read, as macros/engines/athena_raw_tables.sql has it.
  raw_readers = {
    json = merge(local.text_formats, {
      serde    = "org.openx.data.jsonserde.JsonSerDe"
      settings = { "ignore.malformed.json" = "true" }
    })
    csv = merge(local.text_formats, {
      serde    = "org.apache.hadoop.hive.serde2.OpenCSVSerde"
      settings = { separatorChar = ",", quoteChar = "\"", escapeChar = "\\" }
    })
    parquet = {
      input    = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
      output   = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
      serde    = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
      settings = {}
    }
    lines = merge(local.text_formats, {
      serde    = "org.apache.hadoop.hive.serde2.RegexSerDe"
      settings = { "input.regex" = "(?s)(.*)" } # a line whole
    })
  }

  # Each raw table in the declared columns, and but for Parquet in one more form, a line of a file as it arrived.
  raw_tables = merge(
    {
      for name, table in local.sources : name => {
        source  = table
        reader  = local.raw_readers[table.external.file_format]
        columns = [for column in table.columns : { name = column.name, type = column.data_type }]
      }
    },
    {
      for name, table in local.sources : "${name}_lines" => {
        source  = table
        reader  = local.raw_readers.lines
        columns = [{ name = "line", type = "string" }]
      } if table.external.file_format != "parquet"
    },
  )

  # The folder of a day is projected. Who sends (`source`) can't be foreseen: a query must name it.
  raw_projections = {
    for name, table in local.sources : name => merge(
      { "projection.enabled" = "true" },
      merge([
        for partition in table.external.partitions : partition.name == "arrived" ? {
          "projection.arrived.type"          = "date"
          "projection.arrived.format"        = "'year='yyyy'/month='MM'/day='dd"
          "projection.arrived.range"         = local.dbt_project.vars.raw_days
          "projection.arrived.interval"      = "1"
          "projection.arrived.interval.unit" = "DAYS"
        } : { "projection.${partition.name}.type" = "injected" }
      ]...),
      table.external.file_format == "csv" ? { "skip.header.line.count" = "1" } : {},
      {
        "storage.location.template" = join("", concat(
          ["s3://${local.bucket}/${table.external.location}"],
          [
            for partition in table.external.partitions :
            "${partition.name == "arrived" ? "" : "${partition.name}="}$${${partition.name}}/"
          ],
        ))
      },
    )
  }

  connections = {
    rds-production = {
      address = "postgresql://${var.rds_production.host}:${var.rds_production.port}/${var.rds_production.database}"
      what    = "The PostgreSQL database of the application"
    }
    redshift-warehouse = {
      address = "redshift://${var.redshift_warehouse.host}:${var.redshift_warehouse.port}/${var.redshift_warehouse.database}"
      what    = "The warehouse on Redshift"
    }
  }
}

resource "aws_glue_catalog_database" "zone" {
  for_each = local.databases

  name        = each.key
  description = each.value

  # Else Lake Formation would open it to everybody whom IAM allows.
  depends_on = [aws_lakeformation_data_lake_settings.lake]
}

# The same tables that dbt makes of the YAML where they are missing (macros/engines/athena_raw_tables.sql); a test compares.
resource "aws_glue_catalog_table" "raw" {
  for_each = local.raw_tables

  database_name = aws_glue_catalog_database.zone["raw_db"].name
  name          = each.key
  table_type    = "EXTERNAL_TABLE"
  parameters    = merge({ EXTERNAL = "TRUE" }, local.raw_projections[each.value.source.name])

  storage_descriptor {
    location      = "s3://${aws_s3_bucket.lake.bucket}/${trimsuffix(each.value.source.external.location, "/")}"
    input_format  = each.value.reader.input
    output_format = each.value.reader.output

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name = columns.value.name
        type = columns.value.type
      }
    }

    ser_de_info {
      serialization_library = each.value.reader.serde
      parameters            = merge({ "serialization.format" = "1" }, each.value.reader.settings)
    }
  }

  dynamic "partition_keys" {
    for_each = each.value.source.external.partitions

    content {
      name = partition_keys.value.name
      type = partition_keys.value.data_type
    }
  }
}

# Encryption

resource "aws_glue_data_catalog_encryption_settings" "lake" {
  #checkov:skip=CKV_AWS_94:It is encrypted by KMS, in the mode with a service role, which the check does not know.
  data_catalog_encryption_settings {
    connection_password_encryption {
      aws_kms_key_id                       = aws_kms_key.lake.arn
      return_connection_password_encrypted = true
    }

    # By a role of Glue's own: nobody needs the key to read what a table is called.
    encryption_at_rest {
      catalog_encryption_mode         = "SSE-KMS-WITH-SERVICE-ROLE"
      catalog_encryption_service_role = aws_iam_role.catalog.arn
      sse_aws_kms_key_id              = aws_kms_key.lake.arn
    }
  }

  depends_on = [aws_iam_role_policy.catalog]
}

resource "aws_iam_role" "catalog" {
  name                 = "${local.name_prefix}-catalog"
  assume_role_policy   = data.aws_iam_policy_document.glue_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "catalog" {
  name   = "encrypt-the-catalog"
  role   = aws_iam_role.catalog.id
  policy = data.aws_iam_policy_document.catalog.json
}

data "aws_iam_policy_document" "catalog" {
  statement {
    actions   = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.lake.arn]
  }
}

resource "aws_glue_security_configuration" "lake" {
  name = local.name_prefix

  encryption_configuration {
    cloudwatch_encryption {
      cloudwatch_encryption_mode = "SSE-KMS"
      kms_key_arn                = aws_kms_key.lake.arn
    }

    job_bookmarks_encryption {
      job_bookmarks_encryption_mode = "CSE-KMS"
      kms_key_arn                   = aws_kms_key.lake.arn
    }

    s3_encryption {
      s3_encryption_mode = "SSE-KMS"
      kms_key_arn        = aws_kms_key.lake.arn
    }
  }
}

# Connections

resource "aws_secretsmanager_secret" "connection" {
  for_each = local.connections

  #checkov:skip=CKV2_AWS_57:The password is the database's own; who runs that database changes it, and then fills it in here.
  name        = "${local.name_prefix}/${each.key}"
  description = "${each.value.what}. A person fills in username, password, host and port, as JSON; Terraform knows no password."
  kms_key_id  = aws_kms_key.lake.arn
}

resource "aws_glue_connection" "warehouse" {
  for_each = local.connections

  name            = each.key
  description     = each.value.what
  connection_type = "JDBC"

  connection_properties = {
    JDBC_CONNECTION_URL = "jdbc:${each.value.address}"
    JDBC_ENFORCE_SSL    = "true"
    SECRET_ID           = aws_secretsmanager_secret.connection[each.key].name
  }

  physical_connection_requirements {
    availability_zone      = aws_subnet.private["0"].availability_zone
    subnet_id              = aws_subnet.private["0"].id
    security_group_id_list = [aws_security_group.glue.id]
  }
}

# Crawlers. The daily workflow starts them (workflow.tf). They log what they find and change no table: the raw tables are
# the source YAML's, the others dbt's.

resource "aws_glue_crawler" "zone" {
  for_each = {
    raw-zone-crawler = {
      description = "New folders of the raw tables"
      database    = "raw_db"
      tables      = keys(local.sources)
      paths       = []
    }
    # Iceberg tables tell of their files themselves. This finds partitions of Hive tables, and files that belong to none.
    curated-zone-crawler = {
      description = "Files of the curated zone beside the Iceberg tables"
      database    = "curated_db"
      tables      = []
      paths       = ["s3://${aws_s3_bucket.lake.bucket}/curated_db/"]
    }
  }

  name                   = each.key
  description            = each.value.description
  role                   = aws_iam_role.crawler.arn
  database_name          = aws_glue_catalog_database.zone[each.value.database].name
  security_configuration = aws_glue_security_configuration.lake.name

  # Of tables that are there, a crawler makes no others.
  dynamic "catalog_target" {
    for_each = length(each.value.tables) > 0 ? [each.value.tables] : []

    content {
      database_name = aws_glue_catalog_database.zone[each.value.database].name
      tables        = [for table in catalog_target.value : aws_glue_catalog_table.raw[table].name]
    }
  }

  dynamic "s3_target" {
    for_each = each.value.paths

    content {
      path       = s3_target.value
      exclusions = ["**/data/**", "**/metadata/**"] # Iceberg's
    }
  }

  schema_change_policy {
    update_behavior = "LOG"
    delete_behavior = "LOG"
  }

  configuration = jsonencode({
    Version       = 1.0
    CrawlerOutput = { Partitions = { AddOrUpdateBehavior = "InheritFromTable" } }
    Grouping      = { TableGroupingPolicy = "CombineCompatibleSchemas" }
  })

  depends_on = [aws_cloudwatch_log_group.crawlers, aws_iam_role_policy.crawler]
}

# As Glue names it for a crawler with a security configuration.
resource "aws_cloudwatch_log_group" "crawlers" {
  name              = "/aws-glue/crawlers-role/${aws_iam_role.crawler.name}-${aws_glue_security_configuration.lake.name}"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.lake.arn
}

# The quality rules of orders, as `datalake quality dqdl orders` prints them; a test compares.

resource "aws_glue_data_quality_ruleset" "orders" {
  name        = "orders_quality"
  description = "The rules on curated orders that dbt tests too"
  ruleset     = file("${path.module}/files/orders_quality.dqdl")

  dynamic "target_table" {
    for_each = var.lake_is_built ? ["orders"] : []

    content {
      database_name = aws_glue_catalog_database.zone["curated_db"].name
      table_name    = target_table.value
    }
  }
}
