# One key for all that lies in the lake, what is on its way there, and its logs.

resource "aws_kms_key" "lake" {
  description             = "The data lake, ${var.environment}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = data.aws_iam_policy_document.lake_key.json
}

resource "aws_kms_alias" "lake" {
  name          = "alias/${local.name_prefix}"
  target_key_id = aws_kms_key.lake.key_id
}

data "aws_iam_policy_document" "lake_key" {
  #checkov:skip=CKV_AWS_109:The policy of a key: its resource is this key, and the account's own policies decide.
  #checkov:skip=CKV_AWS_111:The policy of a key: its resource is this key, and the account's own policies decide.
  #checkov:skip=CKV_AWS_356:The policy of a key: its resource is this key.
  statement {
    sid       = "PoliciesOfTheAccountDecide"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account_id}:root"]
    }
  }

  statement {
    sid       = "LogGroups"
    actions   = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["logs.${local.region}.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "kms:EncryptionContext:aws:logs:arn"
      values   = ["arn:${local.partition}:logs:${local.region}:${local.account_id}:log-group:*"]
    }
  }

  # Services that write to the encrypted bucket, topic and queues without a role.
  statement {
    sid       = "ServicesWithoutARole"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type = "Service"
      identifiers = [
        "appflow.amazonaws.com",
        "budgets.amazonaws.com",
        "cloudwatch.amazonaws.com",
        "events.amazonaws.com",
        "s3.amazonaws.com",
        "sns.amazonaws.com",
      ]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}
