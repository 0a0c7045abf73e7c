//! The services as AWS Lambda functions, which start without arguments.
//!
//! The program is `bootstrap` there, and the handler of the function names the service.

use std::env;
use std::ffi::OsString;

use super::arguments::CommonArguments;
use super::listen::ListenAddress;
use crate::cli::Printer;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::input::global::GlobalOptions;
use crate::domain::audit::ServiceName;

/// Variable that names the secret or parameter with the admin key.
pub(super) const ADMIN_KEY_SECRET: &str = "SGSEND_ADMIN_KEY_SECRET";
/// Variables that Lambda sets for its functions. Source: "Defined runtime environment variables".
const RUNTIME_API: &str = "AWS_LAMBDA_RUNTIME_API";
/// Handler in the configuration of the function.
const HANDLER: &str = "_HANDLER";
/// Format of the log in the configuration of the function.
const LOG_FORMAT: &str = "AWS_LAMBDA_LOG_FORMAT";

/// Returns whether Lambda has started this process.
pub(super) fn is_runtime() -> bool {
    env::args_os().len() <= 1 && env::var_os(RUNTIME_API).is_some()
}

/// Returns the arguments for a process that Lambda has started; `None` for any other process.
pub(crate) fn arguments(given: &[OsString]) -> Option<Vec<OsString>> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    if !given.is_empty() || variable(RUNTIME_API).is_none() {
        return None;
    }
    let log_format = variable("SGSEND_LOG_FORMAT").or_else(|| variable(LOG_FORMAT));
    Some(arguments_of(variable(HANDLER), log_format.as_ref().is_some_and(|format| format.eq_ignore_ascii_case("json"))))
}

fn arguments_of(handler: Option<OsString>, json_log: bool) -> Vec<OsString> {
    // An unknown handler becomes an unknown subcommand, and so an error that names the known ones.
    let mut arguments = vec!["serve".into(), handler.unwrap_or_default()];
    if json_log {
        arguments.extend(["--log-format".into(), "json".into()]);
    }
    arguments
}

/// Rejects a secret for the admin key where no extension can read it.
pub(super) fn check_no_secret() -> Result<(), Failure> {
    if env::var_os(ADMIN_KEY_SECRET).is_none_or(|value| value.is_empty()) {
        return Ok(());
    }
    let failure = Failure::usage(format!("{ADMIN_KEY_SECRET} is for Lambda functions only"));
    Err(failure.hint("use SGSEND_ADMIN_KEY_FILE"))
}

/// Runs a service as a Lambda function, until Lambda ends the process.
pub(super) fn run(
    services: &[(ServiceName, ListenAddress)],
    common: &CommonArguments,
    global: &GlobalOptions,
    printer: &Printer,
) -> anyhow::Result<()> {
    let [(service, _)] = services else {
        return Err(Failure::usage("the handler of a Lambda function must be public or admin").into());
    };
    #[cfg(feature = "lambda")]
    return function::run(*service, common, global, printer);
    #[cfg(not(feature = "lambda"))]
    {
        let _ = (service, common, global, printer);
        let failure = Failure::new(Exit::Other, "no_lambda", "this sgsend was built without Lambda");
        Err(failure.hint("build it with --features lambda").into())
    }
}

#[cfg(feature = "lambda")]
mod function {
    use zeroize::Zeroizing;

    use super::super::{admin_key, metrics_key, start_failure};
    use super::{ADMIN_KEY_SECRET, CommonArguments, Exit, Failure, GlobalOptions, Printer, ServiceName, env};
    use crate::domain::error::chain;
    use crate::server::lambda::{DEFAULT_EXTENSION_PORT, KeySecret, LambdaError, LambdaFunction};
    use crate::server::{Settings, StorageLocation};

    /// Variables without which the client of the runtime API cannot start.
    const REQUIRED: [&str; 3] =
        ["AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION"];

