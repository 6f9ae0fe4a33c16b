# Accounts and contacts from the CRM, once a day. AppFlow delivers JSON lines under landing/appflow/{dataset}/, from where
# the function `arrivals` brings them into the raw layout (docs/decisions/0019).
#
# A person makes the connector profile, since signing in to the CRM needs one, and starts the flows once
# (`aws appflow start-flow`): Terraform makes them as drafts.

locals {
  # By data set: the CRM's object, and its fields by the raw table's columns.
  crm_objects = {
    accounts = {
      object = "Account"
      fields = {
        account_id = "Id"
        name       = "Name"
        industry   = "Industry"
        updated_at = "LastModifiedDate"
      }
    }
    contacts = {
      object = "Contact"
      fields = {
        contact_id = "Id"
        account_id = "AccountId"
        name       = "Name"
        email      = "Email"
        phone      = "Phone"
        updated_at = "LastModifiedDate"
      }
    }
  }
}

resource "aws_appflow_flow" "crm" {
  for_each = var.enable_appflow ? local.crm_objects : {}

  name        = "${local.name_prefix}-${each.key}"
  description = "${each.value.object} of the CRM, what changed since the day before"
  kms_arn     = aws_kms_key.lake.arn

  trigger_config {
    trigger_type = "Scheduled"

    trigger_properties {
      scheduled {
        schedule_expression  = "rate(1days)"
        data_pull_mode       = "Incremental"
        first_execution_from = "2000-01-01T00:00:00Z" # the first run takes all, not the last month
      }
    }
  }

  source_flow_config {
    connector_type         = "Salesforce"
    connector_profile_name = var.crm_connector_profile

    incremental_pull_config {
      datetime_type_field_name = "LastModifiedDate"
    }

    source_connector_properties {
      salesforce {
        object            = each.value.object
        data_transfer_api = "REST_SYNC" # one way to write times and NULL; AUTOMATIC changes it with the number of records
      }
    }
  }

  destination_flow_config {
    connector_type = "S3"

    destination_connector_properties {
      s3 {
        bucket_name   = aws_s3_bucket.lake.bucket
        bucket_prefix = "landing/appflow/${each.key}"

        s3_output_format_config {
          file_type = "JSON" # an object a line

          aggregation_config {
            aggregation_type = "SingleFile"
          }
        }
      }
    }
  }

  task {
    task_type     = "Filter"
    source_fields = values(each.value.fields)

    connector_operator {
      salesforce = "PROJECTION"
    }
  }

  dynamic "task" {
    for_each = each.value.fields

    content {
      task_type         = "Map"
      source_fields     = [task.value]
      destination_field = task.key

      connector_operator {
        salesforce = "NO_OP"
      }
    }
  }

  lifecycle {
    precondition {
      condition     = toset(keys(each.value.fields)) == toset(local.sources[each.key].columns[*].name)
      error_message = "The fields of ${each.key} are others than the columns that models/raw/crm.yml declares."
    }
  }

  # AppFlow tries to write to the bucket when a flow is made.
  depends_on = [aws_s3_bucket_policy.lake]
}

# What AppFlow, which has no role, may do in the bucket: a part of the bucket's policy (storage.tf).
# https://docs.aws.amazon.com/appflow/latest/userguide/s3-policies-management.html
data "aws_iam_policy_document" "appflow_delivers" {
  count = var.enable_appflow ? 1 : 0

  statement {
    sid = "AppFlowDelivers"
    actions = [
      "s3:AbortMultipartUpload",
      "s3:GetBucketAcl",
      "s3:ListBucketMultipartUploads",
      "s3:ListMultipartUploadParts",
      "s3:PutObject",
      "s3:PutObjectAcl",
    ]
    resources = [aws_s3_bucket.lake.arn, "${aws_s3_bucket.lake.arn}/landing/appflow/*"]

    principals {
      type        = "Service"
      identifiers = ["appflow.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}
