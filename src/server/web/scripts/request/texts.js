// Texts of the guests' page and of the list of requests.

/** @type {Record<string, string>} */
const TEXTS = {
  "request.incomplete":
    "This link is incomplete: the part behind the # is missing or damaged. Copy the whole link, and open it again.",
  "request.reloaded":
    "The link was removed from the address bar, so the page cannot be loaded again. Open the link once more.",
  "request.nothing": "Choose a file or a folder first.",
  "request.too_large": "That is {size}, and this server takes {max} at most.",
  "request.note_too_long": "Name and note have more than {max} characters: send the note as a file.",
  "request.remove": "Remove {name}",
  "request.remove_short": "Remove",
  "request.folder": "{name}: {files} files, {size}",
  "request.file": "{name}: {size}",
  "request.progress": "Sending {done} of {total}",
  "request.retrying": "Connection lost. Retrying…",
  "request.sent": "Only the person who made this link can open them. They stay here until {time}.",
  "request.deleting": "Deleting…",
  "request.deleted": "Deleted. Nothing of it is left on the server.",
  "request.cancelled": "Cancelled. What was sent is deleted.",
  "request.failed": "That did not work: {reason}.",
  "request.ended": "The person who made this link has ended it. Ask for another link.",
  "request.too_late": "This link has expired. Ask for another link.",
  "request.unknown": "The server does not know this link. Check that it is complete, or ask for another link.",
  "request.full": "This link takes no more files, or not as large ones. Ask for another link.",
  "request.downloaded": "This was downloaded already. Ask the recipient to delete it.",
  "request.unreachable": "The server does not answer. Check the network, and try again.",
  "request.storage_full": "The server has no space left. Tell whoever runs it.",
  "request.none": "This token has no requests.",
  "request.active": "Active.",
  "request.revoked": "Revoked.",
  "request.expired": "Expired.",
  "request.of": " of {limit}",
  "request.facts": "Arrived: {count}{limit}. Expires {time}. Download with:",
  "request.revoke": "Revoke",
  "request.limited": "Too many tries. Wait a minute, and try again.",
};

/**
 * Returns the text of a key, with `{name}` replaced by the values.
 *
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  return TEXTS[key].replace(/\{(\w+)\}/gu, (_, name) => `${values[name]}`);
}
