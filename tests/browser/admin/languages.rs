//! The admin page in each language: durations as its readers write them.

use serde_json::json;

use crate::support::{Service, chromium};

/// Languages with two durations as the texts of the page write them: 90 days and 12 hours.
const DURATIONS: [(&str, [&str; 2]); 6] = [
    ("en", ["90 days", "12 h"]),
    ("de", ["90 Tage", "12 Std."]),
    ("fr", ["90 jours", "12 h"]),
    ("es", ["90 días", "12 h"]),
    ("ja", ["90 日", "12 時間"]),
    ("ar", ["90 يومًا", "12 ساعة"]),
];

/// Sizes as readers of each language write them: 2 GiB and 1.5 MB.
const SIZES: [(&str, [&str; 2]); 6] = [
    ("en", ["2 GiB", "1.5 MB"]),
    ("de", ["2 GiB", "1,5 MB"]),
    ("fr", ["2 Gio", "1,5 Mo"]),
    ("es", ["2GiB", "1,5 MB"]),
    ("ja", ["2 gib", "1.5MB"]),
    ("ar", ["٢ GiB", "١٫٥ MB"]),
];

#[tokio::test]
async fn sizes_are_read_as_each_language_writes_them() {
    let service = Service::start();
    chromium(async |browser| {
        for (language, examples) in SIZES {
            browser.goto(&service.admin_page()).await;
            browser.set_language(language).await;
            browser.reload().await;
            let parse = "const { bytesIn } = await import(new URL('web/admin/parse.js', location.href));
                return args.map((text) => bytesIn(text) ?? null)";
            assert_eq!(
                browser.script(parse, json!(examples)).await,
                json!([2_147_483_648_u64, 1_500_000]),
                "{language}"
            );
            let wrong = ["", "GiB", "1,000,000", "-1", "2 GB of 3", "0.4 B"];
            assert_eq!(
                browser.script(parse, json!(wrong)).await,
                json!([null, null, null, null, null, null]),
                "{language}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn durations_are_read_as_the_page_writes_them() {
    let service = Service::start();
    chromium(async |browser| {
        for (language, examples) in DURATIONS {
            browser.goto(&service.admin_page()).await;
            browser.set_language(language).await;
            browser.reload().await;
            let parse = "const { secondsIn } = await import(new URL('web/admin/parse.js', location.href));
                const { span } = await import(new URL('web/ui/format.js', location.href));
                const { t } = await import(new URL('web/ui/text.js', location.href));
                const durations = [1, 45, 60, 120, 3600, 43200, 86400, 172800, 604800, 950400, 7776000];
                const wrong = ['soon', '', '5', '-1 day', '1.5 days', '2 parsecs', '0 s'];
                return {
                  examples: args.map(secondsIn),
                  texts: [t('admin.wrong_expiry'), t('admin.expires_in_hint')],
                  changed: durations.filter((seconds) => secondsIn(span(seconds)) !== seconds),
                  accepted: wrong.filter((text) => secondsIn(text) !== undefined),
                  inflected: [['de', '90 Tagen'], ['ar', 'يومين']].flatMap(([language, text]) =>
                    document.documentElement.lang === language ? [secondsIn(text) / 86400] : []),
                  english: ['90 days', '1h 30m', '2 weeks'].map(secondsIn),
                }";
            let found = browser.script(parse, json!(examples)).await;
            assert_eq!(found["examples"], json!([90 * 86_400, 12 * 3_600]), "{language}");
            assert_eq!((&found["changed"], &found["accepted"]), (&json!([]), &json!([])), "{language}");
            let inflected: &[u64] = match language {
                "de" => &[90],
                "ar" => &[2],
                _ => &[],
            };
            assert_eq!(found["inflected"], json!(inflected), "{language}");
            assert_eq!(found["english"], json!([90 * 86_400, 5_400, 14 * 86_400]), "{language}");
            for text in found["texts"].as_array().unwrap() {
                let text = text.as_str().unwrap();
                assert!(examples.iter().all(|example| text.contains(example)), "{language}: {text}");
            }
        }
    })
    .await;
}
