//! Lists of the assets that the services serve, and the stylesheets of the pages.

use super::asset::{Asset, asset};

/// Assets of all pages.
pub(super) const SHARED: &[Asset] = &[
    asset!("icon.svg"),
    asset!("scripts/api.js"),
    asset!("scripts/ui/clipboard.js"),
    asset!("scripts/ui/controls.js"),
    asset!("scripts/ui/dom.js"),
    asset!("scripts/ui/format.js"),
    asset!("scripts/ui/labels.js"),
    asset!("scripts/ui/text.js"),
];

/// Assets of the upload and download pages.
pub(super) const PUBLIC: &[Asset] = &[
    asset!("player.css"),
    asset!("scripts/format/aead.js"),
    asset!("scripts/format/archive-index.js"),
    asset!("scripts/format/archive-path.js"),
    asset!("scripts/format/bytes.js"),
    asset!("scripts/format/envelope.js"),
    asset!("scripts/format/file-name.js"),
    asset!("scripts/format/info.js"),
    asset!("scripts/format/key.js"),
    asset!("scripts/format/link.js"),
    asset!("scripts/format/padding.js"),
    asset!("scripts/format/request-link.js"),
    asset!("scripts/format/sealed.js"),
    asset!("scripts/format/tar.js"),
    asset!("scripts/receive/archive.js"),
    asset!("scripts/receive/chooser.js"),
    asset!("scripts/receive/download.js"),
    asset!("scripts/receive/file.js"),
    asset!("scripts/receive/main.js"),
    asset!("scripts/receive/payload-reader.js"),
    asset!("scripts/receive/pdf-preview.js"),
    asset!("scripts/receive/player.js"),
    asset!("scripts/receive/preview-kind.js"),
    asset!("scripts/receive/preview.js"),
    asset!("scripts/receive/recipient.js"),
    asset!("scripts/receive/run.js"),
    asset!("scripts/receive/save-content.js"),
    asset!("scripts/receive/save.js"),
    asset!("scripts/receive/signature.js"),
    asset!("scripts/receive/tree.js"),
    asset!("scripts/receive/unshowable.js"),
    asset!("scripts/request/arrivals.js"),
    asset!("scripts/request/create.js"),
    asset!("scripts/request/errors.js"),
    asset!("scripts/request/inbox.js"),
    asset!("scripts/request/key-file.js"),
    asset!("scripts/request/main.js"),
    asset!("scripts/request/upload.js"),
    asset!("scripts/request/wrap-key.js"),
    asset!("scripts/send/dialogs.js"),
    asset!("scripts/send/drop-zone.js"),
    asset!("scripts/send/links.js"),
    asset!("scripts/send/main.js"),
    asset!("scripts/send/mine.js"),
    asset!("scripts/send/options.js"),
    asset!("scripts/send/payload.js"),
    asset!("scripts/send/put.js"),
    asset!("scripts/send/result.js"),
    asset!("scripts/send/selection.js"),
    asset!("scripts/send/service-upload.js"),
    asset!("scripts/send/status.js"),
    asset!("scripts/send/store-upload.js"),
    asset!("scripts/send/tabs.js"),
    asset!("scripts/send/token-storage.js"),
    asset!("scripts/send/token.js"),
    asset!("scripts/send/upload.js"),
    asset!("scripts/ui/error-messages.js"),
    asset!("scripts/ui/progress.js"),
    asset!("scripts/ui/qr.js"),
    asset!("scripts/ui/transparency.js"),
    asset!("scripts/vendor/age-encryption/LICENSE.txt"),
    asset!("scripts/vendor/age-encryption/index.js"),
    asset!("scripts/vendor/client-zip/LICENSE.txt"),
    asset!("scripts/vendor/client-zip/index.js"),
];

