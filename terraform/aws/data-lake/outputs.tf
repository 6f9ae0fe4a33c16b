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
