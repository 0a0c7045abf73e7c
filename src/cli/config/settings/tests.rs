use clap::Parser;

use super::*;

/// A command line of global options only.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    global: GlobalOptions,
}

fn global(flags: &[&str]) -> GlobalOptions {
    let line = ["sgsend"].iter().chain(flags);
    Arguments::try_parse_from(line).map_err(|error| error.to_string()).unwrap().global
}

fn text(token: &str) -> SecretSource {
    SecretSource::Text(token.to_owned().into())
}

fn settings(flags: &[&str], environment: &Environment, profile: &Profile) -> UserSettings {
    UserSettings::new(&global(flags), environment, profile, Path::new("/config")).unwrap()
}

fn token_for(settings: &UserSettings, server: &str) -> Option<String> {
    let origin = Origin::from(&server.parse::<BaseUrl>().unwrap());
    settings.token_of(&origin).map(|source| match source {
        SecretSource::Text(text) => text.as_str().to_owned(),
        SecretSource::File(path) => path.display().to_string(),
    })
}

#[test]
fn flags_override_the_environment_which_overrides_the_profile() {
    let environment = Environment { server: Some("https://env.example".into()), ..Environment::default() };
    let profile = Profile {
        server: Some("https://profile.example".into()),
        ca_file: Some("ca.pem".into()),
        ..Profile::default()
    };
    let server = |flags: &[&str], environment: &Environment, profile: &Profile| {
        settings(flags, environment, profile).server().to_string()
    };
    assert_eq!(server(&["-s", "https://flag.example"], &environment, &profile), "https://flag.example");
    assert_eq!(server(&[], &environment, &profile), "https://env.example");
    assert_eq!(server(&[], &Environment::default(), &profile), "https://profile.example");
    assert_eq!(server(&[], &Environment::default(), &Profile::default()), DEFAULT_SERVER);
    let ca_file = settings(&[], &environment, &profile).ca_file();
    assert_eq!(ca_file, Some("/config/ca.pem".into()), "paths of a profile are relative to its file");
}

#[test]
fn a_rate_of_the_environment_overrides_that_of_the_profile() {
    let with = |rate: &str| Profile { limit_rate: Some(rate.into()), ..Profile::default() };
    let environment = Environment { limit_rate: Some("2MiB".into()), ..Environment::default() };
    let rate = |environment: &Environment, profile: &Profile| {
        settings(&[], environment, profile).limit_rate().map(ByteRate::bytes_per_second)
    };
    assert_eq!(rate(&environment, &with("1MiB")), Some(2 << 20));
    assert_eq!(rate(&Environment::default(), &with("1MiB")), Some(1 << 20));
    assert_eq!(rate(&Environment::default(), &Profile::default()), None);
    let refused = UserSettings::new(&global(&[]), &Environment::default(), &with("2M"), Path::new("/config")).err();
    let message = refused.unwrap().message;
    assert!(message.starts_with("`limit_rate` of the profile: ") && message.ends_with("2MiB or 2MB"), "{message}");
}

#[test]
fn a_profile_token_is_bound_to_the_profile_server() {
    let profile =
        Profile { server: Some("https://a.example".into()), token: Some("of-a".into()), ..Profile::default() };
    let settings = settings(&["-s", "https://b.example"], &Environment::default(), &profile);
    assert_eq!(token_for(&settings, "https://b.example"), None);
    assert_eq!(token_for(&settings, "http://a.example"), None);
    assert_eq!(token_for(&settings, "https://a.example/base"), Some("of-a".into()));
}

#[test]
fn a_token_without_a_server_belongs_to_the_current_server() {
    let environment = Environment { token: Some(text("env")), ..Environment::default() };
    let profile =
        Profile { server: Some("https://a.example".into()), token: Some("of-a".into()), ..Profile::default() };
    let settings_of_b = settings(&["-s", "https://b.example"], &environment, &profile);
    assert_eq!(token_for(&settings_of_b, "https://b.example"), Some("env".into()));
    assert_eq!(token_for(&settings_of_b, "https://a.example"), Some("of-a".into()));
    assert_eq!(token_for(&settings_of_b, "https://c.example"), None);
    let flagged = settings(&["--token", "flag"], &environment, &profile);
    assert_eq!(token_for(&flagged, "https://a.example"), Some("flag".into()));
}

#[test]
fn an_environment_token_is_bound_to_the_environment_server() {
    let environment =
        Environment { server: Some("https://a.example".into()), token: Some(text("env")), ..Environment::default() };
    let settings = settings(&["-s", "https://b.example"], &environment, &Profile::default());
    assert_eq!(token_for(&settings, "https://b.example"), None);
    assert_eq!(token_for(&settings, "https://a.example"), Some("env".into()));
}

#[test]
fn invalid_server_urls_are_usage_errors() {
    for server in ["send.example", "ftp://send.example", "https://me:secret@send.example", "https://x/?y=secret"] {
        let result =
            UserSettings::new(&global(&["-s", server]), &Environment::default(), &Profile::default(), Path::new("/"));
        let failure = result.err().unwrap();
        assert_eq!(failure.exit, crate::cli::Exit::Usage);
        assert!(!failure.message.contains("secret"), "{}", failure.message);
    }
}
