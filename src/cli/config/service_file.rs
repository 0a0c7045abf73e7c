//! The configuration file of a service: the flags of `sgsend serve` by their long names, in TOML.

use std::ffi::OsString;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use toml::de::{DeTable, DeValue};

use super::variables::value_of;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::cli::failure::usage;

/// Name of the flag with the path of the file.
const FLAG: &str = "config-file";
/// Global option that a file may set, beside [`CA_FILE`]: the others belong to commands.
const ADMIN_KEY_FILE: &str = "admin-key-file";
/// Global option with the certificate authorities of the services that a service calls.
const CA_FILE: &str = "ca-file";
/// Files of secrets, and the variables that override them without being bound to the flag.
const SECRETS: [(&str, [&str; 2]); 2] = [
    (ADMIN_KEY_FILE, ["SGSEND_ADMIN_KEY", "SGSEND_ADMIN_KEY_FILE"]),
    ("metrics-key-file", ["SGSEND_METRICS_KEY", "SGSEND_METRICS_KEY_FILE"]),
];
/// Similarity of an unknown key and a known one, from 0 to 1, above which the known one is suggested.
const SIMILAR: f64 = 0.7;

/// Why a command line, with the file that it names, cannot be used.
pub(crate) enum ParseFailure {
    /// The parser rejects the command line itself.
    CommandLine(Error),
    /// The file cannot be used.
    File(Failure),
}

/// A setting of a file.
struct FileSetting {
    key: String,
    /// Line of the key, from 1.
    line: usize,
    value: FileValue,
}

/// Value of a setting.
enum FileValue {
    Boolean(bool),
    Texts(Vec<String>),
}

/// Parses `arguments`. For a service with a file, adds the settings of the file that neither a flag nor the environment
/// has.
pub(crate) fn parse(mut command: Command, arguments: &[OsString]) -> Result<ArgMatches, ParseFailure> {
    let program = || std::iter::once(OsString::from("sgsend")).chain(arguments.iter().cloned());
    let mut added = Vec::new();
    let mut source = None;
    // The file may complete this command line, so its other errors wait.
    if arguments.iter().any(|argument| argument == "serve")
        && let Ok(matches) = command.clone().ignore_errors(true).try_get_matches_from(program())
        && let Some((service, matches)) = service_of(&command, &matches)
        && let Ok(Some(path)) = matches.try_get_one::<PathBuf>("config_file")
    {
        let settings = read(path, service, &command).map_err(ParseFailure::File)?;
        for setting in &settings {
            if !is_set(service, &command, matches, &setting.key) {
                added.extend(arguments_of(setting, service).map_err(|reason| {
                    ParseFailure::File(unusable(path, &format!("line {}: {reason}", setting.line)))
                })?);
            }
        }
        source = Some((path.clone(), settings));
    }
    let parsed = command.try_get_matches_from_mut(program().chain(added));
    // Its memory lives as long as the process: freeing it takes a tenth of the instructions of a small upload.
    std::mem::forget(command);
    parsed.map_err(|error| {
        let in_file = source.and_then(|(path, settings)| wrong_value(&error, &path, &settings));
        in_file.map_or(ParseFailure::CommandLine(error), ParseFailure::File)
    })
}

/// Returns the command `serve SERVICE` with its arguments, if that is the command line.
fn service_of<'a>(command: &'a Command, matches: &'a ArgMatches) -> Option<(&'a Command, &'a ArgMatches)> {
    let (name, matches) = matches.subcommand().filter(|(name, _)| *name == "serve")?;
    let serve = command.find_subcommand(name)?;
    let (name, matches) = matches.subcommand()?;
    Some((serve.find_subcommand(name)?, matches))
}

/// Returns the argument that a key sets.
fn argument<'a>(key: &str, service: &'a Command, command: &'a Command) -> Option<&'a Arg> {
    let long = |argument: &&Arg| argument.get_long() == Some(key);
    match key {
        FLAG => None,
        ADMIN_KEY_FILE | CA_FILE => command.get_arguments().find(long),
        _ => service.get_arguments().find(long),
    }
}