/// Assets of the admin page.
pub(super) const ADMIN: &[Asset] = &[
    asset!("scripts/admin/api.js"),
    asset!("scripts/admin/chart.js"),
    asset!("scripts/admin/confirm.js"),
    asset!("scripts/admin/edit-token.js"),
    asset!("scripts/admin/fields.js"),
    asset!("scripts/admin/history.js"),
    asset!("scripts/admin/lookup.js"),
    asset!("scripts/admin/main.js"),
    asset!("scripts/admin/new-token.js"),
    asset!("scripts/admin/overview.js"),
    asset!("scripts/admin/parse.js"),
    asset!("scripts/admin/session.js"),
    asset!("scripts/admin/settings.js"),
    asset!("scripts/admin/audit-record.js"),
    asset!("scripts/admin/tokens.js"),
    asset!("scripts/admin/transfer.js"),
    asset!("scripts/admin/transfers.js"),
    asset!("scripts/admin/webhooks.js"),
    asset!("scripts/admin/when.js"),
];

/// Assets of the frame that draws PDF files. Its origin is opaque, so its scripts are requests of another origin.
pub(super) const PDF_FRAME: &[Asset] = &[
    asset!("scripts/pdf/frame.html"),
    asset!("scripts/pdf/frame.js"),
    asset!("scripts/vendor/pdfjs-dist/LICENSE.txt"),
    asset!("scripts/vendor/pdfjs-dist/LICENSE_JBIG2.txt"),
    asset!("scripts/vendor/pdfjs-dist/LICENSE_OPENJPEG.txt"),
    asset!("scripts/vendor/pdfjs-dist/LICENSE_PDFJS_JBIG2.txt"),
    asset!("scripts/vendor/pdfjs-dist/LICENSE_PDFJS_OPENJPEG.txt"),
    asset!("scripts/vendor/pdfjs-dist/jbig2_nowasm_fallback.js"),
    asset!("scripts/vendor/pdfjs-dist/openjpeg_nowasm_fallback.js"),
    asset!("scripts/vendor/pdfjs-dist/pdf.min.mjs"),
    asset!("scripts/vendor/pdfjs-dist/pdf.worker.min.mjs"),
];

/// Stylesheet of a page, made of the components that the page uses.
#[derive(Debug)]
pub(super) struct Stylesheet {
    /// Path in URLs, relative to `/web/`.
    pub(super) url_path: &'static str,
    /// Components in the order of the cascade.
    components: &'static [Asset],
}

impl Stylesheet {
    /// Stylesheets of the public service; the first is for plain pages.
    pub(super) const PUBLIC: [Self; 4] = [PLAIN_STYLES, RECEIVE_STYLES, REQUEST_STYLES, SEND_STYLES];
    /// Stylesheets of the admin service; the first is for plain pages.
    pub(super) const ADMIN: [Self; 2] = [PLAIN_STYLES, ADMIN_STYLES];

    /// Returns the text of all components.
    pub(super) fn text(&self) -> String {
        self.components.iter().map(Asset::text).collect::<Vec<_>>().join("\n")
    }
}

const BASE: Asset = asset!("styles/base.css");
const CARD: Asset = asset!("styles/card.css");
const CONTROLS: Asset = asset!("styles/controls.css");
const DIALOG: Asset = asset!("styles/dialog.css");
const FACTS: Asset = asset!("styles/facts.css");
const SITE: Asset = asset!("styles/site.css");
const UPLOAD: Asset = asset!("styles/upload.css");

const PLAIN_STYLES: Stylesheet = Stylesheet { url_path: "style.css", components: &[BASE, CONTROLS] };
const RECEIVE_STYLES: Stylesheet = Stylesheet {
    url_path: "receive.css",
    components: &[BASE, SITE, CARD, asset!("styles/receive.css"), CONTROLS, asset!("styles/tree.css")],
};
const REQUEST_STYLES: Stylesheet =
    Stylesheet { url_path: "request.css", components: &[BASE, SITE, CARD, UPLOAD, CONTROLS, DIALOG] };
const SEND_STYLES: Stylesheet = Stylesheet {
    url_path: "send.css",
    components: &[BASE, SITE, CARD, asset!("styles/send.css"), UPLOAD, CONTROLS, FACTS, DIALOG],
};
const ADMIN_STYLES: Stylesheet = Stylesheet {
    url_path: "admin.css",
    components: &[
        BASE,
        SITE,
        CONTROLS,
        FACTS,
        asset!("styles/console.css"),
        asset!("styles/charts.css"),
        asset!("styles/tables.css"),
        asset!("styles/records.css"),
        DIALOG,
    ],
};
