# Who is told what goes wrong. The figures of the alerts are in src/datalake/alerts.yml; `datalake monitor` reads it too.

locals {
  alerts = { for alert in yamldecode(file("${local.repository}/src/datalake/alerts.yml")).alerts : alert.name => alert }

  # What an alert of CloudWatch's own figures is about: a bucket, a stream, a workgroup.
  watched_resources = {
    bucket    = [aws_s3_bucket.lake.bucket]
    stream    = [aws_kinesis_firehose_delivery_stream.events.name]
    workgroup = [aws_athena_workgroup.analysts.name, aws_athena_workgroup.dbt.name]
  }
  cloudwatch_alarms = merge([
    for name, alert in local.alerts : {
      for resource in local.watched_resources[alert.resource] : "${name}-${resource}" => { alert = alert, resource = resource }
    } if contains(alert.evaluated_by, "cloudwatch")
  ]...)

  # What CloudWatch can't measure is measured by aws_lambda_function.watch, under the alert's name and the job's.
  measured_alarms = merge([
    for name, alert in local.alerts : {
      for resource in alert.resource == "jobs" ? ["all jobs"] : keys(local.job_stages) :
      "${name}-${replace(resource, " ", "-")}" => {
        alert     = alert
        resource  = resource
        threshold = alert.measure == "dpu_hours" ? coalesce(var.daily_dpu_hours, alert.threshold) : alert.threshold
      }
    } if !contains(alert.evaluated_by, "cloudwatch")
  ]...)

  operators_alarms = merge(
    {
      dead-letters = {
        description = "Events of S3 failed five times. docs/operations.md, Events of S3, says what to do with each."
        namespace   = "AWS/SQS"
        metric      = "ApproximateNumberOfMessagesVisible"
        dimensions  = { QueueName = aws_sqs_queue.arrivals_dead_letters.name }
        statistic   = "Maximum"
        period      = 300
        threshold   = 0
      }
      arrivals-age = {
        description = "A raw file has waited for more than an hour to be entered in the ledger. See the log of the function."
        namespace   = "AWS/SQS"
        metric      = "ApproximateAgeOfOldestMessage"
        dimensions  = { QueueName = aws_sqs_queue.arrivals.name }
        statistic   = "Maximum"
        period      = 300
        threshold   = 3600
      }
    },
    {
      for name, function in {
        api      = aws_lambda_function.api.function_name
        arrivals = aws_lambda_function.arrivals.function_name
        watch    = aws_lambda_function.watch.function_name
        } : "${name}-errors" => {
        description = "The function ${function} ended with an error. Its log has the reason."
        namespace   = "AWS/Lambda"
        metric      = "Errors"
        dimensions  = { FunctionName = function }
        statistic   = "Sum"
        period      = 300
        threshold   = 0
      }
    },
  )
}

# The topic

resource "aws_sns_topic" "alerts" {
  name              = "${local.name_prefix}-alerts"
  kms_master_key_id = aws_kms_key.lake.arn
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts_topic.json
}

data "aws_iam_policy_document" "alerts_topic" {
  statement {
    sid       = "AlarmsAndTheBudgetPublish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }

  # EventBridge gives SNS nothing that a condition could ask for: with one, no message would come.
  # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html
  statement {
    sid       = "EventsPublish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }
}

resource "aws_sns_topic_subscription" "mail" {
  count = var.alert_email == null ? 0 : 1

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = var.alert_email
}

# Alarms of alerts.yml

resource "aws_cloudwatch_metric_alarm" "alert" {
  for_each = local.cloudwatch_alarms

  alarm_name          = "${local.name_prefix}-${each.key}"
  alarm_description   = "${each.value.alert.description} ${trimspace(each.value.alert.remedy)}"
  comparison_operator = each.value.alert.comparison
  threshold           = each.value.alert.threshold
  evaluation_periods  = 1
  treat_missing_data  = each.value.alert.treat_missing_data
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]

  dynamic "metric_query" {
    for_each = each.value.alert.metrics

    content {
      id          = metric_query.value.id
      return_data = false

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric_name
        stat        = metric_query.value.statistic
        period      = each.value.alert.period
        dimensions = {
          for name, value in metric_query.value.dimensions :
          name => replace(value, "{${each.value.alert.resource}}", each.value.resource)
        }
      }
    }
  }

  metric_query {
    id          = "measured"
    label       = each.value.alert.unit
    expression  = each.value.alert.expression
    return_data = true
  }
}