/// Returns whether a flag or the environment sets a key.
fn is_set(service: &Command, command: &Command, matches: &ArgMatches, key: &str) -> bool {
    let variables = SECRETS.iter().find(|(secret, _)| *secret == key).map(|(_, variables)| variables);
    let by_variable = variables.is_some_and(|names| names.iter().any(|name| value_of(name).is_some()));
    let id = argument(key, service, command).map(|argument| argument.get_id().as_str());
    let source = id.filter(|id| matches.try_contains_id(id).unwrap_or(false)).and_then(|id| matches.value_source(id));
    by_variable || matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// Returns the arguments that stand for a setting.
///
/// # Errors
/// Why the value does not suit the flag.
fn arguments_of(setting: &FileSetting, service: &Command) -> Result<Vec<OsString>, String> {
    let key = &setting.key;
    let own = service.get_arguments().find(|argument| argument.get_long() == Some(key));
    let is_switch = own.is_some_and(|argument| matches!(argument.get_action(), ArgAction::SetTrue));
    let flag = format!("--{key}");
    match &setting.value {
        FileValue::Boolean(true) if is_switch => Ok(vec![flag.into()]),
        FileValue::Boolean(false) if is_switch => Ok(Vec::new()),
        FileValue::Texts(texts) if is_switch => match texts.as_slice() {
            [text] => {
                let is_set = crate::cli::input::values::boolean(text);
                is_set.map(|is_set| is_set.then(|| flag.into()).into_iter().collect())
            }
            _ => Err("expected one value".to_owned()),
        }
        .map_err(|reason: String| format!("`{key}`: {reason}")),
        FileValue::Boolean(_) => Err(format!("`{key}` is not a boolean")),
        FileValue::Texts(texts) => Ok(texts.iter().map(|text| format!("{flag}={text}").into()).collect()),
    }
}

/// Reads the settings of a file, in its order.
fn read(path: &Path, service: &Command, command: &Command) -> Result<Vec<FileSetting>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| unusable(path, &error.to_string()))?;
    let line = |span: &Range<usize>| 1 + text[..span.start].matches('\n').count();
    let at = |span: &Range<usize>, reason: &str| unusable(path, &format!("line {}: {reason}", line(span)));
    let table = DeTable::parse(&text).map_err(|error| match error.span() {
        Some(span) => at(&span, error.message()),
        None => unusable(path, error.message()),
    })?;
    let mut settings = Vec::new();
    for (key, value) in table.get_ref() {
        let (name, span) = (key.get_ref().to_string(), key.span());
        if argument(&name, service, command).is_none() {
            let hint = suggestion(&name, service);
            return Err(at(&span, &format!("unknown key `{name}`{hint}")));
        }
        // No error quotes a value.
        let value = value_in(value.get_ref())
            .ok_or_else(|| at(&span, &format!("`{name}` is not a text, a whole number, a boolean or a list")))?;
        settings.push(FileSetting { key: name, line: line(&span), value });
    }
    settings.sort_by_key(|setting| setting.line);
    Ok(settings)
}

/// Returns the value of a key; `None` for a type that no flag has.
fn value_in(value: &DeValue<'_>) -> Option<FileValue> {
    let text = |value: &DeValue<'_>| match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        _ => None,
    };
    match value {
        DeValue::Boolean(is_set) => Some(FileValue::Boolean(*is_set)),
        DeValue::Array(items) => {
            items.iter().map(|item| text(item.get_ref())).collect::<Option<_>>().map(FileValue::Texts)
        }
        value => text(value).map(|text| FileValue::Texts(vec![text])),
    }
}

/// Returns the most similar key of the service, as the end of a sentence.
fn suggestion(unknown: &str, service: &Command) -> String {
    let plain = unknown.to_lowercase().replace('_', "-");
    let known = service.get_arguments().filter_map(Arg::get_long).filter(|long| *long != FLAG && *long != "help");
    let rated = known.chain([ADMIN_KEY_FILE]).map(|known| (strsim::jaro_winkler(&plain, known), known));
    let nearest = rated.filter(|(rating, _)| *rating > SIMILAR).max_by(|one, other| one.0.total_cmp(&other.0));
    nearest.map_or_else(
        || format!(": the keys are the flags of `serve {}`", service.get_name()),
        |(_, known)| format!(": did you mean `{known}`?"),
    )
}

/// Returns the failure for a value of the file that the parser rejects.
fn wrong_value(error: &Error, path: &Path, settings: &[FileSetting]) -> Option<Failure> {
    if !matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation) {
        return None;
    }
    let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg) else { return None };
    let key = flag.split(' ').next()?.strip_prefix("--")?;
    let setting = settings.iter().find(|setting| setting.key == key)?;
    let message =
        usage::failure(&error.render().to_string()).message.replace(&format!("'{flag}'"), &format!("`{key}`"));
    Some(unusable(path, &format!("line {}: {message}", setting.line)))
}

