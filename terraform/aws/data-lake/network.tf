# A network without the internet, for what can't do without one: DMS, Glue jobs with a connection, Redshift, the notebook.
# The Lambda functions are not in it: they speak to AWS's services only, which answer them without.

resource "aws_vpc" "lake" {
  cidr_block           = var.vpc_cidr
  enable_dns_support   = true
  enable_dns_hostnames = true # so that interface endpoints answer to the services' own names

  tags = { Name = local.name_prefix }
}

# Redshift Serverless asks for three zones.
resource "aws_subnet" "private" {
  for_each = { for index, zone in var.availability_zones : tostring(index) => zone }

  vpc_id            = aws_vpc.lake.id
  availability_zone = "${var.region}${each.value}"
  cidr_block        = cidrsubnet(var.vpc_cidr, 4, tonumber(each.key))

  tags = { Name = "${local.name_prefix}-private-${each.key}" }
}

resource "aws_route_table" "private" {
  vpc_id = aws_vpc.lake.id

  tags = { Name = "${local.name_prefix}-private" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private.id
}

resource "aws_route" "database" {
  count = var.database_peering_id == null ? 0 : 1

  route_table_id            = aws_route_table.private.id
  destination_cidr_block    = var.database_cidr
  vpc_peering_connection_id = var.database_peering_id
}

# What names no group is in this one, which lets nothing through.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.lake.id
}

# Flow logs

resource "aws_flow_log" "lake" {
  vpc_id                   = aws_vpc.lake.id
  traffic_type             = "ALL"
  log_destination          = aws_cloudwatch_log_group.flow_logs.arn
  iam_role_arn             = aws_iam_role.flow_logs.arn
  max_aggregation_interval = 600
}

resource "aws_cloudwatch_log_group" "flow_logs" {
  name              = "/vpc/${local.name_prefix}/flow-logs"
  retention_in_days = 365
  kms_key_id        = aws_kms_key.lake.arn
}

resource "aws_iam_role" "flow_logs" {
  name                 = "${local.name_prefix}-flow-logs"
  assume_role_policy   = data.aws_iam_policy_document.flow_logs_trust.json
  permissions_boundary = aws_iam_policy.boundary.arn
}

data "aws_iam_policy_document" "flow_logs_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["vpc-flow-logs.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_iam_role_policy" "flow_logs" {
  name   = "write-flow-logs"
  role   = aws_iam_role.flow_logs.id
  policy = data.aws_iam_policy_document.flow_logs.json
}

data "aws_iam_policy_document" "flow_logs" {
  statement {
    actions = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
    resources = [
      aws_cloudwatch_log_group.flow_logs.arn,
      "${aws_cloudwatch_log_group.flow_logs.arn}:*",
    ]
  }
}

# Endpoints

resource "aws_vpc_endpoint" "s3" {
  vpc_id            = aws_vpc.lake.id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway" # free
  route_table_ids   = [aws_route_table.private.id]
  policy            = data.aws_iam_policy_document.endpoint.json

  tags = { Name = "${local.name_prefix}-s3" }
}

# In one zone, but for prod: each zone of each endpoint costs by the hour, and a night without DMS can be made up for.
resource "aws_vpc_endpoint" "service" {
  for_each = var.interface_endpoints

  vpc_id              = aws_vpc.lake.id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = var.environment == "prod" ? [for subnet in aws_subnet.private : subnet.id] : [aws_subnet.private["0"].id]
  security_group_ids  = [aws_security_group.endpoints.id]
  policy              = data.aws_iam_policy_document.endpoint.json

  tags = { Name = "${local.name_prefix}-${each.key}" }
}

# Nobody carries the lake's data to another account through here, nor another account's key into this network. Which
# action is allowed on what is the matter of the roles.
data "aws_iam_policy_document" "endpoint" {
  #checkov:skip=CKV_AWS_1:An endpoint's policy grants nothing; it bounds the accounts.
  #checkov:skip=CKV_AWS_49:An endpoint's policy grants nothing; it bounds the accounts.
  #checkov:skip=CKV_AWS_109:An endpoint's policy bounds the accounts; actions and resources are the roles' matter.
  #checkov:skip=CKV_AWS_111:An endpoint's policy bounds the accounts; actions and resources are the roles' matter.
  #checkov:skip=CKV_AWS_356:An endpoint's policy bounds the accounts; actions and resources are the roles' matter.
  #checkov:skip=CKV_AWS_283:The principals are bounded by their account in the condition.
  statement {
    actions   = ["*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:PrincipalAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceAccount"
      values   = [local.account_id]
    }
  }
}

