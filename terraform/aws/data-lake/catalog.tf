resource "aws_glue_catalog_database" "zone" {
  for_each = toset(["raw_db", "curated_db", "analytics_db"])

  name = each.key
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

resource "aws_secretsmanager_secret" "connection" {
  for_each = toset(["rds-production", "redshift-warehouse"])

  name       = "${local.name_prefix}/${each.key}"
  kms_key_id = aws_kms_key.lake.arn
}

resource "aws_glue_crawler" "zone" {
  for_each = toset(["raw-zone-crawler", "curated-zone-crawler"])

  name          = each.key
  database_name = "raw_db"
  role          = aws_iam_role.crawler.arn

  s3_target {
    path = "s3://${aws_s3_bucket.lake.bucket}/raw/"
  }
}
