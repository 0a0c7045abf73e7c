// Elements of a page. Texts from elsewhere become text and never HTML.

/** The element of this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** A new element; texts among the children stay texts. */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** A new element of an SVG image. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

/** Shows the elements of these ids. */
export function show(...ids) {
  for (const id of ids) byId(id).hidden = false;
}

/** Hides the elements of these ids. */
export function hide(...ids) {
  for (const id of ids) byId(id).hidden = true;
}

/** Says something that went as it should; screen readers tell it when they have a moment. */
export function say(text) {
  byId("error").textContent = "";
  byId("outcome").textContent = text;
}

/** Says what went wrong and what to do; screen readers tell it at once. */
export function complain(text) {
  byId("outcome").textContent = "";
  byId("error").textContent = text;
}

/** Runs `work` for each time that the form is sent or the button is pressed, one at a time. */
export function when(id, event, work) {
  let busy = false;
  byId(id).addEventListener(event, async (happened) => {
    happened.preventDefault();
    if (busy) return;
    busy = true;
    try {
      await work(happened);
    } catch (error) {
      complain(`That did not work: ${error.message}.`);
    } finally {
      busy = false;
    }
  });
}

/** The items of a `transparency` answer, added to a `details` element. */
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
