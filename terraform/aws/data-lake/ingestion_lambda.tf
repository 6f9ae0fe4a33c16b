# The two Lambda functions: `api` answers requests behind an HTTP API, `arrivals` takes S3's events out of a queue.
# Both are in one zip (`datalake package`); docs/operations.md says what they do.

locals {
  lambda_zip = "${startswith(var.artifacts, "/") ? "" : "${path.module}/"}${var.artifacts}/lambda.zip"

  lambda_functions = toset(["api", "arrivals"])

  glue_arn = "arn:${local.partition}:glue:${local.region}:${local.account_id}"

  arrivals_timeout = 300 # seconds

  # The data sets that services deliver under landing/.
  delivered_datasets = ["customers", "accounts", "contacts"]
}

resource "aws_lambda_function" "api" {
  #checkov:skip=CKV_AWS_116:It is invoked and answered at once; a failure is the caller's answer, there is no event to keep.
  #checkov:skip=CKV_AWS_117:It calls AWS's services only; in the VPC each would cost an endpoint by the hour.
  #checkov:skip=CKV_AWS_272:The zip comes from this repository by its hash and by one role, so a signature would add a key, no check.
  function_name    = "${local.name_prefix}-api"
  description      = "Ingests records, starts Glue jobs, asks the lake"
  role             = aws_iam_role.api.arn
  filename         = local.lambda_zip
  source_code_hash = filebase64sha256(local.lambda_zip)
  handler          = "datalake.handler.handle"
  runtime          = "python3.13"
  architectures    = ["x86_64"]
  memory_size      = 1024
  timeout          = 30 # seconds; a query is cancelled 5 before
  kms_key_arn      = aws_kms_key.lake.arn

  reserved_concurrent_executions = var.api_concurrency

  environment {
    variables = {
      RAW_DATA_BUCKET       = aws_s3_bucket.lake.bucket
      PROCESSED_DATA_BUCKET = aws_s3_bucket.lake.bucket
      GLUE_DATABASE         = aws_glue_catalog_database.zone["analytics_db"].name
      ATHENA_RESULTS_BUCKET = aws_s3_bucket.results.bucket
      ANALYSTS_WORKGROUP    = aws_athena_workgroup.analysts.name
    }
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.lambda["api"].name
  }

  tracing_config {
    mode = "Active"
  }

  depends_on = [aws_iam_role_policy.api]
}

resource "aws_lambda_function" "arrivals" {
  #checkov:skip=CKV_AWS_116:SQS invokes it; what fails stays in the queue, whose dead-letter queue takes it.
  #checkov:skip=CKV_AWS_117:It calls AWS's services only; in the VPC each would cost an endpoint by the hour.
  #checkov:skip=CKV_AWS_272:The zip comes from this repository by its hash and by one role, so a signature would add a key, no check.
  function_name    = "${local.name_prefix}-arrivals"
  description      = "Checks new raw objects and enters them in the ledger; brings deliveries into the raw layout"
  role             = aws_iam_role.arrivals.arn
  filename         = local.lambda_zip
  source_code_hash = filebase64sha256(local.lambda_zip)
  handler          = "datalake.arrivals.handle"
  runtime          = "python3.13"
  architectures    = ["x86_64"]
  memory_size      = 2048 # a Parquet file is read whole
  timeout          = local.arrivals_timeout
  kms_key_arn      = aws_kms_key.lake.arn

  # No fewer than the queue starts at once, or SQS counts a refusal as a failed try.
  reserved_concurrent_executions = 2

  environment {
    variables = {
      RAW_DATA_BUCKET    = aws_s3_bucket.lake.bucket
      DATALAKE_WORKGROUP = aws_athena_workgroup.dbt.name
    }
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.lambda["arrivals"].name
  }

  tracing_config {
    mode = "Active"
  }

  depends_on = [aws_iam_role_policy.arrivals]
}

resource "aws_cloudwatch_log_group" "lambda" {
  for_each = local.lambda_functions

  name              = "/aws/lambda/${local.name_prefix}-${each.key}"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.lake.arn
}

# Events of S3

resource "aws_sqs_queue" "arrivals" {
  name                       = "${local.name_prefix}-arrivals"
  kms_master_key_id          = aws_kms_key.lake.arn
  message_retention_seconds  = 345600                          # 4 days
  visibility_timeout_seconds = 6 * local.arrivals_timeout + 60 # as Lambda asks, and the batch window

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.arrivals_dead_letters.arn
    maxReceiveCount     = 5
  })
}

resource "aws_sqs_queue" "arrivals_dead_letters" {
  name                      = "${local.name_prefix}-arrivals-dead-letters"
  kms_master_key_id         = aws_kms_key.lake.arn
  message_retention_seconds = 1209600 # 14 days, the most
}

