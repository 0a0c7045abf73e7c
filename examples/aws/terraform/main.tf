# Two Lambda functions of sgsend over a bucket: buckets, roles, functions, URLs, schedule and lifecycle rules.
#
# README.md in the folder above says how to use it.

terraform {
  required_version = ">= 1.6"
  required_providers {
    aws = {
      source = "hashicorp/aws"
      # The first version with `invoked_via_function_url`, which URLs need since October 2025.
      version = ">= 6.29"
    }
  }
}

locals {
  # The policy that `cargo test` compares with the requests that sgsend sends.
  policy = replace(replace(file("${path.module}/../iam-policy.json"), "BUCKET", aws_s3_bucket.store.bucket), "PREFIX", var.prefix)
  origin = trimsuffix(aws_lambda_function_url.service["public"].function_url, "/")
  environment = merge({
    SGSEND_STORAGE  = "s3://${aws_s3_bucket.store.bucket}/${var.prefix}"
    SGSEND_MAX_SIZE = var.max_size
  }, var.environment)
  services = {
    public = {
      environment = {}
      layers      = []
      timeout     = 30
    }
    admin = {
      environment = { SGSEND_ADMIN_KEY_SECRET = var.admin_key_secret_arn }
      layers      = [var.secrets_extension_layer_arn]
      # A sweep may take longer than a request.
      timeout = 300
    }
  }
}

# The bucket. Without versioning and object lock, which would keep deleted payloads.

resource "aws_s3_bucket" "store" {
  bucket = var.bucket
}

resource "aws_s3_bucket_public_access_block" "store" {
  bucket                  = aws_s3_bucket.store.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "store" {
  bucket = aws_s3_bucket.store.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "store" {
  bucket = aws_s3_bucket.store.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "store" {
  bucket = aws_s3_bucket.store.id
  rule {
    id     = "sgsend-unfinished-uploads"
    status = "Enabled"
    filter {
      prefix = "${var.prefix}/"
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
}

# The page uploads and downloads by presigned URLs.
resource "aws_s3_bucket_cors_configuration" "store" {
  bucket = aws_s3_bucket.store.id
  cors_rule {
    id              = "sgsend"
    allowed_origins = concat([local.origin], var.page_origins)
    allowed_methods = ["GET", "HEAD", "PUT"]
    allowed_headers = ["content-type", "if-none-match", "range"]
    expose_headers  = ["ETag", "Content-Length", "Content-Range"]
    max_age_seconds = 3600
  }
}

data "aws_iam_policy_document" "tls_only" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.store.arn, "${aws_s3_bucket.store.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "store" {
  bucket     = aws_s3_bucket.store.id
  policy     = data.aws_iam_policy_document.tls_only.json
  depends_on = [aws_s3_bucket_public_access_block.store]
}

# One role per function: only the admin function may read the admin key.

data "aws_iam_policy_document" "lambda" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "service" {
  for_each           = local.services
  name               = "${var.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.lambda.json
}

resource "aws_iam_role_policy" "store" {
  for_each = local.services
  name     = "store"
  role     = aws_iam_role.service[each.key].id
  policy   = local.policy
}

data "aws_iam_policy_document" "log" {
  for_each = local.services
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.service[each.key].arn}:*"]
  }
}

resource "aws_iam_role_policy" "log" {
  for_each = local.services
  name     = "log"
  role     = aws_iam_role.service[each.key].id
  policy   = data.aws_iam_policy_document.log[each.key].json
}

data "aws_iam_policy_document" "admin_key" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.admin_key_secret_arn]
  }
}

resource "aws_iam_role_policy" "admin_key" {
  name   = "admin-key"
  role   = aws_iam_role.service["admin"].id
  policy = data.aws_iam_policy_document.admin_key.json
}

# The functions, and their URLs.

resource "aws_cloudwatch_log_group" "service" {
  for_each          = local.services
  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "service" {
  for_each                       = local.services
  function_name                  = "${var.name}-${each.key}"
  role                           = aws_iam_role.service[each.key].arn
  filename                       = var.zip
  source_code_hash               = filebase64sha256(var.zip)
  runtime                        = "provided.al2023"
  handler                        = each.key
  architectures                  = [var.architecture]
  memory_size                    = var.memory_size
  timeout                        = each.value.timeout
  layers                         = each.value.layers
  reserved_concurrent_executions = var.reserved_concurrency

  environment {
    variables = merge(local.environment, each.value.environment)
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.service[each.key].name
  }
}

resource "aws_lambda_function_url" "service" {
  for_each           = local.services
  function_name      = aws_lambda_function.service[each.key].function_name
  authorization_type = "NONE"
}

resource "aws_lambda_permission" "url" {
  for_each               = local.services
  statement_id           = "AllowFunctionUrl"
  action                 = "lambda:InvokeFunctionUrl"
  function_name          = aws_lambda_function.service[each.key].function_name
  principal              = "*"
  function_url_auth_type = "NONE"
}

resource "aws_lambda_permission" "invoke" {
  for_each                 = local.services
  statement_id             = "AllowInvokeByFunctionUrl"
  action                   = "lambda:InvokeFunction"
  function_name            = aws_lambda_function.service[each.key].function_name
  principal                = "*"
  invoked_via_function_url = true
}

# The schedule of the sweep.

resource "aws_cloudwatch_event_rule" "sweep" {
  name                = "${var.name}-sweep"
  schedule_expression = var.sweep_schedule
}

resource "aws_cloudwatch_event_target" "sweep" {
  rule = aws_cloudwatch_event_rule.sweep.name
  arn  = aws_lambda_function.service["admin"].arn
}

resource "aws_lambda_permission" "sweep" {
  statement_id  = "AllowSchedule"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.service["admin"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.sweep.arn
}
