# Who may do what. A role lives in the file of its service; here are the boundary of all, and the roles that people, jobs
# and deployments take.

locals {
  # In the order of their reach. A person's sandbox and a pull request's build are databases of their own.
  lake_databases    = keys(local.databases)
  scratch_databases = ["sandbox_*", "pr_*"]

  catalog_arns = {
    for name, databases in {
      all     = concat(local.lake_databases, local.scratch_databases)
      lake    = local.lake_databases
      raw     = ["raw_db"]
      granted = ["curated_db", "analytics_db"]
      marts   = ["analytics_db"]
      scratch = ["sandbox_*"]
      } : name => concat(["${local.glue_arn}:catalog"], flatten([
        for database in databases : [
          "${local.glue_arn}:database/${database}",
          "${local.glue_arn}:table/${database}/*",
        ]
    ]))
  }

  glue_reads = [
    "glue:BatchGetPartition",
    "glue:GetDatabase",
    "glue:GetDatabases",
    "glue:GetPartition",
    "glue:GetPartitions",
    "glue:GetTable",
    "glue:GetTables",
    "glue:GetTableVersion",
    "glue:GetTableVersions",
  ]
  glue_writes = [
    "glue:BatchCreatePartition",
    "glue:BatchDeletePartition",
    "glue:BatchDeleteTable",
    "glue:BatchDeleteTableVersion",
    "glue:CreateDatabase",
    "glue:CreatePartition",
    "glue:CreateTable",
    "glue:DeletePartition",
    "glue:DeleteTable",
    "glue:DeleteTableVersion",
    "glue:UpdatePartition",
    "glue:UpdateTable",
  ]
  athena_runs = [
    "athena:GetQueryExecution",
    "athena:GetQueryResults",
    "athena:GetWorkGroup",
    "athena:StartQueryExecution",
    "athena:StopQueryExecution",
  ]
  # The same, and the queries of others in the workgroup.
  athena_asks        = concat(local.athena_runs, ["athena:BatchGetQueryExecution", "athena:ListQueryExecutions"])
  athena_catalog_arn = "arn:${local.partition}:athena:${local.region}:${local.account_id}:datacatalog/AwsDataCatalog"

  # The GitHub environments (.github/workflows/) whose jobs take a role directly. Names of others may not.
  github_environments = {
    deployer = [var.environment]
    planner  = ["${var.environment}-plan"]
    pipeline = { dev = [], ci = ["pull-request"], prod = ["nightly"] }[var.environment]
  }
}

# The boundary: what no role of the lake can pass, whatever its own policies say. Each has only a part of it.

resource "aws_iam_policy" "boundary" {
  name        = "${local.name_prefix}-boundary"
  description = "What no role of the data lake can pass"
  policy      = data.aws_iam_policy_document.boundary.json
}

