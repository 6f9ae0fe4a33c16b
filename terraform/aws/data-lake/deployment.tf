# What a deployment may do: the planner looks, the deployer changes. Neither can change what bounds it, nor remove what
# holds data: an administrator does that (docs/decisions/0017-the-deployer-is-bounded.md).

locals {
  # What a plan looks at. None of these reads data, a secret or the text of a log.
  stack_reads = [
    "apigateway:GET",
    "appflow:Describe*",
    "appflow:List*",
    "athena:GetNamedQuery",
    "athena:GetWorkGroup",
    "athena:ListTagsForResource",
    "budgets:ListTagsForResource",
    "budgets:ViewBudget",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetDashboard",
    "cloudwatch:ListTagsForResource",
    "dms:Describe*",
    "dms:ListTagsForResource",
    "ec2:Describe*",
    "events:Describe*",
    "events:List*",
    "firehose:DescribeDeliveryStream",
    "firehose:ListTagsForDeliveryStream",
    "glue:GetConnection",
    "glue:GetCrawler",
    "glue:GetDatabase",
    "glue:GetDataCatalogEncryptionSettings",
    "glue:GetDataQualityRuleset",
    "glue:GetJob",
    "glue:GetPartitionIndexes",
    "glue:GetSecurityConfiguration",
    "glue:GetTable",
    "glue:GetTags",
    "glue:GetTrigger",
    "glue:GetWorkflow",
    "iam:Get*",
    "iam:List*",
    "kinesis:DescribeStream",
    "kinesis:DescribeStreamSummary",
    "kinesis:ListTagsForStream",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "kms:ListResourceTags",
    "lakeformation:DescribeResource",
    "lakeformation:GetDataLakeSettings",
    "lakeformation:GetLFTag",
    "lakeformation:GetResourceLFTags",
    "lakeformation:ListPermissions",
    "lakeformation:ListResources",
    "lambda:GetEventSourceMapping",
    "lambda:GetFunction*",
    "lambda:GetPolicy",
    "lambda:List*",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:DescribeResourcePolicies",
    "logs:ListTagsForResource",
    "quicksight:Describe*",
    "quicksight:ListTagsForResource",
    "redshift-data:DescribeStatement",
    "redshift-serverless:GetNamespace",
    "redshift-serverless:GetUsageLimit",
    "redshift-serverless:GetWorkgroup",
    "redshift-serverless:ListTagsForResource",
    "sagemaker:DescribeNotebookInstance*",
    "sagemaker:ListTags",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetResourcePolicy",
    "sns:GetSubscriptionAttributes",
    "sns:GetTopicAttributes",
    "sns:ListTagsForResource",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ListQueueTags",
  ]

  stack_buckets = [aws_s3_bucket.lake.arn, aws_s3_bucket.logs.arn, aws_s3_bucket.results.arn]

  # The roles that a deployment makes, and what it must not touch of them.
  iam_arn       = "arn:${local.partition}:iam::${local.account_id}"
  stack_roles   = concat(["${local.iam_arn}:role/${local.name_prefix}-*"], [for name in ["dms-cloudwatch-logs-role", "dms-vpc-role"] : "${local.iam_arn}:role/${name}"])
  bounding_arns = [for what in ["policy", "role"] : "${local.iam_arn}:${what}/${local.name_prefix}-deploy*"]

  state_bucket_arns = [for bucket in var.terraform_state_bucket[*] : "arn:${local.partition}:s3:::${bucket}"]
  state_key         = "data-lake/${var.environment}.tfstate"
}

# The planner

resource "aws_iam_role" "planner" {
  name                 = "${local.name_prefix}-deploy-planner"
  description          = "Shows what a deployment would change"
  assume_role_policy   = data.aws_iam_policy_document.github_trust["planner"].json
  permissions_boundary = aws_iam_policy.looks_at_the_stack.arn
}

resource "aws_iam_role_policy_attachment" "planner" {
  role       = aws_iam_role.planner.name
  policy_arn = aws_iam_policy.looks_at_the_stack.arn
}

resource "aws_iam_policy" "looks_at_the_stack" {
  name        = "${local.name_prefix}-deploy-look"
  description = "Looks at the data lake's stack, and at no data"
  policy      = data.aws_iam_policy_document.looks_at_the_stack.json
}