# Security groups: who may speak to whom

resource "aws_security_group" "endpoints" {
  #checkov:skip=CKV2_AWS_5:It is attached to aws_vpc_endpoint.service.
  name        = "${local.name_prefix}-endpoints"
  description = "The interface endpoints of AWS services"
  vpc_id      = aws_vpc.lake.id
}

resource "aws_security_group" "glue" {
  #checkov:skip=CKV2_AWS_5:It is attached to aws_glue_connection.warehouse.
  name        = "${local.name_prefix}-glue"
  description = "Glue jobs that use a connection"
  vpc_id      = aws_vpc.lake.id
}

resource "aws_security_group" "dms" {
  #checkov:skip=CKV2_AWS_5:It is attached to aws_dms_replication_instance.customers, where that is enabled.
  name        = "${local.name_prefix}-dms"
  description = "The replication instance of DMS"
  vpc_id      = aws_vpc.lake.id
}

resource "aws_security_group" "redshift" {
  #checkov:skip=CKV2_AWS_5:It is attached to the Redshift workgroup, where that is enabled.
  name        = "${local.name_prefix}-redshift"
  description = "Redshift Serverless"
  vpc_id      = aws_vpc.lake.id
}

resource "aws_security_group" "notebook" {
  #checkov:skip=CKV2_AWS_5:It is attached to the SageMaker notebook, where that is enabled.
  name        = "${local.name_prefix}-notebook"
  description = "The SageMaker notebook"
  vpc_id      = aws_vpc.lake.id
}

locals {
  # Whoever works in the network calls AWS's services, all over HTTPS.
  callers = {
    glue     = aws_security_group.glue.id
    dms      = aws_security_group.dms.id
    redshift = aws_security_group.redshift.id
    notebook = aws_security_group.notebook.id
  }

  readers_of_database = {
    glue = aws_security_group.glue.id
    dms  = aws_security_group.dms.id
  }
}

resource "aws_vpc_security_group_ingress_rule" "endpoints" {
  for_each = local.callers

  security_group_id            = aws_security_group.endpoints.id
  description                  = "HTTPS from ${each.key}"
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "to_endpoints" {
  for_each = local.callers

  security_group_id            = each.value
  description                  = "HTTPS to the interface endpoints"
  referenced_security_group_id = aws_security_group.endpoints.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "to_s3" {
  for_each = local.callers

  security_group_id = each.value
  description       = "HTTPS to S3"
  prefix_list_id    = aws_vpc_endpoint.s3.prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "to_database" {
  for_each = local.readers_of_database

  security_group_id = each.value
  description       = "PostgreSQL, to rds-production"
  cidr_ipv4         = var.database_cidr
  ip_protocol       = "tcp"
  from_port         = var.rds_production.port
  to_port           = var.rds_production.port
}

# The workers of a Glue job speak to each other on any port; Glue refuses a group without these two.
# https://docs.aws.amazon.com/glue/latest/dg/setup-vpc-for-glue-access.html
resource "aws_vpc_security_group_ingress_rule" "glue_itself" {
  #checkov:skip=CKV_AWS_24:Only from the group itself.
  #checkov:skip=CKV_AWS_25:Only from the group itself.
  #checkov:skip=CKV_AWS_260:Only from the group itself.
  security_group_id            = aws_security_group.glue.id
  description                  = "A job's workers among themselves"
  referenced_security_group_id = aws_security_group.glue.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_vpc_security_group_egress_rule" "glue_itself" {
  security_group_id            = aws_security_group.glue.id
  description                  = "A job's workers among themselves"
  referenced_security_group_id = aws_security_group.glue.id
  ip_protocol                  = "tcp"
  from_port                    = 0
  to_port                      = 65535
}

resource "aws_vpc_security_group_ingress_rule" "redshift_from_glue" {
  security_group_id            = aws_security_group.redshift.id
  description                  = "SQL from Glue jobs with the connection redshift-warehouse"
  referenced_security_group_id = aws_security_group.glue.id
  ip_protocol                  = "tcp"
  from_port                    = var.redshift_warehouse.port
  to_port                      = var.redshift_warehouse.port
}

resource "aws_vpc_security_group_egress_rule" "glue_to_redshift" {
  security_group_id            = aws_security_group.glue.id
  description                  = "SQL to Redshift"
  referenced_security_group_id = aws_security_group.redshift.id
  ip_protocol                  = "tcp"
  from_port                    = var.redshift_warehouse.port
  to_port                      = var.redshift_warehouse.port
}
