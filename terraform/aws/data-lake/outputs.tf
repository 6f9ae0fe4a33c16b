output "bucket" {
  description = "The lake's bucket."
  value       = aws_s3_bucket.lake.bucket
}