data "aws_iam_policy_document" "looks_at_the_stack" {
  #checkov:skip=CKV_AWS_356:It looks at whatever the stack has or is about to have; none of it is data.
  statement {
    sid       = "Look"
    actions   = local.stack_reads
    resources = ["*"]
  }

  statement {
    sid = "LookAtBuckets"
    actions = [
      "s3:GetAccelerateConfiguration",
      "s3:GetBucket*",
      "s3:GetEncryptionConfiguration",
      "s3:GetLifecycleConfiguration",
      "s3:GetMetricsConfiguration",
      "s3:GetReplicationConfiguration",
      "s3:ListBucket",
    ]
    resources = local.stack_buckets
  }

  statement {
    sid       = "LookAtArtifacts"
    actions   = ["s3:GetObject", "s3:GetObjectTagging"]
    resources = ["${aws_s3_bucket.lake.arn}/artifacts/*"]
  }

  statement {
    sid       = "Decrypt"
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.lake.arn]
  }

  dynamic "statement" {
    for_each = local.state_bucket_arns

    content {
      sid       = "ReadTheState"
      actions   = ["s3:GetObject", "s3:ListBucket"]
      resources = [statement.value, "${statement.value}/${local.state_key}"]
    }
  }
}

# The deployer

resource "aws_iam_role" "deployer" {
  # No boundary: none of its policies is its own to change, and no policy may be added to it.
  name                 = "${local.name_prefix}-deployer"
  description          = "Applies the data lake's stack"
  assume_role_policy   = data.aws_iam_policy_document.github_trust["deployer"].json
  max_session_duration = 7200 # the longest job of a workflow
}

resource "aws_iam_role_policy_attachment" "deployer" {
  for_each = {
    look   = aws_iam_policy.looks_at_the_stack.arn
    data   = aws_iam_policy.deploys_data.arn
    access = aws_iam_policy.deploys_access.arn
    rest   = aws_iam_policy.deploys_the_rest.arn
  }

  role       = aws_iam_role.deployer.name
  policy_arn = each.value
}

resource "aws_iam_policy" "deploys_data" {
  name        = "${local.name_prefix}-deploy-data"
  description = "Deploys what holds and finds data; it can remove no bucket, key, stream or database"
  policy      = data.aws_iam_policy_document.deploys_data.json
}