data "aws_iam_policy_document" "boundary" {
  #checkov:skip=CKV_AWS_108:A boundary grants nothing; the roles' policies name what each may read.
  #checkov:skip=CKV_AWS_109:A boundary grants nothing.
  #checkov:skip=CKV_AWS_111:A boundary grants nothing; what it names without a resource has none that a policy could name.
  #checkov:skip=CKV_AWS_356:A boundary grants nothing; what it names without a resource has none that a policy could name.
  statement {
    actions = [
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:GetBucketLocation",
      "s3:GetObject",
      "s3:ListBucket",
      "s3:ListBucketMultipartUploads",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
      "s3:PutObjectTagging",
    ]
    resources = [
      aws_s3_bucket.lake.arn,
      "${aws_s3_bucket.lake.arn}/*",
      aws_s3_bucket.results.arn,
      "${aws_s3_bucket.results.arn}/*",
    ]
  }

  statement {
    actions   = concat(local.glue_reads, local.glue_writes, ["glue:DeleteDatabase"])
    resources = local.catalog_arns.all
  }

  statement {
    actions = [
      "glue:GetConnection",
      "glue:GetJob",
      "glue:GetJobRun",
      "glue:GetJobRuns",
      "glue:GetSecurityConfiguration",
      "glue:GetWorkflow",
      "glue:GetWorkflowRun",
      "glue:ListJobs",
      "glue:StartJobRun",
      "glue:StartWorkflowRun",
    ]
    resources = ["${local.glue_arn}:*"]
  }

  statement {
    actions   = concat(local.athena_asks, ["athena:GetDataCatalog", "athena:GetNamedQuery", "athena:ListDataCatalogs", "athena:ListNamedQueries"])
    resources = ["arn:${local.partition}:athena:${local.region}:${local.account_id}:*"]
  }

  statement {
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.lake.arn]
  }

  statement {
    actions = [
      "kinesis:DescribeStream",
      "kinesis:DescribeStreamSummary",
      "kinesis:GetRecords",
      "kinesis:GetShardIterator",
      "kinesis:ListShards",
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueAttributes",
      "sqs:ReceiveMessage",
    ]
    resources = [
      aws_kinesis_stream.events.arn,
      aws_sqs_queue.arrivals.arn,
    ]
  }

  statement {
    actions   = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"]
    resources = [for secret in aws_secretsmanager_secret.connection : secret.arn]
  }

  statement {
    actions = [
      "logs:AssociateKmsKey",
      "logs:CreateLogGroup",
      "logs:CreateLogStream",
      "logs:DescribeLogGroups",
      "logs:DescribeLogStreams",
      "logs:FilterLogEvents",
      "logs:GetLogEvents",
      "logs:PutLogEvents",
    ]
    resources = ["arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:*"]
  }

  # None of these has a resource that a policy could name.
  statement {
    actions = [
      "cloudwatch:GetMetricData",
      "cloudwatch:PutMetricData",
      "ec2:CreateNetworkInterface",
      "ec2:DeleteNetworkInterface",
      "ec2:Describe*",
      "ec2:ModifyNetworkInterfaceAttribute",
      "lakeformation:GetDataAccess",
      "xray:PutTelemetryRecords",
      "xray:PutTraceSegments",
    ]
    resources = ["*"]
  }
}

# Parts that several roles share

data "aws_iam_policy_document" "glue_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["glue.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "reads_through_lake_formation" {
  #checkov:skip=CKV_AWS_111:Lake Formation's access has no resource that a policy could name; its grants decide.
  #checkov:skip=CKV_AWS_356:Lake Formation's access has no resource that a policy could name; its grants decide.
  statement {
    sid       = "FindTheCatalog"
    actions   = ["athena:GetDataCatalog"]
    resources = [local.athena_catalog_arn]
  }

  statement {
    sid       = "ListCatalogs"
    actions   = ["athena:ListDataCatalogs"]
    resources = ["*"]
  }

  statement {
    sid       = "ReadWhatIsGranted"
    actions   = ["lakeformation:GetDataAccess"]
    resources = ["*"]
  }
}

# Asking in the analysts' workgroup, whose results are their own.
data "aws_iam_policy_document" "asks_as_analyst" {
  source_policy_documents = [data.aws_iam_policy_document.reads_through_lake_formation.json]

  statement {
    sid       = "AskAsAnalyst"
    actions   = concat(local.athena_asks, ["athena:GetNamedQuery", "athena:ListNamedQueries"])
    resources = [aws_athena_workgroup.analysts.arn]
  }

  statement {
    sid       = "FindTables"
    actions   = local.glue_reads
    resources = local.catalog_arns.lake
  }

  statement {
    sid       = "FindResults"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.results.arn]
  }

  statement {
    sid       = "KeepResults"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = ["${aws_s3_bucket.results.arn}/athena-results/*"]
  }
}

# Analysts: they read what Lake Formation grants them, and no file of the lake.

