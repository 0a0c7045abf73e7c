variable "bucket" {
  description = "Name of the bucket"
  type        = string
}

variable "admin_key_secret_arn" {
  description = "ARN of the secret whose text is the admin key, of at least 32 characters"
  type        = string
}

variable "secrets_extension_layer_arn" {
  description = "ARN of AWS-Parameters-and-Secrets-Lambda-Extension for the region and architecture, from the AWS documentation"
  type        = string
}

variable "zip" {
  description = "File made by packaging/lambda.sh"
  type        = string
}

variable "architecture" {
  description = "Architecture of the binary in the zip: x86_64 or arm64"
  type        = string
  default     = "x86_64"
  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "The architecture must be x86_64 or arm64."
  }
}

variable "name" {
  description = "Start of the names of functions, roles and rule"
  type        = string
  default     = "sgsend"
}

variable "prefix" {
  description = "Key prefix of the store, without a slash at either end"
  type        = string
  default     = "store"
}

variable "max_size" {
  description = "Maximum content size of a transfer"
  type        = string
  default     = "1GiB"
}

variable "environment" {
  description = "Further settings of both functions, such as SGSEND_PUBLIC_URL"
  type        = map(string)
  default     = {}
}

variable "page_origins" {
  description = "Further origins whose pages use the bucket, such as that of a domain name of your own"
  type        = list(string)
  default     = []
}

variable "memory_size" {
  description = "Memory of each function in MB; the share of a processor grows with it"
  type        = number
  default     = 512
}

variable "reserved_concurrency" {
  description = "Maximum number of instances of each function, which bounds the cost of a flood; -1 for the account's limit"
  type        = number
  default     = -1
}

variable "sweep_schedule" {
  description = "Schedule of the sweep"
  type        = string
  default     = "rate(5 minutes)"
}

variable "log_retention_days" {
  description = "Retention of the logs in days"
  type        = number
  default     = 30
}
