//! Loads the metrics key of the services.

use std::path::Path;

use zeroize::Zeroizing;

use super::admin_key::{GENERATE, read};
use crate::cli::config::variables::value_of;
use crate::cli::failure::Failure;
use crate::cli::failure::exit::Exit;
use crate::server::{AdminKey, MetricsKey};

/// Returns the metrics key in `file`, or that of the environment; `None` if no key is configured.
///
/// # Errors
/// If the first configured key is unreadable, too short, or equal to `admin_key`.
pub(super) fn load(file: Option<&Path>, admin_key: Option<&AdminKey>) -> Result<Option<MetricsKey>, Failure> {
    let from_file = |file: &Path| {
        Ok::<_, Failure>((read(file, "metrics key", "metrics_key_unreadable")?, file.display().to_string()))
    };
    let (text, source) = if let Some(file) = file {
        from_file(file)?
    } else if let Some(key) = value_of("SGSEND_METRICS_KEY") {
        (Zeroizing::new(key.to_string_lossy().into_owned()), "SGSEND_METRICS_KEY".to_owned())
    } else if let Some(file) = value_of("SGSEND_METRICS_KEY_FILE") {
        from_file(Path::new(&file))?
    } else {
        return Ok(None);
    };
    let weak = |message: String| Failure::new(Exit::Usage, "metrics_key_weak", message).hint(GENERATE);
    let key =
        MetricsKey::new(&text).map_err(|error| weak(format!("the metrics key in {source} is too short: {error}")))?;
    if admin_key.is_some_and(|admin_key| admin_key.matches(key.reveal())) {
        return Err(weak(format!("the metrics key in {source} is the admin key, which opens everything")));
    }
    Ok(Some(key))
}
