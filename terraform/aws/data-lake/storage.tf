# The lake, what queries answer, and who read what.

locals {
  # What is deleted, or moved to a cheaper class, at an age in days. A rule that is not here keeps its objects.
  lifecycle_rules = merge(var.further_lifecycle_rules, {
    raw                = { prefix = "raw/", transitions = { INTELLIGENT_TIERING = 30, GLACIER = 180 }, expire_after = 2555 }
    analytics          = { prefix = "analytics_db/", transitions = { INTELLIGENT_TIERING = 90 } }
    sandbox-files      = { prefix = "sandbox/", expire_after = 30 }
    sandbox-tables     = { prefix = "sandbox_", expire_after = 30 }
    errors-of-firehose = { prefix = "errors/events/", expire_after = 90 }
    rejects            = { prefix = "rejects/", expire_after = 2555 } # as long as raw, where they would lie
    receipts           = { prefix = "batches/", expire_after = 365 }  # far longer than any retry of a batch
    query-results      = { prefix = "query-results/", expire_after = 7 }
    ledger-staging     = { prefix = "ledger-staging/", expire_after = 7 } # what a killed check left, after its table is dropped
    landing            = { prefix = "landing/", expire_after = 30 }       # its events wait for 18 days at most (docs/decisions/0019)
  })

  # How long files stay at least, in days, whatever rules are added.
  least_days = { "raw/" = 2555, "landing/" = 18 }

  # Where tables lie whose files are in use at any age. Sandboxes hold Iceberg tables too, which are there for 30 days.
  iceberg_prefixes = ["curated_db/", "analytics_db/"]
}

# The lake

resource "aws_s3_bucket" "lake" {
  #checkov:skip=CKV_AWS_144:What is in raw is kept by versions and append-only; a copy in a second region doubles the cost, and is for the owner to decide.
  bucket = local.bucket
}

resource "aws_s3_bucket_ownership_controls" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "lake" {
  bucket                  = aws_s3_bucket.lake.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "lake" {
  bucket = aws_s3_bucket.lake.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    bucket_key_enabled = true # one request to KMS for many objects

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.lake.arn
    }
  }
}

resource "aws_s3_bucket_logging" "lake" {
  bucket        = aws_s3_bucket.lake.id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "lake/"

  depends_on = [aws_s3_bucket_policy.logs] # which lets S3 write there
}

# The request metrics that the alert on S3's errors is measured from (src/datalake/alerts.yml).
resource "aws_s3_bucket_metric" "lake" {
  bucket = aws_s3_bucket.lake.id
  name   = "EntireBucket"
}

resource "aws_s3_bucket_policy" "lake" {
  bucket = aws_s3_bucket.lake.id
  policy = data.aws_iam_policy_document.lake_bucket.json

  depends_on = [aws_s3_bucket_public_access_block.lake] # both at once conflict
}