# Measured once an hour; the figure covers the alert's own period.
resource "aws_cloudwatch_metric_alarm" "measured" {
  for_each = local.measured_alarms

  alarm_name          = "${local.name_prefix}-${each.key}"
  alarm_description   = "${each.value.alert.description} ${trimspace(each.value.alert.remedy)}"
  namespace           = "Datalake"
  metric_name         = each.value.alert.name
  dimensions          = { Resource = each.value.resource }
  statistic           = "Maximum"
  period              = 3600
  comparison_operator = each.value.alert.comparison
  threshold           = each.value.threshold
  evaluation_periods  = 1
  treat_missing_data  = each.value.alert.treat_missing_data
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

# Alarms of what runs here

resource "aws_cloudwatch_metric_alarm" "operator" {
  for_each = local.operators_alarms

  alarm_name          = "${local.name_prefix}-${each.key}"
  alarm_description   = each.value.description
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

# The workflow's last job has not succeeded for 26 hours: whatever kept the daily run from its end, also that it never
# began. 26 since a run may take two hours longer than the one before.
resource "aws_cloudwatch_metric_alarm" "daily_run_missing" {
  alarm_name          = "${local.name_prefix}-daily-run-missing"
  alarm_description   = "The daily run has not come to its end for 26 hours. See the runs of the workflow ${aws_glue_workflow.daily.name}."
  namespace           = "AWS/Events"
  metric_name         = "TriggeredRules"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.daily_run_done.name }
  statistic           = "Sum"
  period              = 3600
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  evaluation_periods  = 26
  datapoints_to_alarm = 26
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.alerts.arn]
  ok_actions          = [aws_sns_topic.alerts.arn]
}

resource "aws_cloudwatch_event_rule" "daily_run_done" {
  name        = "${local.name_prefix}-daily-run-done"
  description = "The last job of the daily run succeeded"

  event_pattern = jsonencode({
    source      = ["aws.glue"]
    detail-type = ["Glue Job State Change"]
    detail      = { jobName = [aws_glue_job.stage["datalake-metrics"].name], state = ["SUCCEEDED"] }
  })
}

# EventBridge counts a rule that has a target; the log tells when each run was done.
resource "aws_cloudwatch_event_target" "daily_run_done" {
  rule = aws_cloudwatch_event_rule.daily_run_done.name
  arn  = aws_cloudwatch_log_group.daily_runs.arn

  depends_on = [aws_cloudwatch_log_resource_policy.daily_runs]
}

resource "aws_cloudwatch_log_group" "daily_runs" {
  name              = "/aws/events/${local.name_prefix}-daily-runs"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.lake.arn
}

resource "aws_cloudwatch_log_resource_policy" "daily_runs" {
  policy_name     = "${local.name_prefix}-daily-runs"
  policy_document = data.aws_iam_policy_document.daily_runs_log.json
}

data "aws_iam_policy_document" "daily_runs_log" {
  # EventBridge makes its stream without naming the rule.
  statement {
    sid       = "EventBridgeMakesStreams"
    actions   = ["logs:CreateLogStream"]
    resources = ["${aws_cloudwatch_log_group.daily_runs.arn}:*"]

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com", "events.amazonaws.com"]
    }
  }

  statement {
    sid       = "TheRuleWrites"
    actions   = ["logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.daily_runs.arn}:*"]

    principals {
      type        = "Service"
      identifiers = ["delivery.logs.amazonaws.com", "events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.daily_run_done.arn]
    }
  }
}

# A job or a crawler failed: told at once, with its own reason.

resource "aws_cloudwatch_event_rule" "job_failed" {
  name        = "${local.name_prefix}-job-failed"
  description = "A Glue job of the lake ended without success"

  event_pattern = jsonencode({
    source      = ["aws.glue"]
    detail-type = ["Glue Job State Change"]
    detail      = { jobName = keys(local.job_stages), state = ["FAILED", "TIMEOUT", "STOPPED", "ERROR"] }
  })
}

