//! Pages from their templates: texts of a language, and the branding.
//!
//! `{{group.key}}` stands for a text of the catalogue, and `{{@name}}` for a part that this module writes. Each value is
//! escaped, and none comes from a request.

use std::fmt::Write;

use super::branding::Branding;
use super::catalogue::Catalogue;
use super::html::escaped;
use super::language::Language;

/// Name of a service without branding.
const SITE_NAME: &str = "sgsend";

/// Template of a page, with the values for its placeholders.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageTemplate<'a> {
    /// HTML with placeholders.
    pub(super) html: &'a str,
    /// Relative path from the page to the root of the service.
    pub(super) root: &'a str,
    /// URL path of the page's stylesheet below `web/`.
    pub(super) stylesheet: &'a str,
    /// URL paths of the page's script and of the scripts it imports, the page's own first.
    pub(super) scripts: &'a [String],
    /// Groups of texts that the scripts use.
    pub(super) groups: &'a [&'a str],
}

impl PageTemplate<'_> {
    /// Renders the page.
    ///
    /// # Panics
    /// If the template names an unknown part or text. The tests render each page in each language.
    pub(super) fn render(&self, language: Language, catalogue: &Catalogue, branding: &Branding) -> String {
        let mut page = String::with_capacity(2 * self.html.len());
        let mut rest = self.html;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) = after.split_once("}}").expect("each placeholder ends");
            page.push_str(before);
            match name.strip_prefix('@') {
                Some(part) => page.push_str(&self.part(part, language, catalogue, branding)),
                None => page.push_str(&escaped(text(catalogue, name))),
            }
            rest = behind;
        }
        page.push_str(rest);
        page
    }

    fn part(&self, name: &str, language: Language, catalogue: &Catalogue, branding: &Branding) -> String {
        match name {
            "language" => language.tag().to_owned(),
            "direction" => language.direction().to_owned(),
            "site" => escaped(site_name(branding)),
            "head" => self.head(catalogue, branding),
            "texts" => self.texts(catalogue),
            "header" => self.header(branding),
            "footer" => self.footer(language, catalogue, branding),
            _ => panic!("the template names the unknown part {name}"),
        }
    }

    /// Icon, stylesheets, scripts and their texts.
    fn head(&self, catalogue: &Catalogue, branding: &Branding) -> String {
        let (root, stylesheet) = (self.root, self.stylesheet);
        let icon = if branding.logo.is_some() { "logo" } else { "icon.svg" };
        let mut head = format!(
            "<link rel=\"icon\" href=\"{root}web/{icon}\">\n<link rel=\"stylesheet\" href=\"{root}web/{stylesheet}\">\n"
        );
        if branding.accent.is_some() {
            push(&mut head, format_args!("<link rel=\"stylesheet\" href=\"{root}web/brand.css\">\n"));
        }
        for script in self.scripts.iter().skip(1) {
            push(&mut head, format_args!("<link rel=\"modulepreload\" href=\"{root}web/{script}\">\n"));
        }
        if let Some(script) = self.scripts.first() {
            push(&mut head, format_args!("<script type=\"module\" src=\"{root}web/{script}\"></script>\n"));
        }
        head.push_str(&self.texts(catalogue));
        head
    }

    /// Texts for the scripts, in a data block.
    ///
    /// Browsers do not run such a block, so the content security policy allows it.
    fn texts(&self, catalogue: &Catalogue) -> String {
        let texts = catalogue.json(self.groups);
        format!("<script type=\"application/json\" id=\"texts\">{texts}</script>")
    }

    fn header(&self, branding: &Branding) -> String {
        let root = self.root;
        let home = branding
            .site_url
            .as_ref()
            .map_or_else(|| if root.is_empty() { "./" } else { root }.to_owned(), |site| escaped(site.as_str()));
        let icon = if branding.logo.is_some() { "logo" } else { "icon.svg" };
        let name = escaped(site_name(branding));
        format!(
            "<header class=\"site\"><a href=\"{home}\"><img src=\"{root}web/{icon}\" alt=\"\" width=\"32\" height=\"32\">\
             <span>{name}</span></a></header>"
        )
    }

    fn footer(&self, language: Language, catalogue: &Catalogue, branding: &Branding) -> String {
        let mut footer = String::from("<footer class=\"site\"><nav>");
        let mut link = |url: &str, key: &str| {
            let text = escaped(text(catalogue, key));
            push(&mut footer, format_args!("<a href=\"{}\">{text}</a>", escaped(url)));
        };
        for (url, key) in [(&branding.imprint_url, "common.imprint"), (&branding.privacy_url, "common.privacy")] {
            if let Some(url) = url {
                link(url.as_str(), key);
            }
        }
        if let Some(contact) = &branding.abuse_contact {
            link(&contact.to_string(), "common.abuse");
        }
        link(&format!("{}docs", self.root), "common.api");
        let label = escaped(text(catalogue, "common.language"));
        push(
            &mut footer,
            format_args!(
                "</nav><label class=\"language\" hidden><span class=\"visually-hidden\">{label}</span><select id=\"language\">"
            ),
        );
        for each in Language::EACH {
            let (tag, name) = (each.tag(), each.name());
            let selected = if each == language { " selected" } else { "" };
            push(&mut footer, format_args!("<option value=\"{tag}\" lang=\"{tag}\"{selected}>{name}</option>"));
        }
        footer.push_str("</select></label></footer>");
        footer
    }
}