data "aws_iam_policy_document" "deploys_data" {
  #checkov:skip=CKV_AWS_109:A deployment sets policies of the lake's own bucket and key, and Lake Formation's grants.
  #checkov:skip=CKV_AWS_111:Lake Formation, new keys and the catalog's settings have no resource that a policy could name.
  #checkov:skip=CKV_AWS_356:Lake Formation, new keys and the catalog's settings have no resource that a policy could name.
  statement {
    sid = "Buckets"
    actions = [
      "s3:CreateBucket",
      "s3:PutBucketLogging",
      "s3:PutBucketNotification",
      "s3:PutBucketOwnershipControls",
      "s3:PutBucketPolicy",
      "s3:PutBucketPublicAccessBlock",
      "s3:PutBucketTagging",
      "s3:PutBucketVersioning",
      "s3:PutEncryptionConfiguration",
      "s3:PutLifecycleConfiguration",
      "s3:PutMetricsConfiguration",
    ]
    resources = local.stack_buckets
  }

  statement {
    sid       = "Artifacts"
    actions   = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject", "s3:PutObjectTagging"]
    resources = ["${aws_s3_bucket.lake.arn}/artifacts/*"]
  }

  dynamic "statement" {
    for_each = local.state_bucket_arns

    content {
      sid       = "State"
      actions   = ["s3:DeleteObject", "s3:PutObject"] # what it deletes is the lock
      resources = ["${statement.value}/${local.state_key}", "${statement.value}/${local.state_key}.tflock"]
    }
  }

  dynamic "statement" {
    for_each = local.state_bucket_arns

    content {
      sid       = "LookAtTheLock"
      actions   = ["s3:GetObject"]
      resources = ["${statement.value}/${local.state_key}.tflock"]
    }
  }

  statement {
    sid = "Key"
    actions = [
      "kms:CreateAlias",
      "kms:CreateGrant",
      "kms:EnableKeyRotation",
      "kms:Encrypt",
      "kms:GenerateDataKey",
      "kms:PutKeyPolicy",
      "kms:TagResource",
      "kms:UntagResource",
      "kms:UpdateAlias",
      "kms:UpdateKeyDescription",
    ]
    resources = [aws_kms_key.lake.arn, aws_kms_alias.lake.arn]
  }

  statement {
    sid = "Catalog"
    actions = [
      "glue:CreateConnection",
      "glue:CreateCrawler",
      "glue:CreateDatabase",
      "glue:CreateDataQualityRuleset",
      "glue:CreateJob",
      "glue:CreateSecurityConfiguration",
      "glue:CreateTable",
      "glue:CreateTrigger",
      "glue:CreateWorkflow",
      "glue:DeleteConnection",
      "glue:DeleteCrawler",
      "glue:DeleteDataQualityRuleset",
      "glue:DeleteJob",
      "glue:DeleteSecurityConfiguration",
      "glue:DeleteTrigger",
      "glue:DeleteWorkflow",
      "glue:PassConnection",
      "glue:PutDataCatalogEncryptionSettings",
      "glue:StartTrigger",
      "glue:StopTrigger",
      "glue:TagResource",
      "glue:UntagResource",
      "glue:UpdateConnection",
      "glue:UpdateCrawler",
      "glue:UpdateDatabase",
      "glue:UpdateDataQualityRuleset",
      "glue:UpdateJob",
      "glue:UpdateTable",
      "glue:UpdateTrigger",
      "glue:UpdateWorkflow",
    ]
    resources = ["${local.glue_arn}:*"]
  }

  # A raw table is no more than its declaration: without it the files stay.
  statement {
    sid       = "RawTables"
    actions   = ["glue:DeleteTable"]
    resources = local.catalog_arns.raw
  }

  statement {
    sid = "Athena"
    actions = [
      "athena:CreateNamedQuery",
      "athena:CreateWorkGroup",
      "athena:DeleteNamedQuery",
      "athena:TagResource",
      "athena:UntagResource",
      "athena:UpdateNamedQuery",
      "athena:UpdateWorkGroup",
    ]
    resources = [aws_athena_workgroup.analysts.arn, aws_athena_workgroup.dbt.arn]
  }

  statement {
    sid = "LakeFormation"
    actions = [
      "lakeformation:AddLFTagsToResource",
      "lakeformation:BatchGrantPermissions",
      "lakeformation:BatchRevokePermissions",
      "lakeformation:CreateLFTag",
      "lakeformation:DeregisterResource",
      "lakeformation:GrantPermissions",
      "lakeformation:PutDataLakeSettings",
      "lakeformation:RegisterResource",
      "lakeformation:RemoveLFTagsFromResource",
      "lakeformation:RevokePermissions",
      "lakeformation:UpdateLFTag",
      "lakeformation:UpdateResource",
    ]
    resources = ["*"]
  }

  statement {
    sid = "Streams"
    actions = [
      "firehose:CreateDeliveryStream",
      "firehose:TagDeliveryStream",
      "firehose:UntagDeliveryStream",
      "firehose:UpdateDestination",
      "kinesis:AddTagsToStream",
      "kinesis:CreateStream",
      "kinesis:DecreaseStreamRetentionPeriod",
      "kinesis:IncreaseStreamRetentionPeriod",
      "kinesis:RemoveTagsFromStream",
      "kinesis:StartStreamEncryption",
      "kinesis:UpdateStreamMode",
    ]
    resources = [
      "arn:${local.partition}:firehose:${local.region}:${local.account_id}:deliverystream/events-stream",
      "arn:${local.partition}:kinesis:${local.region}:${local.account_id}:stream/events-stream",
    ]
  }
}

resource "aws_iam_policy" "deploys_access" {
  name        = "${local.name_prefix}-deploy-access"
  description = "Deploys roles within the boundary, and lends them to their services"
  policy      = data.aws_iam_policy_document.deploys_access.json
}

