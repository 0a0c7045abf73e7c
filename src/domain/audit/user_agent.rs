//! User agents in audit records.

/// Returns the product family of a user agent.
///
/// The family distinguishes browsers from scripts, but is too coarse to identify people.
pub(in crate::domain) fn family_of(agent: &str) -> &'static str {
    // Order matters: Edge and Chrome user agents also contain `Safari`, and almost all contain `Mozilla`.
    const FAMILIES: [(&str, &str); 12] = [
        ("sgsend/", "sgsend"),
        ("curl/", "curl"),
        ("Wget/", "Wget"),
        ("python", "Python"),
        ("Python", "Python"),
        ("Go-http-client", "Go"),
        ("Edg", "Edge"),
        ("Firefox/", "Firefox"),
        ("Chromium/", "Chrome"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("bot", "bot"),
    ];
    FAMILIES.iter().find(|(pattern, _)| agent.contains(pattern)).map_or("other", |(_, family)| family)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agents_are_reduced_to_families() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
        let edge =
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0";
        for (agent, family) in [(firefox, "Firefox"), (edge, "Edge"), ("curl/8.5.0", "curl"), ("", "other")] {
            assert_eq!(family_of(agent), family);
        }
    }
}