    pub(super) fn run(
        service: ServiceName,
        common: &CommonArguments,
        global: &GlobalOptions,
        printer: &Printer,
    ) -> anyhow::Result<()> {
        if let Some(missing) = REQUIRED.into_iter().find(|name| env::var_os(name).is_none()) {
            let failure = Failure::usage(format!("{missing} is not set, although Lambda sets it for each function"));
            return Err(failure.hint("start sgsend with arguments outside of Lambda").into());
        }
        let mut settings = common.settings()?;
        check(&settings, common)?;
        common.notifications.apply(&mut settings, global.ca_file.as_deref())?;
        let mut secret = None;
        if service == ServiceName::Admin {
            secret = secret_of(global)?;
            if secret.is_none() {
                settings.admin_key = Some(admin_key::load(global, false, printer)?.key);
            }
        }
        settings.metrics_key = metrics_key::load(common.monitoring.metrics_key_file(), settings.admin_key.as_ref())?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(LambdaFunction::new(service, settings, secret).run());
        Ok(ended.map_err(|error| match error {
            LambdaError::Start(error) => start_failure(&error, true),
            error @ (LambdaError::Secret(_) | LambdaError::Runtime(_)) => {
                Failure::new(Exit::Other, "lambda_failed", chain(&error))
            }
        })?)
    }

    /// Rejects settings that have no meaning in a function, or that would lose data there.
    fn check(settings: &Settings, common: &CommonArguments) -> Result<(), Failure> {
        match &settings.storage {
            StorageLocation::S3(location) if !location.bytes_only => {}
            StorageLocation::S3(_) => {
                let failure = Failure::usage("a Lambda function transfers payloads by presigned URLs only");
                return Err(failure.hint("omit flow=bytes in SGSEND_STORAGE"));
            }
            _ => {
                let failure = Failure::usage("a Lambda function needs a storage in a bucket");
                return Err(failure.hint("set SGSEND_STORAGE to s3://BUCKET/PREFIX"));
            }
        }
        if settings.tls.is_some() {
            let failure = Failure::usage("a Lambda function has no certificate of its own: its URL is served over TLS");
            return Err(failure.hint("unset SGSEND_TLS_CERT and SGSEND_TLS_KEY"));
        }
        if common.loses_data() {
            return Err(Failure::usage("SGSEND_DURABILITY=none is for benchmarks only").hint("unset it"));
        }
        Ok(())
    }

    /// Returns the secret with the admin key, if one is named.
    fn secret_of(global: &GlobalOptions) -> Result<Option<KeySecret>, Failure> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let Some(id) = variable(ADMIN_KEY_SECRET) else { return Ok(None) };
        let others = ["SGSEND_ADMIN_KEY", "SGSEND_ADMIN_KEY_FILE"];
        if let Some(other) = others.into_iter().find(|name| env::var_os(name).is_some_and(|value| !value.is_empty())) {
            let failure = Failure::usage(format!("{ADMIN_KEY_SECRET} and {other} both name an admin key"));
            return Err(failure.hint("unset one of them"));
        }
        let port = match variable("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT") {
            None => DEFAULT_EXTENSION_PORT,
            Some(port) => port.parse().map_err(|_| {
                let failure = Failure::usage("PARAMETERS_SECRETS_EXTENSION_HTTP_PORT is no port");
                failure.hint("unset it for port 2773")
            })?,
        };
        debug_assert!(global.admin_key_file.is_none(), "a function has no arguments");
        let token = Zeroizing::new(variable("AWS_SESSION_TOKEN").unwrap_or_default());
        Ok(Some(KeySecret::new(id, port, token)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_handler_is_the_service() {
        let text = |handler: &str, json| {
            let arguments = arguments_of(Some(handler.into()), json);
            arguments.iter().map(|argument| argument.to_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(text("public", false), ["serve", "public"]);
        assert_eq!(text("admin", true), ["serve", "admin", "--log-format", "json"]);
        assert_eq!(arguments_of(None, false).len(), 2);
    }

    #[test]
    fn commands_with_arguments_are_never_functions() {
        assert_eq!(arguments(&["upload".into()]), None);
    }
}