resource "aws_cloudwatch_event_target" "job_failed" {
  rule = aws_cloudwatch_event_rule.job_failed.name
  arn  = aws_sns_topic.alerts.arn

  input_transformer {
    input_paths = {
      job    = "$.detail.jobName"
      run    = "$.detail.jobRunId"
      state  = "$.detail.state"
      reason = "$.detail.message"
    }
    input_template = jsonencode("The Glue job <job> is <state> (run <run>): <reason>. docs/operations.md, The daily run, says how to go on.")
  }
}

resource "aws_cloudwatch_event_rule" "crawler_failed" {
  name        = "${local.name_prefix}-crawler-failed"
  description = "A crawler of the lake failed"

  event_pattern = jsonencode({
    source      = ["aws.glue"]
    detail-type = ["Glue Crawler State Change"]
    detail      = { crawlerName = [for crawler in aws_glue_crawler.zone : crawler.name], state = ["Failed"] }
  })
}

resource "aws_cloudwatch_event_target" "crawler_failed" {
  rule = aws_cloudwatch_event_rule.crawler_failed.name
  arn  = aws_sns_topic.alerts.arn

  input_transformer {
    input_paths = {
      crawler = "$.detail.crawlerName"
      reason  = "$.detail.errorMessage"
    }
    input_template = jsonencode("The crawler <crawler> failed: <reason>. docs/operations.md, The daily run, says how to go on.")
  }
}

# What CloudWatch can't measure by itself, once an hour

resource "aws_lambda_function" "watch" {
  #checkov:skip=CKV_AWS_116:An invocation that fails is an alarm, and the next one comes in an hour; there is no event to keep.
  #checkov:skip=CKV_AWS_117:It calls AWS's services only; in the VPC each would cost an endpoint by the hour.
  #checkov:skip=CKV_AWS_272:The zip comes from this repository by its hash and by one role, so a signature would add a key, no check.
  function_name    = "${local.name_prefix}-watch"
  description      = "Measures the alerts that CloudWatch can't measure by itself"
  role             = aws_iam_role.watch.arn
  filename         = "${local.artifacts}/lambda.zip"
  source_code_hash = filebase64sha256("${local.artifacts}/lambda.zip")
  handler          = "datalake.watch.handle"
  runtime          = "python3.13"
  architectures    = ["x86_64"]
  memory_size      = 512
  timeout          = 120 # seconds
  kms_key_arn      = aws_kms_key.lake.arn

  reserved_concurrent_executions = 1

  environment {
    variables = {
      WATCHED_JOBS = join(",", keys(local.job_stages))
    }
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.watch.name
  }

  tracing_config {
    mode = "Active"
  }

  depends_on = [aws_iam_role_policy.watch]
}

resource "aws_cloudwatch_log_group" "watch" {
  name              = "/aws/lambda/${local.name_prefix}-watch"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.lake.arn
}

resource "aws_cloudwatch_event_rule" "hourly" {
  name                = "${local.name_prefix}-watch"
  description         = "Measures the alerts that CloudWatch can't measure by itself"
  schedule_expression = "rate(1 hour)"
}

resource "aws_cloudwatch_event_target" "watch" {
  rule = aws_cloudwatch_event_rule.hourly.name
  arn  = aws_lambda_function.watch.arn
}

resource "aws_lambda_permission" "watch" {
  statement_id  = "EventBridge"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.watch.function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.hourly.arn
}

resource "aws_iam_role" "watch" {
  name                 = "${local.name_prefix}-watch"
  assume_role_policy   = data.aws_iam_policy_document.lambda_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role_policy" "watch" {
  name   = "measure-alerts"
  role   = aws_iam_role.watch.id
  policy = data.aws_iam_policy_document.watch.json
}

data "aws_iam_policy_document" "watch" {
  #checkov:skip=CKV_AWS_111:Traces of X-Ray and figures of CloudWatch have no resource that a policy could name.
  #checkov:skip=CKV_AWS_356:Traces of X-Ray and figures of CloudWatch have no resource that a policy could name.
  statement {
    sid       = "ReadRuns"
    actions   = ["glue:GetJobRuns"]
    resources = [for job in aws_glue_job.stage : job.arn]
  }

  statement {
    sid       = "PublishFigures"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Datalake"]
    }
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.watch.arn}:*"]
  }

  statement {
    sid       = "Trace"
    actions   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
    resources = ["*"]
  }

  statement {
    sid       = "ReadItsSettings"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.lake.arn]
  }
}

