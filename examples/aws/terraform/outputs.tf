output "public_url" {
  description = "URL for senders and recipients: sgsend --server"
  value       = aws_lambda_function_url.service["public"].function_url
}

output "admin_url" {
  description = "URL for admins: sgsend --admin-server"
  value       = aws_lambda_function_url.service["admin"].function_url
}

output "storage" {
  description = "Storage, for sgsend doctor and sgsend store"
  value       = local.environment.SGSEND_STORAGE
}