data "aws_iam_policy_document" "lake_bucket" {
  source_policy_documents = data.aws_iam_policy_document.appflow_delivers[*].json

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.lake.arn, "${aws_s3_bucket.lake.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # An object that is written over stays as an old version. Lifecycle rules are S3's own, and no policy holds for them.
  statement {
    sid       = "RawIsAppendOnly"
    effect    = "Deny"
    actions   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
    resources = ["${aws_s3_bucket.lake.arn}/raw/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    dynamic "condition" {
      for_each = length(var.raw_custodians) > 0 ? [var.raw_custodians] : []

      content {
        test     = "ArnNotLike"
        variable = "aws:PrincipalArn"
        values   = condition.value
      }
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    expiration {
      expired_object_delete_marker = true
    }

    noncurrent_version_expiration {
      noncurrent_days = 30
    }
  }

  dynamic "rule" {
    for_each = local.lifecycle_rules

    content {
      id     = rule.key
      status = "Enabled"

      filter {
        prefix = rule.value.prefix
      }

      dynamic "transition" {
        for_each = try(rule.value.transitions, {})

        content {
          storage_class = transition.key
          days          = transition.value
        }
      }

      dynamic "expiration" {
        for_each = try(rule.value.expire_after, null) == null ? [] : [rule.value.expire_after]

        content {
          days = expiration.value
        }
      }
    }
  }

  lifecycle {
    precondition {
      condition = alltrue(flatten([
        for rule in values(local.lifecycle_rules) : [
          for tables in local.iceberg_prefixes : !startswith(rule.prefix, tables) && !startswith(tables, rule.prefix)
        ] if try(rule.expire_after, null) != null
      ]))
      error_message = "A lifecycle rule would delete files of Iceberg tables by age, also those that a table still reads. Rows of ${join(", ", local.iceberg_prefixes)} expire by DELETE and VACUUM."
    }

    precondition {
      condition = alltrue(flatten([
        for rule in values(local.lifecycle_rules) : [
          for tables in local.iceberg_prefixes : !startswith(rule.prefix, tables) && !startswith(tables, rule.prefix)
        ] if length(setintersection(keys(try(rule.transitions, {})), ["GLACIER", "DEEP_ARCHIVE"])) > 0
      ]))
      error_message = "A lifecycle rule would archive files of Iceberg tables. Athena leaves archived files out without an error."
    }

    precondition {
      condition = alltrue(flatten([
        for rule in values(local.lifecycle_rules) : [
          for prefix, days in local.least_days : rule.expire_after >= days
          if startswith(rule.prefix, prefix) || startswith(prefix, rule.prefix)
        ] if try(rule.expire_after, null) != null
      ]))
      error_message = "A lifecycle rule would delete raw files before they are 7 years old, or deliveries while their events may still wait, for 18 days."
    }
  }

  depends_on = [aws_s3_bucket_versioning.lake] # old versions are there only with it
}

# Results of queries

resource "aws_s3_bucket" "results" {
  #checkov:skip=CKV_AWS_144:A query can be asked again.
  #checkov:skip=CKV2_AWS_62:Nothing acts on a result.
  bucket = "${local.bucket}-results"
}

resource "aws_s3_bucket_ownership_controls" "results" {
  bucket = aws_s3_bucket.results.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "results" {
  bucket                  = aws_s3_bucket.results.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "results" {
  bucket = aws_s3_bucket.results.id

  versioning_configuration {
    status = "Enabled"
  }
}

# For what brings no encryption of its own; the workgroup's results bring SSE_S3.
resource "aws_s3_bucket_server_side_encryption_configuration" "results" {
  bucket = aws_s3_bucket.results.id

  rule {
    bucket_key_enabled = true

    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.lake.arn
    }
  }
}

resource "aws_s3_bucket_logging" "results" {
  bucket        = aws_s3_bucket.results.id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "results/"

  depends_on = [aws_s3_bucket_policy.logs]
}

resource "aws_s3_bucket_policy" "results" {
  bucket = aws_s3_bucket.results.id
  policy = data.aws_iam_policy_document.results_bucket.json

  depends_on = [aws_s3_bucket_public_access_block.results]
}

data "aws_iam_policy_document" "results_bucket" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.results.arn, "${aws_s3_bucket.results.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "results" {
  bucket = aws_s3_bucket.results.id

  rule {
    id     = "results"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    expiration {
      days = 30
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.results]
}

# Access logs of the other two

resource "aws_s3_bucket" "logs" {
  #checkov:skip=CKV_AWS_18:A bucket of access logs that logged itself would never end.
  #checkov:skip=CKV_AWS_144:Access logs are kept for a year in the region that they tell of.
  #checkov:skip=CKV_AWS_145:S3 delivers access logs to buckets with SSE-S3 only.
  #checkov:skip=CKV2_AWS_62:Nothing acts on an access log.
  bucket = "${local.bucket}-logs"
}

resource "aws_s3_bucket_ownership_controls" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "logs" {
  bucket                  = aws_s3_bucket.logs.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "logs" {
  bucket = aws_s3_bucket.logs.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_policy" "logs" {
  bucket = aws_s3_bucket.logs.id
  policy = data.aws_iam_policy_document.logs_bucket.json

  depends_on = [aws_s3_bucket_public_access_block.logs]
}

data "aws_iam_policy_document" "logs_bucket" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.logs.arn, "${aws_s3_bucket.logs.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  statement {
    sid       = "AccessLogs"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.logs.arn}/*"]

    principals {
      type        = "Service"
      identifiers = ["logging.s3.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_s3_bucket.lake.arn, aws_s3_bucket.results.arn]
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  bucket = aws_s3_bucket.logs.id

  rule {
    id     = "a-year"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    expiration {
      days = 365
    }

    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.logs]
}
