resource "aws_s3_bucket" "lake" {
  bucket = local.bucket
}

resource "aws_s3_bucket" "results" {
  bucket = "${local.bucket}-results"
}

resource "aws_s3_bucket" "logs" {
  bucket = "${local.bucket}-logs"
}