resource "aws_iam_role" "analyst" {
  name                 = "${local.name_prefix}-analyst"
  description          = "Asks in the workgroup analytics-team"
  assume_role_policy   = data.aws_iam_policy_document.person_trust["analysts"].json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "analyst" {
  name   = "ask"
  role   = aws_iam_role.analyst.id
  policy = data.aws_iam_policy_document.asks_as_analyst.json
}

# Engineers: they read the whole lake, and build in their sandboxes.

resource "aws_iam_role" "engineer" {
  name                 = "${local.name_prefix}-engineer"
  description          = "Reads the lake and builds in sandboxes"
  assume_role_policy   = data.aws_iam_policy_document.person_trust["engineers"].json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "engineer" {
  name   = "build-in-sandboxes"
  role   = aws_iam_role.engineer.id
  policy = data.aws_iam_policy_document.engineer.json
}

data "aws_iam_policy_document" "engineer" {
  source_policy_documents = [data.aws_iam_policy_document.asks_as_analyst.json]

  statement {
    sid       = "AskAsDbt"
    actions   = local.athena_asks
    resources = [aws_athena_workgroup.dbt.arn]
  }

  statement {
    sid       = "BuildSandboxes"
    actions   = concat(local.glue_reads, local.glue_writes)
    resources = local.catalog_arns.scratch
  }

  # The database is there; `create database if not exists` asks for the right all the same.
  statement {
    sid       = "NameTheRawTables"
    actions   = ["glue:CreateDatabase"]
    resources = ["${local.glue_arn}:catalog", "${local.glue_arn}:database/raw_db"]
  }

  statement {
    sid       = "FindObjects"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.lake.arn]
  }

  # For `datalake inspect`, `replay` and the state of the last build.
  statement {
    sid     = "ReadFiles"
    actions = ["s3:GetObject"]
    resources = [
      for folder in ["artifacts", "errors", "raw", "site", "state"] : "${aws_s3_bucket.lake.arn}/${folder}/*"
    ]
  }

  statement {
    sid = "WriteSandboxes"
    actions = [
      "s3:AbortMultipartUpload",
      "s3:DeleteObject",
      "s3:GetObject",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
    ]
    resources = [for folder in ["query-results/", "sandbox/", "sandbox_"] : "${aws_s3_bucket.lake.arn}/${folder}*"]
  }

  statement {
    sid       = "Encrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.lake.arn]
  }

  statement {
    sid = "LookAtRuns"
    actions = [
      "glue:GetJob",
      "glue:GetJobRun",
      "glue:GetJobRuns",
      "glue:GetWorkflow",
      "glue:GetWorkflowRun",
    ]
    resources = concat([for job in aws_glue_job.stage : job.arn], [aws_glue_workflow.daily.arn])
  }

  statement {
    sid     = "ReadLogs"
    actions = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents"]
    resources = [
      for group in concat(values(aws_cloudwatch_log_group.jobs), values(aws_cloudwatch_log_group.lambda), [aws_cloudwatch_log_group.crawlers]) :
      "${group.arn}:*"
    ]
  }
}

# A role that nobody is named for may be taken by nobody.
data "aws_iam_policy_document" "person_trust" {
  for_each = { analysts = var.analysts, engineers = var.engineers }

  statement {
    effect  = length(each.value) > 0 ? "Allow" : "Deny"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = length(each.value) > 0 ? each.value : ["arn:${local.partition}:iam::${local.account_id}:root"]
    }
  }
}

# The pipeline: dbt and the commands around it, in Glue's jobs and in GitHub's. docs/athena.md lists what it must be allowed.

resource "aws_iam_role" "pipeline" {
  name                 = "${local.name_prefix}-pipeline"
  description          = "Builds the lake"
  assume_role_policy   = data.aws_iam_policy_document.pipeline_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
  max_session_duration = 7200 # the longest job of a workflow
}

resource "aws_iam_role_policy" "pipeline" {
  name   = "build-the-lake"
  role   = aws_iam_role.pipeline.id
  policy = data.aws_iam_policy_document.pipeline.json
}

data "aws_iam_policy_document" "pipeline_trust" {
  source_policy_documents = concat(
    [data.aws_iam_policy_document.glue_trust.json],
    length(local.github_environments.pipeline) > 0 ? [data.aws_iam_policy_document.github_trust["pipeline"].json] : [],
  )

  # A deployment goes on as the pipeline once it has applied; the session keeps GitHub's tags.
  statement {
    sid     = "Deployment"
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.deployer.arn]
    }
  }
}

