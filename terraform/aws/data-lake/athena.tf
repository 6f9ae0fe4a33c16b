# Who asks where, and what a query may cost.

resource "aws_athena_workgroup" "analysts" {
  name        = "analytics-team"
  description = "Analysts, and whoever else reads the lake"

  # Else a workgroup that was ever asked could not be destroyed: its history counts as content.
  force_destroy = true

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = 10737418240 # 10 GiB, 5 US cents

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${aws_s3_bucket.results.bucket}/athena-results/"
      expected_bucket_owner = local.account_id

      encryption_configuration {
        encryption_option = "SSE_S3"
      }
    }
  }
}

# dbt says itself where each table lies; an enforced location would override that.
resource "aws_athena_workgroup" "dbt" {
  #checkov:skip=CKV_AWS_82:An enforced output location overrides the tables' own. Whoever writes elsewhere has the bucket's encryption.
  name        = "datalake-dbt"
  description = "dbt, the ledger of raw files, and engineers' sandboxes"

  force_destroy = true

  configuration {
    enforce_workgroup_configuration    = false
    publish_cloudwatch_metrics_enabled = true

    engine_version {
      selected_engine_version = "Athena engine version 3"
    }

    result_configuration {
      output_location       = "s3://${aws_s3_bucket.lake.bucket}/query-results/"
      expected_bucket_owner = local.account_id

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = aws_kms_key.lake.arn
      }
    }
  }
}

resource "aws_athena_named_query" "top_customers" {
  name        = "top_customers"
  description = "The 100 customers who spent most in January 2024; it reads only the partitions that it names"
  workgroup   = aws_athena_workgroup.analysts.name
  database    = aws_glue_catalog_database.zone["curated_db"].name
  query       = replace(file("${local.repository}/analyses/top_customers.sql"), "{{ ref('orders') }}", "curated_db.orders")
}
