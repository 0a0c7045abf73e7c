// Tree of an archive's entries with boxes to tick, of native elements. Folders are filled when they are opened.

import { element } from "../ui/dom.js";
import { size } from "../ui/format.js";
import { t } from "../ui/text.js";

/** @import { IndexRecord } from "../format/archive-index.js" */
/**
 * Node of the tree; a folder that only paths of other entries imply has no entry.
 *
 * @typedef {object} TreeNode
 * @property {string} name
 * @property {IndexRecord | undefined} entry
 * @property {Map<string, TreeNode> | undefined} children `undefined` unless the node is a folder
 * @property {TreeNode | undefined} parent
 * @property {boolean} isChosen
 * @property {number} files number of files in it
 * @property {number} bytes their total size
 * @property {HTMLInputElement | undefined} box
 */

/** Number of entries that one folder shows at once. */
const SHOWN_AT_ONCE = 500;

/** Entries of an archive, of which some are chosen. */
export class Tree {
  #root;
  #entries;
  #changed;

  /**
   * Shows the entries in `list`; calls `changed` after each choice.
   *
   * @param {HTMLElement} list
   * @param {IndexRecord[]} entries
   * @param {() => void} changed
   */
  constructor(list, entries, changed) {
    this.#entries = entries;
    this.#changed = changed;
    this.#root = folder("", undefined);
    /** @type {Map<string, TreeNode>} */
    const nodes = new Map([["", this.#root]]);
    for (const entry of entries) place(nodes, entry.path, entry);
    list.replaceChildren();
    this.#fill(list, this.#root);
  }

  /** Returns the chosen entries in the order of the archive, with the folders that were chosen. */
  get chosen() {
    /** @type {Set<IndexRecord>} */
    const chosen = new Set();
    collect(this.#root, chosen);
    return this.#entries.filter((entry) => chosen.has(entry));
  }

  /** Returns all entries. */
  get entries() {
    return this.#entries;
  }

  /**
   * Appends the entries of a folder to `list`, from the entry at `from` on.
   *
   * @param {HTMLElement} list
   * @param {TreeNode} node
   * @param {number} [from]
   */
  #fill(list, node, from = 0) {
    const children = [...(node.children?.values() ?? [])].sort(byName);
    const shown = children.slice(from, from + SHOWN_AT_ONCE);
    const items = shown.map((child) => this.#item(child));
    list.append(...items);
    const rest = children.length - from - shown.length;
    if (from > 0) shown[0]?.box?.focus();
    if (rest === 0) return;
    const more = element("button", { type: "button" }, t("receive.more", { shown: Math.min(rest, SHOWN_AT_ONCE), total: rest }));
    const last = element("li", {}, more);
    more.addEventListener("click", () => {
      last.remove();
      this.#fill(list, node, from + SHOWN_AT_ONCE);
    });
    list.append(last);
  }

  /** @param {TreeNode} node */
  #item(node) {
    const isLink = node.entry?.kind === "symlink";
    const kind = t(node.children ? "receive.kind_folder" : isLink ? "receive.kind_link" : "receive.kind_file");
    const box = element("input", { type: "checkbox", "aria-label": `${node.name}, ${kind}` });
    node.box = box;
    box.addEventListener("change", () => this.#choose(node, box.checked));
    refresh(node);
    const facts = node.children ? `${t("common.files", { count: node.files })}, ${size(node.bytes)}` : size(node.bytes);
    const text = [element("bdi", {}, node.name), " ", element("small", {}, isLink ? kind : facts)];
    if (!node.children) return element("li", {}, box, element("span", {}, ...text));
    const list = element("ul");
    const details = element("details", {}, element("summary", {}, ...text), list);
    details.addEventListener("toggle", () => {
      if (details.open && !list.hasChildNodes()) this.#fill(list, node);
    });
    return element("li", {}, box, details);
  }

  /**
   * @param {TreeNode} node
   * @param {boolean} isChosen
   */
  #choose(node, isChosen) {
    const below = [node];
    for (let next = below.pop(); next; next = below.pop()) {
      next.isChosen = isChosen;
      refresh(next);
      below.push(...(next.children?.values() ?? []));
    }
    for (let above = node.parent; above; above = above.parent) {
      above.isChosen = [...(above.children?.values() ?? [])].every((child) => child.isChosen);
      refresh(above);
    }
    this.#changed();
  }
}

/**
 * Returns the node of a path, which is added with its parents if it is missing.
 *
 * @param {Map<string, TreeNode>} nodes
 * @param {string} path
 * @param {IndexRecord} [entry]
 * @returns {TreeNode}
 */
function place(nodes, path, entry) {
  const known = nodes.get(path);
  if (known) {
    known.entry ??= entry;
    return known;
  }
  const slash = path.lastIndexOf("/");
  const parent = place(nodes, slash < 0 ? "" : path.slice(0, slash));
  const name = path.slice(slash + 1);
  const node = folder(name, parent);
  node.entry = entry;
  if (entry && entry.kind !== "directory") node.children = undefined;
  nodes.set(path, node);
  parent.children?.set(name, node);
  if (entry?.kind === "file") {
    node.bytes = entry.size;
    for (let above = node.parent; above; above = above.parent) {
      above.files += 1;
      above.bytes += entry.size;
    }
  }
  return node;
}

/**
 * @param {string} name
 * @param {TreeNode | undefined} parent
 * @returns {TreeNode}
 */
function folder(name, parent) {
  return { name, parent, entry: undefined, children: new Map(), isChosen: false, files: 0, bytes: 0, box: undefined };
}

/**
 * @param {TreeNode} node
 * @param {Set<IndexRecord>} chosen
 */
function collect(node, chosen) {
  if (node.isChosen && node.entry) chosen.add(node.entry);
  for (const child of node.children?.values() ?? []) collect(child, chosen);
}

/**
 * Shows whether all, some or none of a node's entries are chosen.
 *
 * @param {TreeNode} node
 */
function refresh(node) {
  if (!node.box) return;
  node.box.checked = node.isChosen;
  node.box.indeterminate = !node.isChosen && hasChosen(node);
}

/**
 * @param {TreeNode} node
 * @returns {boolean}
 */
function hasChosen(node) {
  return [...(node.children?.values() ?? [])].some((child) => child.isChosen || hasChosen(child));
}

/**
 * @param {TreeNode} one
 * @param {TreeNode} other
 */
function byName(one, other) {
  return Number(!one.children) - Number(!other.children) || (one.name < other.name ? -1 : 1);
}
