// Helpers for page elements. Text from other sources is inserted as text, never as HTML.

/** Returns the element with this ID. */
export function byId(id) {
  return document.getElementById(id);
}

/** Creates an HTML element; strings among the children become text nodes. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** Creates an SVG element. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** Shows the elements with these IDs. */
export function show(...ids) {
  for (const id of ids) byId(id).hidden = false;
}

/** Hides the elements with these IDs. */
export function hide(...ids) {
  for (const id of ids) byId(id).hidden = true;
}

/** Shows a success message, announced politely by screen readers. */
export function showMessage(text) {
  byId("error").textContent = "";
  byId("outcome").textContent = text;
}

/** Shows an error message, announced immediately by screen readers. */
export function showError(text) {
  byId("outcome").textContent = "";
  byId("error").textContent = text;
}

/** Runs `work` on each event of the element; ignores events while `work` is running. */
export function onEvent(id, event, work) {
  let busy = false;
  byId(id).addEventListener(event, async (triggered) => {
    triggered.preventDefault();
    if (busy) return;
    busy = true;
    try {
      await work(triggered);
    } catch (error) {
      showError(`That did not work: ${error.message}.`);
    } finally {
      busy = false;
    }
  });
}

/** Shows the items of a `transparency` response in a `details` element. */
export function showTransparency(details, transparency) {
  const list = (title, items) => [element("h3", {}, title), element("ul", {}, ...items)];
  const item = (text) => element("li", {}, text);
  const { stored: fields = {}, not_stored: absent = [], seen_by_others: seen = [] } = transparency ?? {};
  const stored = Object.entries(fields).map(([field, form]) => item(`${field.replaceAll("_", " ")}: ${form}`));
  const parts = [...list("Stored", stored), ...list("Not stored", absent.map(item))];
  if (seen.length > 0) {
    parts.push(...list("Seen by others", seen.map(item)));
  }
  details.replaceChildren(details.querySelector("summary"), ...parts);
  details.hidden = false;
}