data "aws_iam_policy_document" "deploys_access" {
  statement {
    sid       = "RolesWithinTheBoundary"
    actions   = ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
    resources = local.stack_roles

    condition {
      test     = "StringEquals"
      variable = "iam:PermissionsBoundary"
      values   = [aws_iam_policy.boundary.arn]
    }
  }

  statement {
    sid = "Roles"
    actions = [
      "iam:DeleteRole",
      "iam:DeleteRolePolicy",
      "iam:DetachRolePolicy",
      "iam:TagRole",
      "iam:UntagRole",
      "iam:UpdateAssumeRolePolicy",
      "iam:UpdateRole",
      "iam:UpdateRoleDescription",
    ]
    resources = local.stack_roles
  }

  statement {
    sid       = "LendRoles"
    actions   = ["iam:PassRole"]
    resources = local.stack_roles

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values = [
        "dms.amazonaws.com",
        "firehose.amazonaws.com",
        "glue.amazonaws.com",
        "lakeformation.amazonaws.com",
        "lambda.amazonaws.com",
        "redshift.amazonaws.com",
        "redshift-serverless.amazonaws.com",
        "sagemaker.amazonaws.com",
        "vpc-flow-logs.amazonaws.com",
      ]
    }
  }

  statement {
    sid       = "GoOnAsThePipeline"
    actions   = ["sts:AssumeRole", "sts:TagSession"]
    resources = ["${local.iam_arn}:role/${local.name_prefix}-pipeline"]
  }

  # The planner and the deployer, their policies, and the boundary.
  statement {
    sid       = "NotWhatBoundsIt"
    effect    = "Deny"
    actions   = ["iam:Add*", "iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Detach*", "iam:PassRole", "iam:Put*", "iam:Set*", "iam:Update*"]
    resources = concat(local.bounding_arns, [aws_iam_policy.boundary.arn, aws_iam_openid_connect_provider.github.arn])
  }
}

resource "aws_iam_policy" "deploys_the_rest" {
  name        = "${local.name_prefix}-deploy-rest"
  description = "Deploys the services around the data lake"
  policy      = data.aws_iam_policy_document.deploys_the_rest.json
}