# The dashboard

resource "aws_cloudwatch_dashboard" "lake" {
  dashboard_name = local.name_prefix

  dashboard_body = jsonencode({
    widgets = concat(
      [
        {
          type   = "alarm"
          x      = 0
          y      = 0
          width  = 24
          height = 4
          properties = {
            title = "Alarms"
            alarms = concat(
              [for alarm in aws_cloudwatch_metric_alarm.alert : alarm.arn],
              [for alarm in aws_cloudwatch_metric_alarm.measured : alarm.arn],
              [for alarm in aws_cloudwatch_metric_alarm.operator : alarm.arn],
              [aws_cloudwatch_metric_alarm.daily_run_missing.arn],
            )
          }
        }
      ],
      [
        for position, graph in local.graphs : {
          type   = "metric"
          x      = position % 3 * 8
          y      = 4 + floor(position / 3) * 6
          width  = 8
          height = 6
          properties = {
            title   = graph.title
            region  = local.region
            view    = "timeSeries"
            stat    = graph.statistic
            period  = 3600
            metrics = graph.metrics
          }
        }
      ]
    )
  })
}

locals {
  graphs = [
    {
      title     = "Glue jobs: duration, times the baseline"
      statistic = "Maximum"
      metrics   = [for job in keys(local.job_stages) : ["Datalake", "glue_job_duration", "Resource", job]]
    },
    {
      title     = "Glue jobs: DPU hours of 24 hours"
      statistic = "Maximum"
      metrics   = [["Datalake", "glue_dpu_hours", "Resource", "all jobs"]]
    },
    {
      title     = "Athena: bytes scanned"
      statistic = "Sum"
      metrics = [
        for workgroup in local.watched_resources.workgroup :
        ["AWS/Athena", "ProcessedBytes", "WorkGroup", workgroup, "QueryState", "SUCCEEDED", "QueryType", "DML"]
      ]
    },
    {
      title     = "S3: requests and errors"
      statistic = "Sum"
      metrics = [
        for metric in ["AllRequests", "4xxErrors", "5xxErrors"] :
        ["AWS/S3", metric, "BucketName", aws_s3_bucket.lake.bucket, "FilterId", "EntireBucket"]
      ]
    },
    {
      title     = "Firehose: share of deliveries that succeeded"
      statistic = "Average"
      metrics = [[
        "AWS/Firehose", "DeliveryToS3.Success", "DeliveryStreamName", aws_kinesis_firehose_delivery_stream.events.name
      ]]
    },
    {
      title     = "Arrivals: messages in the queue, and given up"
      statistic = "Maximum"
      metrics = [
        for queue in [aws_sqs_queue.arrivals.name, aws_sqs_queue.arrivals_dead_letters.name] :
        ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue]
      ]
    },
    {
      title     = "Lambda: errors"
      statistic = "Sum"
      metrics = [
        for function in [aws_lambda_function.api, aws_lambda_function.arrivals, aws_lambda_function.watch] :
        ["AWS/Lambda", "Errors", "FunctionName", function.function_name]
      ]
    },
    {
      title     = "Lambda: duration in ms"
      statistic = "Maximum"
      metrics = [
        for function in [aws_lambda_function.api, aws_lambda_function.arrivals, aws_lambda_function.watch] :
        ["AWS/Lambda", "Duration", "FunctionName", function.function_name]
      ]
    },
    {
      title     = "Quality rules that did not hold"
      statistic = "Maximum"
      metrics   = [["Glue Data Quality", "glue.data.quality.rules.failed", "EvaluationContext", "orders_quality"]]
    },
  ]
}

# Money

# Of the whole account: a filter by tag counts nothing until the tag is activated for billing.
resource "aws_budgets_budget" "lake" {
  name         = local.name_prefix
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget_dollars)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  notification {
    notification_type         = "ACTUAL"
    comparison_operator       = "GREATER_THAN"
    threshold                 = 80
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [aws_sns_topic.alerts.arn]
  }

  notification {
    notification_type         = "FORECASTED"
    comparison_operator       = "GREATER_THAN"
    threshold                 = 100
    threshold_type            = "PERCENTAGE"
    subscriber_sns_topic_arns = [aws_sns_topic.alerts.arn]
  }

  depends_on = [aws_sns_topic_policy.alerts]
}
