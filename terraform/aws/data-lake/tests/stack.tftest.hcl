# The whole stack on a mocked provider, each switch both ways, and what it refuses. There is no endpoint and no account.
# After `make dist` and `terraform init -backend=false`: terraform test -var github_repository=owner/name

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }

  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }

  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }

  # The provider looks at the form of these.

  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/mocked" }
  }

  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/mocked" }
  }

  mock_resource "aws_iam_openid_connect_provider" {
    defaults = { arn = "arn:aws:iam::123456789012:oidc-provider/mocked" }
  }

  mock_resource "aws_kms_key" {
    defaults = { arn = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000" }
  }

  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:us-east-1:123456789012:log-group:mocked" }
  }

  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:mocked" }
  }

  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:mocked" }
  }

  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::mocked" }
  }

  mock_resource "aws_kinesis_stream" {
    defaults = { arn = "arn:aws:kinesis:us-east-1:123456789012:stream/mocked" }
  }

  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:mocked" }
  }

  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:mocked" }
  }

  mock_resource "aws_quicksight_data_source" {
    defaults = { arn = "arn:aws:quicksight:us-east-1:123456789012:datasource/mocked" }
  }

  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:rule/mocked" }
  }

  mock_resource "aws_redshiftserverless_workgroup" {
    defaults = { arn = "arn:aws:redshift-serverless:us-east-1:123456789012:workgroup/mocked" }
  }

  mock_resource "aws_apigatewayv2_api" {
    defaults = { execution_arn = "arn:aws:execute-api:us-east-1:123456789012:mocked" }
  }

  mock_resource "aws_redshiftserverless_namespace" {
    defaults = { admin_password_secret_arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:mocked" }
  }

  mock_resource "aws_dms_replication_instance" {
    defaults = { replication_instance_arn = "arn:aws:dms:us-east-1:123456789012:rep:mocked" }
  }

  mock_resource "aws_dms_endpoint" {
    defaults = { endpoint_arn = "arn:aws:dms:us-east-1:123456789012:endpoint:mocked" }
  }

  mock_resource "aws_dms_s3_endpoint" {
    defaults = { endpoint_arn = "arn:aws:dms:us-east-1:123456789012:endpoint:mocked" }
  }
}

run "whole_stack" {
  command = apply

  assert {
    condition     = output.bucket == "company-datalake-dev"
    error_message = "The bucket is company-datalake-{environment}."
  }

  assert {
    condition     = length(aws_lakeformation_permissions.analysts_columns) == 0
    error_message = "Before dbt has built its tables there is nothing that analysts could be granted."
  }
}

run "prod_with_built_tables" {
  command = apply

  variables {
    environment   = "prod"
    lake_is_built = true
    alert_email   = "lake@example.com"
  }

  assert {
    condition     = aws_lakeformation_permissions.analysts_columns["analyst-curated_db.customers"].table_with_columns[0].column_names == toset(["customer_id", "segment", "region"])
    error_message = "Of customers, analysts may read customer_id, segment and region."
  }

  assert {
    condition     = length(aws_vpc_endpoint.service["glue"].subnet_ids) == 3
    error_message = "In prod an endpoint is in all zones."
  }
}

run "everything_switched_off" {
  command = apply

  variables {
    environment       = "ci"
    enable_dms        = false
    enable_appflow    = false
    enable_redshift   = false
    enable_quicksight = false
    enable_notebook   = false
  }

  assert {
    condition = (
      length(aws_dms_replication_task.customers) + length(aws_appflow_flow.crm) + length(aws_redshiftserverless_workgroup.lake)
      + length(aws_quicksight_data_set.star_orders) + length(aws_sagemaker_notebook_instance.analytics) == 0
    )
    error_message = "A switch leaves nothing behind."
  }
}

# What it refuses

run "expiry_over_an_iceberg_table" {
  command = plan

  variables {
    further_lifecycle_rules = { tidy = { prefix = "curated_db/orders/", expire_after = 365 } }
  }

  expect_failures = [aws_s3_bucket_lifecycle_configuration.lake]
}

run "expiry_over_all_tables" {
  command = plan

  variables {
    further_lifecycle_rules = { tidy = { prefix = "", expire_after = 365 } }
  }

  expect_failures = [aws_s3_bucket_lifecycle_configuration.lake]
}

run "expiry_of_deliveries_whose_events_wait" {
  command = plan

  variables {
    further_lifecycle_rules = { tidy = { prefix = "landing/dms/", expire_after = 7 } }
  }

  expect_failures = [aws_s3_bucket_lifecycle_configuration.lake]
}

run "wrong_settings" {
  command = plan

  variables {
    environment            = "staging"
    alert_email            = "nobody"
    monthly_budget_dollars = 0
    github_repository      = "owner/*"
    vpc_cidr               = "10.40.0.0/24"
    availability_zones     = ["a", "a", "b"]
    database_cidr          = "0.0.0.0/0"
    interface_endpoints    = ["s3"]
    dms_instance_class     = "t3.medium"
    api_concurrency        = 0
    daily_dpu_hours        = 0
    quicksight_readers     = ["me"]
  }

  expect_failures = [
    var.environment,
    var.alert_email,
    var.monthly_budget_dollars,
    var.github_repository,
    var.vpc_cidr,
    var.availability_zones,
    var.database_cidr,
    var.interface_endpoints,
    var.dms_instance_class,
    var.api_concurrency,
    var.daily_dpu_hours,
    var.quicksight_readers,
  ]
}