data "aws_iam_policy_document" "deploys_the_rest" {
  #checkov:skip=CKV_AWS_108:A deployment reads the one secret by which it makes the external schema, Redshift's own.
  #checkov:skip=CKV_AWS_109:What it makes are the lake's resources, by their names where a service lets a policy name them.
  #checkov:skip=CKV_AWS_111:A network, an API and an event source get their names when they are made.
  #checkov:skip=CKV_AWS_356:A network, an API and an event source get their names when they are made.
  statement {
    sid = "Named"
    actions = [
      "budgets:ModifyBudget",
      "budgets:TagResource",
      "cloudwatch:DeleteAlarms",
      "cloudwatch:DeleteDashboards",
      "cloudwatch:PutDashboard",
      "cloudwatch:PutMetricAlarm",
      "cloudwatch:TagResource",
      "cloudwatch:UntagResource",
      "events:DeleteRule",
      "events:PutRule",
      "events:PutTargets",
      "events:RemoveTargets",
      "events:TagResource",
      "events:UntagResource",
      "lambda:AddPermission",
      "lambda:CreateFunction",
      "lambda:DeleteFunction",
      "lambda:DeleteFunctionConcurrency",
      "lambda:PutFunctionConcurrency",
      "lambda:RemovePermission",
      "lambda:TagResource",
      "lambda:UntagResource",
      "lambda:UpdateFunctionCode",
      "lambda:UpdateFunctionConfiguration",
      "quicksight:*DataSet",
      "quicksight:*DataSetPermissions",
      "quicksight:*DataSource",
      "quicksight:*DataSourcePermissions",
      "quicksight:TagResource",
      "quicksight:UntagResource",
      "sagemaker:*NotebookInstance",
      "sagemaker:*NotebookInstanceLifecycleConfig",
      "sagemaker:AddTags",
      "sagemaker:DeleteTags",
      "secretsmanager:CreateSecret",
      "secretsmanager:TagResource",
      "secretsmanager:UntagResource",
      "secretsmanager:UpdateSecret",
      "sns:CreateTopic",
      "sns:SetTopicAttributes",
      "sns:Subscribe",
      "sns:TagResource",
      "sns:Unsubscribe",
      "sns:UntagResource",
      "sqs:CreateQueue",
      "sqs:SetQueueAttributes",
      "sqs:TagQueue",
      "sqs:UntagQueue",
    ]
    resources = [
      for service, resource in {
        budgets        = "budgets::${local.account_id}:budget/${local.name_prefix}*"
        alarms         = "cloudwatch:${local.region}:${local.account_id}:alarm:${local.name_prefix}*"
        dashboards     = "cloudwatch::${local.account_id}:dashboard/${local.name_prefix}*"
        events         = "events:${local.region}:${local.account_id}:rule/${local.name_prefix}*"
        lambda         = "lambda:${local.region}:${local.account_id}:function:${local.name_prefix}*"
        quicksight     = "quicksight:${local.region}:${local.account_id}:*/${local.name_prefix}*"
        sagemaker      = "sagemaker:${local.region}:${local.account_id}:notebook-instance*/${local.name_prefix}*"
        secretsmanager = "secretsmanager:${local.region}:${local.account_id}:secret:${local.name_prefix}*"
        sns            = "sns:${local.region}:${local.account_id}:${local.name_prefix}*"
        sqs            = "sqs:${local.region}:${local.account_id}:${local.name_prefix}*"
      } : "arn:${local.partition}:${resource}"
    ]
  }

  # Redshift keeps the password of its administrator itself, under a name of its own.
  statement {
    sid       = "ExternalSchema"
    actions   = ["secretsmanager:CreateSecret", "secretsmanager:GetSecretValue", "secretsmanager:RotateSecret", "secretsmanager:TagResource"]
    resources = ["arn:${local.partition}:secretsmanager:${local.region}:${local.account_id}:secret:redshift!${local.name_prefix}*"]
  }

  statement {
    sid = "Numbered"
    actions = [
      "apigateway:DELETE",
      "apigateway:PATCH",
      "apigateway:POST",
      "apigateway:PUT",
      "apigateway:TagResource",
      "appflow:CreateFlow",
      "appflow:DeleteFlow",
      "appflow:TagResource",
      "appflow:UntagResource",
      "appflow:UpdateFlow",
      "appflow:UseConnectorProfile",
      "dms:AddTagsToResource",
      "dms:Create*",
      "dms:Delete*",
      "dms:Modify*",
      "dms:RemoveTagsFromResource",
      "dms:StartReplicationTask",
      "dms:StopReplicationTask",
      "dms:TestConnection",
      "ec2:*FlowLogs",
      "ec2:*Route",
      "ec2:*RouteTable",
      "ec2:*SecurityGroup*",
      "ec2:*Subnet*",
      "ec2:*Tags",
      "ec2:*Vpc",
      "ec2:*VpcAttribute",
      "ec2:*VpcEndpoint*",
      "lambda:CreateEventSourceMapping",
      "lambda:DeleteEventSourceMapping",
      "lambda:UpdateEventSourceMapping",
      "logs:AssociateKmsKey",
      "logs:CreateLogDelivery",
      "logs:CreateLogGroup",
      "logs:CreateLogStream",
      "logs:DeleteLogDelivery",
      "logs:DeleteLogStream",
      "logs:GetLogDelivery",
      "logs:ListLogDeliveries",
      "logs:PutResourcePolicy",
      "logs:PutRetentionPolicy",
      "logs:TagResource",
      "logs:UntagResource",
      "logs:UpdateLogDelivery",
      "redshift-data:ExecuteStatement",
      "redshift-serverless:CreateNamespace",
      "redshift-serverless:CreateUsageLimit",
      "redshift-serverless:CreateWorkgroup",
      "redshift-serverless:DeleteUsageLimit",
      "redshift-serverless:DeleteWorkgroup",
      "redshift-serverless:TagResource",
      "redshift-serverless:UntagResource",
      "redshift-serverless:UpdateNamespace",
      "redshift-serverless:UpdateUsageLimit",
      "redshift-serverless:UpdateWorkgroup",
      "quicksight:PassDataSource",
    ]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = [local.region]
    }
  }
}