resource "aws_sqs_queue_policy" "arrivals" {
  queue_url = aws_sqs_queue.arrivals.url
  policy    = data.aws_iam_policy_document.arrivals_queue.json
}

data "aws_iam_policy_document" "arrivals_queue" {
  statement {
    sid       = "TheBucketSends"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.arrivals.arn]

    principals {
      type        = "Service"
      identifiers = ["s3.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_s3_bucket.lake.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_s3_bucket_notification" "lake" {
  bucket = aws_s3_bucket.lake.id

  queue {
    id            = "arrivals"
    queue_arn     = aws_sqs_queue.arrivals.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "raw/"
  }

  # By service, so that DMS's own control tables beside them are no deliveries.
  dynamic "queue" {
    for_each = ["appflow", "dms"]

    content {
      id            = "deliveries-${queue.value}"
      queue_arn     = aws_sqs_queue.arrivals.arn
      events        = ["s3:ObjectCreated:*"]
      filter_prefix = "landing/${queue.value}/"
    }
  }

  depends_on = [aws_sqs_queue_policy.arrivals]
}

resource "aws_lambda_event_source_mapping" "arrivals" {
  event_source_arn                   = aws_sqs_queue.arrivals.arn
  function_name                      = aws_lambda_function.arrivals.arn
  batch_size                         = 100
  maximum_batching_window_in_seconds = 60 # each batch costs three statements of Athena
  function_response_types            = ["ReportBatchItemFailures"]

  scaling_config {
    maximum_concurrency = 2
  }
}

# The HTTP API

resource "aws_apigatewayv2_api" "ingestion" {
  name          = "${local.name_prefix}-ingestion"
  description   = "Ingests records, starts Glue jobs, asks the lake; callers sign with IAM"
  protocol_type = "HTTP"
}

resource "aws_apigatewayv2_integration" "api" {
  api_id                 = aws_apigatewayv2_api.ingestion.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.api.invoke_arn
  payload_format_version = "2.0"
  timeout_milliseconds   = 29000
}

resource "aws_apigatewayv2_route" "requests" {
  api_id             = aws_apigatewayv2_api.ingestion.id
  route_key          = "POST /requests"
  authorization_type = "AWS_IAM"
  target             = "integrations/${aws_apigatewayv2_integration.api.id}"
}

resource "aws_apigatewayv2_stage" "live" {
  api_id      = aws_apigatewayv2_api.ingestion.id
  name        = "$default"
  auto_deploy = true

  default_route_settings {
    detailed_metrics_enabled = true
    throttling_rate_limit    = 20 # requests a second
    throttling_burst_limit   = 40
  }

  # Who asked, and how it ended; nothing of what was sent.
  access_log_settings {
    destination_arn = aws_cloudwatch_log_group.api_access.arn
    format = jsonencode({
      requestId        = "$context.requestId"
      requestTime      = "$context.requestTime"
      sourceIp         = "$context.identity.sourceIp"
      caller           = "$context.identity.userArn"
      routeKey         = "$context.routeKey"
      status           = "$context.status"
      responseLength   = "$context.responseLength"
      latency          = "$context.responseLatency"
      integrationError = "$context.integrationErrorMessage"
    })
  }
}

resource "aws_cloudwatch_log_group" "api_access" {
  name              = "/aws/apigateway/${local.name_prefix}-ingestion"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.lake.arn
}

resource "aws_lambda_permission" "api" {
  statement_id  = "ApiGateway"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.api.function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.ingestion.execution_arn}/*/POST/requests"
}

# Roles

data "aws_iam_policy_document" "lambda_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

# What any function does: log and trace.
data "aws_iam_policy_document" "lambda_basics" {
  #checkov:skip=CKV_AWS_111:Traces of X-Ray have no resource that a policy could name.
  #checkov:skip=CKV_AWS_356:Traces of X-Ray have no resource that a policy could name.
  for_each = local.lambda_functions

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.lambda[each.key].arn}:*"]
  }

  statement {
    sid       = "Trace"
    actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    resources = ["*"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.lake.arn]
  }
}

resource "aws_iam_role" "api" {
  name                 = "${local.name_prefix}-api"
  assume_role_policy   = data.aws_iam_policy_document.lambda_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "api" {
  name   = "answer-requests"
  role   = aws_iam_role.api.id
  policy = data.aws_iam_policy_document.api.json
}

# The lake's tables it reads through Lake Formation alone: it has no right to their files.
data "aws_iam_policy_document" "api" {
  #checkov:skip=CKV_AWS_111:Traces of X-Ray, and Lake Formation's access, have no resource that a policy could name.
  #checkov:skip=CKV_AWS_356:Traces of X-Ray, and Lake Formation's access, have no resource that a policy could name.
  source_policy_documents = [
    data.aws_iam_policy_document.lambda_basics["api"].json,
    data.aws_iam_policy_document.reads_through_lake_formation.json,
  ]

  statement {
    sid       = "FindObjects"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [aws_s3_bucket.lake.arn, aws_s3_bucket.results.arn]
  }

  statement {
    sid     = "LandBatches"
    actions = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    resources = [
      "${aws_s3_bucket.lake.arn}/raw/*",
      "${aws_s3_bucket.lake.arn}/batches/*",
    ]
  }

  statement {
    sid       = "StartJobs"
    actions   = ["glue:GetJobRun", "glue:GetJobRuns", "glue:StartJobRun"]
    resources = ["${local.glue_arn}:job/datalake-*"]
  }

  statement {
    sid       = "Ask"
    actions   = local.athena_runs
    resources = [aws_athena_workgroup.analysts.arn]
  }

  statement {
    sid       = "FindTables"
    actions   = local.glue_reads
    resources = local.catalog_arns.granted
  }

  # Where the workgroup puts them, whatever place is asked for.
  statement {
    sid       = "KeepResults"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = ["${aws_s3_bucket.results.arn}/athena-results/*"]
  }
}

resource "aws_iam_role" "arrivals" {
  name                 = "${local.name_prefix}-arrivals"
  assume_role_policy   = data.aws_iam_policy_document.lambda_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "arrivals" {
  name   = "check-arrivals"
  role   = aws_iam_role.arrivals.id
  policy = data.aws_iam_policy_document.arrivals.json
}

data "aws_iam_policy_document" "arrivals" {
  #checkov:skip=CKV_AWS_111:Traces of X-Ray, and Lake Formation's access, have no resource that a policy could name.
  #checkov:skip=CKV_AWS_356:Traces of X-Ray, and Lake Formation's access, have no resource that a policy could name.
  source_policy_documents = [data.aws_iam_policy_document.lambda_basics["arrivals"].json]

  statement {
    sid       = "TakeMessages"
    actions   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    resources = [aws_sqs_queue.arrivals.arn]
  }

  # With ListBucket, S3 calls a missing object missing; without it, forbidden.
  statement {
    sid       = "FindObjects"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.lake.arn]
  }

  statement {
    sid       = "ReadWhatArrived"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.lake.arn}/raw/*", "${aws_s3_bucket.lake.arn}/landing/*"]
  }

  statement {
    sid       = "LandDeliveries"
    actions   = ["s3:PutObject"]
    resources = [for dataset in local.delivered_datasets : "${aws_s3_bucket.lake.arn}/raw/${dataset}/*"]
  }

  statement {
    sid     = "CopyBrokenFiles"
    actions = ["s3:AbortMultipartUpload", "s3:PutObject"]
    resources = [
      "${aws_s3_bucket.lake.arn}/errors/*",
    ]
  }

  statement {
    sid     = "KeepTheLedger"
    actions = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = [
      "${aws_s3_bucket.lake.arn}/curated_db/raw_files/*",
      "${aws_s3_bucket.lake.arn}/ledger-staging/*",
      "${aws_s3_bucket.lake.arn}/query-results/*",
    ]
  }

  statement {
    sid     = "TidyTheLedger"
    actions = ["s3:DeleteObject"]
    resources = [
      "${aws_s3_bucket.lake.arn}/curated_db/raw_files/*",
      "${aws_s3_bucket.lake.arn}/ledger-staging/*",
    ]
  }

  statement {
    sid = "AskTheLedger"
    actions = [
      "athena:GetQueryExecution",
      "athena:GetQueryResults",
      "athena:GetWorkGroup",
      "athena:StartQueryExecution",
      "athena:StopQueryExecution",
    ]
    resources = [aws_athena_workgroup.dbt.arn]
  }

  statement {
    sid       = "FindTheCatalog"
    actions   = ["athena:GetDataCatalog"]
    resources = ["arn:${local.partition}:athena:${local.region}:${local.account_id}:datacatalog/AwsDataCatalog"]
  }

  # The database is there; `create database if not exists` asks for the right all the same.
  statement {
    sid = "NameTheLedger"
    actions = [
      "glue:CreateDatabase",
      "glue:CreateTable",
      "glue:DeleteTable",
      "glue:GetDatabase",
      "glue:GetDatabases",
      "glue:GetPartitions",
      "glue:GetTable",
      "glue:GetTables",
      "glue:GetTableVersions",
      "glue:UpdateTable",
    ]
    resources = [
      "${local.glue_arn}:catalog",
      "${local.glue_arn}:database/curated_db",
      "${local.glue_arn}:table/curated_db/raw_files",
      "${local.glue_arn}:table/curated_db/raw_files_staging_*",
    ]
  }

  statement {
    sid       = "ReadWhatIsGranted"
    actions   = ["lakeformation:GetDataAccess"]
    resources = ["*"]
  }
}
