output "bucket" {
  description = "The lake's bucket."
  value       = aws_s3_bucket.lake.bucket
}

output "vpc_cidr" {
  description = "The addresses that the security group of rds-production lets in, on PostgreSQL's port."
  value       = aws_vpc.lake.cidr_block
}

output "api_url" {
  description = "Where requests are posted, signed with IAM (docs/operations.md, Requests)."
  value       = "${aws_apigatewayv2_stage.live.invoke_url}requests"
}

output "api_arn" {
  description = "What a caller's policy allows `execute-api:Invoke` on."
  value       = "${aws_apigatewayv2_api.ingestion.execution_arn}/*/POST/requests"
}

output "arrivals_dead_letters_url" {
  description = "The queue of S3's events that failed five times; docs/operations.md says what to do with each."
  value       = aws_sqs_queue.arrivals_dead_letters.url
}

output "workgroups" {
  description = "Athena's workgroups: who asks, and dbt."
  value       = { analysts = aws_athena_workgroup.analysts.name, dbt = aws_athena_workgroup.dbt.name }
}

output "results_bucket" {
  description = "Where the answers of the analysts' queries lie."
  value       = aws_s3_bucket.results.bucket
}

output "roles" {
  description = "The roles that people and workflows take, by name."
  value = {
    for name, role in {
      analyst  = aws_iam_role.analyst
      deployer = aws_iam_role.deployer
      engineer = aws_iam_role.engineer
      pipeline = aws_iam_role.pipeline
      planner  = aws_iam_role.planner
    } : name => role.arn
  }
}

output "environment" {
  description = "The environment variables of dbt and of the command line."
  value = {
    AWS_REGION         = local.region
    DATALAKE_BUCKET    = aws_s3_bucket.lake.bucket
    DATALAKE_TARGET    = var.environment
    DATALAKE_WORKGROUP = aws_athena_workgroup.dbt.name
  }
}

output "lake_is_built" {
  description = "Whether dbt had built its tables when this was applied, so that they stay granted on; terraform/ship.sh reads it."
  value       = var.lake_is_built
}