data "aws_iam_policy_document" "pipeline" {
  #checkov:skip=CKV_AWS_108:It builds the lake, so it reads all of it.
  #checkov:skip=CKV_AWS_111:Figures, network interfaces and Lake Formation's access have no resource that a policy could name.
  #checkov:skip=CKV_AWS_356:Figures, network interfaces and Lake Formation's access have no resource that a policy could name.
  source_policy_documents = [data.aws_iam_policy_document.reads_through_lake_formation.json]

  statement {
    sid       = "Ask"
    actions   = local.athena_asks
    resources = [aws_athena_workgroup.dbt.arn]
  }

  statement {
    sid       = "SeeWhatAnalystsAsk" # `datalake monitor`
    actions   = ["athena:BatchGetQueryExecution", "athena:GetWorkGroup", "athena:ListQueryExecutions"]
    resources = [aws_athena_workgroup.analysts.arn]
  }

  statement {
    sid       = "MakeTables"
    actions   = concat(local.glue_reads, local.glue_writes)
    resources = local.catalog_arns.all
  }

  # A pull request's database goes when it closes.
  statement {
    sid     = "DropPullRequests"
    actions = ["glue:DeleteDatabase"]
    resources = [
      "${local.glue_arn}:catalog",
      "${local.glue_arn}:database/pr_*",
      "${local.glue_arn}:table/pr_*/*",
    ]
  }

  statement {
    sid       = "FindObjects"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]
    resources = [aws_s3_bucket.lake.arn]
  }

  statement {
    sid       = "ReadAndWriteObjects"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:ListMultipartUploadParts", "s3:PutObject"]
    resources = ["${aws_s3_bucket.lake.arn}/*"]
  }

  # Never raw/, which is append-only.
  statement {
    sid     = "DeleteObjects"
    actions = ["s3:DeleteObject"]
    resources = [
      for folder in ["analytics_db/", "curated_db/", "errors/", "ledger-staging/", "pr_", "query-results/", "sandbox_", "site/"] :
      "${aws_s3_bucket.lake.arn}/${folder}*"
    ]
  }

  statement {
    sid       = "Encrypt"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.lake.arn]
  }

  statement {
    sid       = "RunJobs" # `datalake process` and `monitor`
    actions   = ["glue:GetJob", "glue:GetJobRun", "glue:GetJobRuns", "glue:StartJobRun"]
    resources = ["${local.glue_arn}:job/datalake-*"]
  }

  statement {
    sid       = "ReadFigures"
    actions   = ["cloudwatch:GetMetricData", "glue:ListJobs"]
    resources = ["*"]
  }

  statement {
    sid       = "PublishFigures" # those of a job, and of `datalake quality publish`
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Glue", "Glue Data Quality"]
    }
  }

  statement {
    sid     = "Log"
    actions = ["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [
      "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:/aws-glue/jobs*",
    ]
  }

  statement {
    sid       = "LookAtTheSecurityConfiguration"
    actions   = ["glue:GetSecurityConfiguration"]
    resources = ["*"]
  }
}

# The crawlers: they look, and enter partitions. They can neither make, change nor drop a table.

resource "aws_iam_role" "crawler" {
  name                 = "${local.name_prefix}-crawler"
  description          = "Looks at raw and curated files"
  assume_role_policy   = data.aws_iam_policy_document.glue_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "crawler" {
  name   = "look-at-files"
  role   = aws_iam_role.crawler.id
  policy = data.aws_iam_policy_document.crawler.json
}

data "aws_iam_policy_document" "crawler" {
  statement {
    sid       = "FindObjects"
    actions   = ["s3:GetBucketLocation", "s3:ListBucket"]
    resources = [aws_s3_bucket.lake.arn]
  }

  statement {
    sid       = "ReadFiles"
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.lake.arn}/curated_db/*", "${aws_s3_bucket.lake.arn}/raw/*"]
  }

  statement {
    sid       = "EnterPartitions"
    actions   = concat(local.glue_reads, ["glue:BatchCreatePartition", "glue:CreatePartition"])
    resources = local.catalog_arns.lake
  }

  statement {
    sid       = "LookAtTheSecurityConfiguration"
    actions   = ["glue:GetSecurityConfiguration"]
    resources = ["*"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.lake.arn]
  }

  statement {
    sid     = "Log"
    actions = ["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = [
      "arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:/aws-glue/crawlers*",
    ]
  }
}

# GitHub's workflows sign in by a token that names their repository and environment; there is no key to lose.

resource "aws_iam_openid_connect_provider" "github" {
  url            = "https://token.actions.githubusercontent.com"
  client_id_list = ["sts.amazonaws.com"]
}

data "aws_iam_policy_document" "github_trust" {
  for_each = { for role, environments in local.github_environments : role => environments if length(environments) > 0 }

  statement {
    sid     = "GitHub"
    actions = ["sts:AssumeRoleWithWebIdentity"]

    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.github.arn]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:aud"
      values   = ["sts.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "token.actions.githubusercontent.com:sub"
      values   = [for environment in each.value : "repo:${var.github_repository}:environment:${environment}"]
    }
  }
}
