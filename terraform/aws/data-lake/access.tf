resource "aws_iam_policy" "boundary" {
  name   = "${local.name_prefix}-boundary"
  policy = data.aws_iam_policy_document.boundary.json
}

data "aws_iam_policy_document" "boundary" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.lake.arn}/*"]
  }
}

data "aws_iam_policy_document" "glue_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["glue.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "pipeline" {
  name                 = "${local.name_prefix}-pipeline"
  assume_role_policy   = data.aws_iam_policy_document.glue_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role" "analyst" {
  name                 = "${local.name_prefix}-analyst"
  assume_role_policy   = data.aws_iam_policy_document.glue_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role" "engineer" {
  name                 = "${local.name_prefix}-engineer"
  assume_role_policy   = data.aws_iam_policy_document.glue_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role" "crawler" {
  name                 = "${local.name_prefix}-crawler"
  assume_role_policy   = data.aws_iam_policy_document.glue_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

resource "aws_iam_role" "deployer" {
  name                 = "${local.name_prefix}-deployer"
  assume_role_policy   = data.aws_iam_policy_document.glue_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}
