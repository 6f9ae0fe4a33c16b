# The daily run: a Glue workflow whose jobs run the stages of `datalake run`. Athena does the work; a job sends statements
# and waits, so it has as few workers as Glue gives (docs/decisions/0020-glue-jobs-send-statements.md).

locals {
  artifacts = "${startswith(var.artifacts, "/") ? "" : "${path.module}/"}${var.artifacts}"

  # What goes to the bucket. The key carries the content's hash: a job that runs keeps the version that it began with.
  artifact_files = {
    project      = "${local.artifacts}/project.zip"
    requirements = "${local.artifacts}/requirements.txt"
    wheel        = "${local.artifacts}/${one(fileset(local.artifacts, "datalake-*.whl"))}"
    script       = "${path.module}/files/run_stages.py"
    notebook     = "${local.repository}/notebooks/analytics.ipynb"
  }

  # The stages of each job, as src/datalake/chain.py names them.
  job_stages = merge(local.beside_orders, {
    datalake-orders  = ["raw", "orders"]
    datalake-metrics = ["metrics", "checks"]
  })
  beside_orders = {
    datalake-users     = ["users"]
    datalake-products  = ["products"]
    datalake-customers = ["customers"]
    datalake-events    = ["events"]
  }

  # Of Glue 5.0 with a security configuration; it writes the groups `error` (its own log) and `output` (what is printed).
  # https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html
  job_logs = "/aws-glue/jobs/${local.name_prefix}"
}

resource "aws_s3_object" "artifact" {
  for_each = local.artifact_files

  bucket      = aws_s3_bucket.lake.id
  key         = "artifacts/${each.key}/${filemd5(each.value)}/${basename(each.value)}"
  source      = each.value
  source_hash = filemd5(each.value)
  kms_key_id  = aws_kms_key.lake.arn

  # The new one is there before a job names it, the old one until none does.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_glue_job" "stage" {
  for_each = local.job_stages

  name                   = each.key
  description            = "Stages of the daily run: ${join(", ", each.value)}"
  role_arn               = aws_iam_role.pipeline.arn
  glue_version           = "5.0"
  worker_type            = "G.1X"
  number_of_workers      = 2
  execution_class        = "STANDARD"
  timeout                = 120 # minutes
  max_retries            = 0   # what broke is told, and the workflow resumed; dbt itself tries a statement again
  security_configuration = aws_glue_security_configuration.lake.name

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = "s3://${aws_s3_bucket.lake.bucket}/${aws_s3_object.artifact["script"].key}"
  }

  execution_property {
    max_concurrent_runs = 1
  }

  default_arguments = {
    "--stages"    = join(",", each.value)
    "--project"   = "s3://${aws_s3_bucket.lake.bucket}/${aws_s3_object.artifact["project"].key}"
    "--bucket"    = aws_s3_bucket.lake.bucket
    "--region"    = local.region
    "--workgroup" = aws_athena_workgroup.dbt.name

    # The requirements are all pinned with their hashes, so that pip takes no other file.
    "--python-modules-installer-option" = "-r"
    "--additional-python-modules"       = "s3://${aws_s3_bucket.lake.bucket}/${aws_s3_object.artifact["requirements"].key}"
    "--extra-py-files"                  = "s3://${aws_s3_bucket.lake.bucket}/${aws_s3_object.artifact["wheel"].key}"

    "--job-bookmark-option"              = "job-bookmark-disable"
    "--enable-metrics"                   = "true"
    "--enable-continuous-cloudwatch-log" = "true"
    "--custom-logGroup-prefix"           = local.job_logs
  }

  depends_on = [aws_cloudwatch_log_group.jobs]
}

resource "aws_cloudwatch_log_group" "jobs" {
  for_each = toset(["error", "output"])

  name              = "${local.job_logs}/${aws_glue_security_configuration.lake.name}-role/${aws_iam_role.pipeline.name}/${each.key}"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.lake.arn
}

resource "aws_glue_workflow" "daily" {
  name                = "datalake-daily"
  description         = "Raw partitions, orders, what stands beside them, metrics and checks, the catalog"
  max_concurrent_runs = 1
}

resource "aws_glue_trigger" "begin" {
  name          = "datalake-daily-begin"
  type          = "SCHEDULED"
  schedule      = "cron(0 2 * * ? *)" # 02:00 UTC
  workflow_name = aws_glue_workflow.daily.name

  actions {
    crawler_name = aws_glue_crawler.zone["raw-zone-crawler"].name
  }
}

resource "aws_glue_trigger" "orders" {
  name          = "datalake-daily-orders"
  type          = "CONDITIONAL"
  workflow_name = aws_glue_workflow.daily.name

  predicate {
    conditions {
      crawler_name = aws_glue_crawler.zone["raw-zone-crawler"].name
      crawl_state  = "SUCCEEDED"
    }
  }

  actions {
    job_name = aws_glue_job.stage["datalake-orders"].name
  }
}

resource "aws_glue_trigger" "beside_orders" {
  name          = "datalake-daily-beside-orders"
  type          = "CONDITIONAL"
  workflow_name = aws_glue_workflow.daily.name

  predicate {
    conditions {
      job_name = aws_glue_job.stage["datalake-orders"].name
      state    = "SUCCEEDED"
    }
  }

  dynamic "actions" {
    for_each = local.beside_orders

    content {
      job_name = aws_glue_job.stage[actions.key].name
    }
  }
}

resource "aws_glue_trigger" "metrics" {
  name          = "datalake-daily-metrics"
  type          = "CONDITIONAL"
  workflow_name = aws_glue_workflow.daily.name

  predicate {
    logical = "AND"

    dynamic "conditions" {
      for_each = local.beside_orders

      content {
        job_name = aws_glue_job.stage[conditions.key].name
        state    = "SUCCEEDED"
      }
    }
  }

  actions {
    job_name = aws_glue_job.stage["datalake-metrics"].name
  }
}

resource "aws_glue_trigger" "catalog" {
  name          = "datalake-daily-catalog"
  type          = "CONDITIONAL"
  workflow_name = aws_glue_workflow.daily.name

  predicate {
    conditions {
      job_name = aws_glue_job.stage["datalake-metrics"].name
      state    = "SUCCEEDED"
    }
  }

  actions {
    crawler_name = aws_glue_crawler.zone["curated-zone-crawler"].name
  }
}