fn unusable(path: &Path, reason: &str) -> Failure {
    let message = format!("cannot use the configuration {}: {reason}", path.display());
    Failure::new(Exit::Usage, "config", message).hint("correct the file of --config-file")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::command_line;

    fn parsed(service: &str, text: &str, flags: &[&str]) -> Result<ArgMatches, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let file = file.path().to_str().unwrap();
        let arguments = [&["serve", service, "--config-file", file], flags].concat();
        let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
        let matches = parse(command_line(), &arguments).map_err(|failure| match failure {
            ParseFailure::CommandLine(error) => error.to_string(),
            ParseFailure::File(failure) => failure.message,
        })?;
        let (_, serve) = matches.subcommand().unwrap();
        Ok(serve.subcommand().unwrap().1.clone())
    }

    fn raw(matches: &ArgMatches, id: &str) -> Vec<String> {
        let values = matches.get_raw(id).into_iter().flatten();
        values.map(|value| value.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_has_the_flags_and_a_flag_takes_precedence() {
        let text = "# Comment\nmax-size = \"2GiB\"\nmin-body-rate = 0\nno-bytes-fallback = true\ns3-path-style = \"Yes\"\n\
            trusted-proxy = [\"10.0.0.0/8\", \"192.0.2.1\"]\nadmin-key-file = \"/k\"\nca-file = \"/c\"\n\
            retain-audit = \"1d\"\n";
        let matches = parsed("all", text, &["--retain-audit", "2d"]).unwrap();
        assert_eq!(raw(&matches, "max_size"), ["2GiB"]);
        assert_eq!(raw(&matches, "min_body_rate"), ["0"]);
        assert_eq!(raw(&matches, "trusted_proxy"), ["10.0.0.0/8", "192.0.2.1"]);
        assert_eq!(raw(&matches, "admin_key_file"), ["/k"]);
        assert_eq!(raw(&matches, "ca_file"), ["/c"]);
        assert_eq!(raw(&matches, "retain_audit"), ["2d"]);
        assert!(matches.get_flag("no_bytes_fallback") && matches.get_flag("s3_path_style"));
        let off = parsed("all", "no-bytes-fallback = false\ns3-path-style = \"off\"\n", &[]).unwrap();
        assert!(!off.get_flag("no_bytes_fallback") && !off.get_flag("s3_path_style"));
    }

    #[test]
    fn a_flag_and_the_file_complete_each_other() {
        assert!(parsed("public", "tls-key = \"key.pem\"\n", &["--tls-cert", "cert.pem"]).is_ok());
        let alone = parsed("public", "tls-key = \"key.pem\"\n", &[]).unwrap_err();
        assert!(alone.contains("--tls-cert"), "{alone}");
    }

    #[test]
    fn unknown_keys_name_the_nearest_one() {
        for (text, nearest) in [
            ("\nmax_size = \"1GiB\"\n", "line 2: unknown key `max_size`: did you mean `max-size`?"),
            ("trusted-proxies = []\n", "did you mean `trusted-proxy`?"),
            ("Listen = \":80\"\n", "did you mean `listen`?"),
            ("admin-key = \"sgs_secret\"\n", "did you mean `admin-key-file`?"),
            ("metrics-key = \"sgs_secret\"\n", "did you mean `metrics-key-file`?"),
            ("qqq = \"sgs_secret\"\n", "the keys are the flags of `serve public`"),
            ("config-file = \"x\"\n", "line 1: unknown key"),
            ("token = \"sgs_secret\"\n", "line 1: unknown key"),
            ("help = true\n", "line 1: unknown key"),
            ("[public]\nlisten = \":80\"\n", "line 1: unknown key"),
        ] {
            let message = parsed("public", text, &[]).unwrap_err();
            assert!(message.contains(nearest), "{text}: {message}");
            assert!(!message.contains("secret"), "{message}");
        }
        assert!(parsed("public", "admin-listen = \":80\"\n", &[]).unwrap_err().contains("unknown key"));
        assert!(parsed("all", "admin-listen = \":80\"\n", &[]).is_ok());
    }

    #[test]
    fn wrong_values_name_line_and_key() {
        for (text, named) in [
            ("ip-mode = \"some\"\n", "line 1: invalid value 'some' for `ip-mode`"),
            ("#\nmax-size = 0\n", "line 2: invalid value '0' for `max-size`"),
            ("max-size = true\n", "line 1: `max-size` is not a boolean"),
            ("max-size = 1.5\n", "line 1: `max-size` is not a text"),
            ("no-bytes-fallback = \"maybe\"\n", "line 1: `no-bytes-fallback`: expected 1, true, yes or on"),
            ("max-size = \n", "line 1: "),
            ("max-size = 1\nmax-size = 2\n", "line 2: "),
        ] {
            let message = parsed("public", text, &[]).unwrap_err();
            assert!(message.contains(named), "{text}: {message}");
        }
        let missing = parse(command_line(), &["serve", "all", "--config-file", "/no/such"].map(OsString::from));
        assert!(matches!(missing, Err(ParseFailure::File(failure)) if failure.message.contains("/no/such")));
    }
}