fn site_name(branding: &Branding) -> &str {
    branding.site_name.as_deref().unwrap_or(SITE_NAME)
}

fn text<'a>(catalogue: &'a Catalogue, key: &str) -> &'a str {
    catalogue.plain(key).unwrap_or_else(|| panic!("the catalogue has no text {key} of one form"))
}

fn push(target: &mut String, text: std::fmt::Arguments<'_>) {
    target.write_fmt(text).expect("writing to a String cannot fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(html: &str, branding: &Branding) -> String {
        let scripts = ["a.js".to_owned(), "b.js".to_owned()];
        let template = PageTemplate { html, root: "../", stylesheet: "a.css", scripts: &scripts, groups: &["common"] };
        template.render(Language::Arabic, &Catalogue::of(Language::Arabic), branding)
    }

    #[test]
    fn placeholders_become_escaped_texts() {
        let name = "<b>\"Ada\" & Co</b>".to_owned();
        let branding = Branding { site_name: Some(name), ..Branding::default() };
        let page = rendered("<html lang={{@language}} dir={{@direction}}><title>{{@site}}</title>", &branding);
        assert_eq!(page, "<html lang=ar dir=rtl><title>&lt;b&gt;&quot;Ada&quot; &amp; Co&lt;/b&gt;</title>");
        assert!(!rendered("{{@header}}", &branding).contains("<b>"));
    }

    #[test]
    fn the_footer_links_only_what_is_configured() {
        let plain = rendered("{{@footer}}", &Branding::default());
        assert!(
            !plain.contains("https:") && !plain.contains("mailto:") && plain.contains("href=\"../docs\""),
            "{plain}"
        );
        let branding = Branding {
            imprint_url: Some("https://example.org/imprint?a=1&b=2".parse().unwrap()),
            abuse_contact: Some("abuse@example.org".parse().unwrap()),
            ..Branding::default()
        };
        let page = rendered("{{@footer}}", &branding);
        assert!(page.contains("href=\"https://example.org/imprint?a=1&amp;b=2\""), "{page}");
        assert!(page.contains("href=\"mailto:abuse@example.org\""), "{page}");
        assert!(page.contains("<option value=\"ar\" lang=\"ar\" selected>"), "{page}");
    }

    #[test]
    fn texts_for_scripts_cannot_end_their_element() {
        let head = rendered("{{@head}}", &Branding::default());
        let (_, texts) = head.split_once("id=\"texts\">").unwrap();
        let (texts, _) = texts.split_once("</script>").unwrap();
        assert!(!texts.contains('<') && serde_json::from_str::<serde_json::Value>(texts).is_ok(), "{texts}");
        assert!(head.contains("<link rel=\"modulepreload\" href=\"../web/b.js\">"), "{head}");
    }
}
