// QR codes (ISO/IEC 18004) in byte mode with error correction level M.

import { utf8 } from "../format/bytes.js";
import { svg } from "./dom.js";

/** @import { Bytes } from "../format/bytes.js" */
/** @typedef {(x: number, y: number, on: boolean) => void} SetModule */
/** @typedef {boolean[][]} Modules rows of modules, `true` for dark */

/** Error correction codewords per block and number of blocks of each version from 1 (level M). */
const LEVEL_M = [
  [10, 1],
  [16, 1],
  [26, 1],
  [18, 2],
  [24, 2],
  [16, 4],
  [18, 4],
  [22, 4],
  [22, 5],
  [26, 5],
  [30, 5],
  [22, 8],
  [22, 9],
  [24, 9],
  [24, 10],
  [28, 10],
  [28, 11],
  [26, 13],
  [26, 14],
  [26, 16],
];
/** Format bits of level M. */
const LEVEL_BITS = 0b00;
/** Width of the light border in modules. */
const QUIET = 4;

/** @type {((x: number, y: number) => boolean)[]} */
const MASKS = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  (x, y) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(x / 3) + Math.floor(y / 2)) % 2 === 0,
  (x, y) => ((x * y) % 2) + ((x * y) % 3) === 0,
  (x, y) => (((x * y) % 2) + ((x * y) % 3)) % 2 === 0,
  (x, y) => (((x + y) % 2) + ((x * y) % 3)) % 2 === 0,
];

/**
 * Returns the code as an image described by `label`. Throws if the text is too long.
 *
 * @param {string} text
 * @param {string} label
 */
export function qrImage(text, label) {
  const code = qrCode(text);
  const side = code.length + 2 * QUIET;
  const dark = code.flatMap((row, y) => row.map((on, x) => (on ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : "")));
  return svg(
    "svg",
    { viewBox: `0 0 ${side} ${side}`, role: "img", "aria-label": label, "shape-rendering": "crispEdges" },
    svg("rect", { width: side, height: side, fill: "#fff" }),
    svg("path", { d: dark.join(""), fill: "#000" }),
  );
}

/**
 * Returns the code as rows of booleans, `true` for dark.
 *
 * @param {string} text
 */
export function qrCode(text) {
  const bytes = utf8(text);
  const version = versionFor(bytes.length);
  const canvas = new Canvas(version);
  canvas.drawData(withCorrection(dataCodewords(bytes, version), version));
  const masked = MASKS.map((_, mask) => canvas.masked(mask));
  const penalties = masked.map(penalty);
  return masked[penalties.indexOf(Math.min(...penalties))];
}

/** @param {number} length */
function versionFor(length) {
  for (let version = 1; version <= LEVEL_M.length; version += 1) {
    const countBits = version < 10 ? 8 : 16;
    if (4 + countBits + 8 * length <= 8 * dataCapacity(version)) return version;
  }
  throw new Error("the text is too long for a QR code");
}

/**
 * Returns the number of modules for data and error correction (table 1).
 *
 * @param {number} version
 */
function modulesFor(version) {
  const alignments = version === 1 ? 0 : Math.floor(version / 7) + 2;
  const withoutAlignment = (16 * version + 128) * version + 64;
  const alignment = version === 1 ? 0 : (25 * alignments - 10) * alignments - 55;
  return withoutAlignment - alignment - (version >= 7 ? 36 : 0);
}

/** @param {number} version */
function allCodewords(version) {
  return Math.floor(modulesFor(version) / 8);
}

/** @param {number} version */
function dataCapacity(version) {
  const [correction, blocks] = LEVEL_M[version - 1];
  return allCodewords(version) - correction * blocks;
}

/**
 * @param {Bytes} bytes
 * @param {number} version
 */
function dataCodewords(bytes, version) {
  const capacity = dataCapacity(version);
  /** @type {number[]} */
  const bits = [];
  /** @type {(value: number, length: number) => void} */
  const push = (value, length) => {
    for (let bit = length - 1; bit >= 0; bit -= 1) bits.push((value >> bit) & 1);
  };
  push(0b0100, 4);
  push(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) push(byte, 8);
  push(0, Math.min(4, capacity * 8 - bits.length));
  push(0, (8 - (bits.length % 8)) % 8);
  for (let pad = 0; bits.length < capacity * 8; pad += 1) push(pad % 2 === 0 ? 0xec : 0x11, 8);
  const codewords = new Uint8Array(capacity);
  bits.forEach((bit, index) => (codewords[index >> 3] |= bit << (7 - (index & 7))));
  return codewords;
}

/**
 * Splits data into blocks, adds error correction to each block, and interleaves the blocks.
 *
 * @param {Bytes} data
 * @param {number} version
 */
function withCorrection(data, version) {
  const [correction, count] = LEVEL_M[version - 1];
  const short = Math.floor(data.length / count);
  const longer = data.length % count;
  /** @type {Bytes[]} */
  const blocks = [];
  for (let index = 0, at = 0; index < count; index += 1) {
    const length = short + (index < count - longer ? 0 : 1);
    blocks.push(data.subarray(at, at + length));
    at += length;
  }
  const generator = generatorOf(correction);
  const corrections = blocks.map((block) => remainder(block, generator));
  return [...interleaved(blocks, short + 1), ...interleaved(corrections, correction)];
}

/**
 * @param {Bytes[]} blocks
 * @param {number} length
 */
function interleaved(blocks, length) {
  const places = Array.from({ length }, (_, at) => at);
  return places.flatMap((at) => blocks.filter((block) => at < block.length).map((block) => block[at]));
}

/**
 * Multiplies in GF(256) with the polynomial x⁸ + x⁴ + x³ + x² + 1.
 *
 * @param {number} a
 * @param {number} b
 */
function product(a, b) {
  let result = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    result = (result << 1) ^ ((result >> 7) * 0x11d);
    result ^= ((b >> bit) & 1) * a;
  }
  return result;
}

/**
 * Returns the Reed-Solomon generator polynomial of this degree, without its leading 1.
 *
 * @param {number} degree
 */
function generatorOf(degree) {
  const generator = new Uint8Array(degree);
  generator[degree - 1] = 1;
  let root = 1;
  for (let step = 0; step < degree; step += 1) {
    for (let at = 0; at < degree; at += 1) {
      generator[at] = product(generator[at], root) ^ (generator[at + 1] ?? 0);
    }
    root = product(root, 2);
  }
  return generator;
}

/**
 * @param {Bytes} data
 * @param {Bytes} generator
 */
function remainder(data, generator) {
  const rest = new Uint8Array(generator.length);
  for (const byte of data) {
    const factor = byte ^ rest[0];
    rest.copyWithin(0, 1);
    rest[rest.length - 1] = 0;
    generator.forEach((coefficient, at) => (rest[at] ^= product(coefficient, factor)));
  }
  return rest;
}

/** Modules of a code: function patterns and data. */
class Canvas {
  /** @param {number} version */
  constructor(version) {
    this.version = version;
    this.side = 17 + 4 * version;
    /** @type {() => Modules} */
    const rows = () => Array.from({ length: this.side }, () => new Array(this.side).fill(false));
    this.dark = rows();
    this.fixed = rows();
    this.#drawFixed();
  }

  /** @param {number[]} codewords */
  drawData(codewords) {
    let bit = 0;
    for (const [x, y] of this.#path()) {
      if (this.fixed[y][x]) continue;
      const codeword = codewords[bit >> 3] ?? 0;
      this.dark[y][x] = ((codeword >> (7 - (bit & 7))) & 1) === 1;
      bit += 1;
    }
  }

  /**
   * Returns the modules under a mask, with the mask's number in the format information.
   *
   * @param {number} mask
   * @returns {Modules}
   */
  masked(mask) {
    const rows = this.dark.map((row, y) => row.map((on, x) => (this.fixed[y][x] ? on : on !== MASKS[mask](x, y))));
    this.#drawFormat(mask, (x, y, on) => (rows[y][x] = on));
    return rows;
  }

  /**
   * Yields the data modules: two columns at a time from the right, alternating up and down, without the timing column.
   *
   * @returns {Generator<[x: number, y: number]>}
   */
  *#path() {
    let upwards = true;
    for (let right = this.side - 1; right > 0; right -= 2) {
      if (right === 6) right = 5;
      for (let step = 0; step < this.side; step += 1) {
        const y = upwards ? this.side - 1 - step : step;
        yield [right, y];
        yield [right - 1, y];
      }
      upwards = !upwards;
    }
  }

  /**
   * @param {number} x
   * @param {number} y
   * @param {boolean} on
   */
  #set(x, y, on) {
    if (x < 0 || y < 0 || x >= this.side || y >= this.side) return;
    this.dark[y][x] = on;
    this.fixed[y][x] = true;
  }

  #drawFixed() {
    for (let at = 0; at < this.side; at += 1) {
      this.#set(6, at, at % 2 === 0);
      this.#set(at, 6, at % 2 === 0);
    }
    for (const [x, y] of [
      [3, 3],
      [this.side - 4, 3],
      [3, this.side - 4],
    ])
      this.#drawRings(x, y, 4, [0, 1, 3]);
    const alignments = this.#alignments();
    const last = alignments.length - 1;
    alignments.forEach((x, column) =>
      alignments.forEach((y, row) => {
        const finder = (column === 0 && (row === 0 || row === last)) || (column === last && row === 0);
        if (!finder) this.#drawRings(x, y, 2, [0, 2]);
      }),
    );
    // Reserves the modules of the format information.
    this.#drawFormat(0, (x, y, on) => this.#set(x, y, on));
    this.#drawVersion();
  }

  /**
   * Draws squares around a module; those at the given distances are dark.
   *
   * @param {number} centerX
   * @param {number} centerY
   * @param {number} radius
   * @param {number[]} distances
   */
  #drawRings(centerX, centerY, radius, distances) {
    for (let dy = -radius; dy <= radius; dy += 1) {
      for (let dx = -radius; dx <= radius; dx += 1) {
        const distance = Math.max(Math.abs(dx), Math.abs(dy));
        this.#set(centerX + dx, centerY + dy, distances.includes(distance));
      }
    }
  }

  /** Returns the centres of the alignment patterns (annex E). */
  #alignments() {
    if (this.version === 1) return [];
    const count = Math.floor(this.version / 7) + 2;
    const step = Math.ceil((this.version * 4 + 4) / (count * 2 - 2)) * 2;
    return [6, ...Array.from({ length: count - 1 }, (_, at) => this.side - 7 - (count - 2 - at) * step)];
  }

  /**
   * @param {number} mask
   * @param {SetModule} set
   */
  #drawFormat(mask, set) {
    const value = (LEVEL_BITS << 3) | mask;
    const bits = ((value << 10) | divided(value, 10, 0x537)) ^ 0x5412;
    /** @type {(at: number) => boolean} */
    const bit = (at) => ((bits >> at) & 1) === 1;
    for (let at = 0; at < 6; at += 1) set(8, at, bit(at));
    set(8, 7, bit(6));
    set(8, 8, bit(7));
    set(7, 8, bit(8));
    for (let at = 9; at < 15; at += 1) set(14 - at, 8, bit(at));
    for (let at = 0; at < 8; at += 1) set(this.side - 1 - at, 8, bit(at));
    for (let at = 8; at < 15; at += 1) set(8, this.side - 15 + at, bit(at));
    set(8, this.side - 8, true);
  }

  #drawVersion() {
    if (this.version < 7) return;
    const bits = (this.version << 12) | divided(this.version, 12, 0x1f25);
    for (let at = 0; at < 18; at += 1) {
      const on = ((bits >> at) & 1) === 1;
      const [near, far] = [Math.floor(at / 3), this.side - 11 + (at % 3)];
      this.#set(far, near, on);
      this.#set(near, far, on);
    }
  }
}

/**
 * Returns the remainder of `value`, extended by `bits` zero bits, divided by a polynomial.
 *
 * @param {number} value
 * @param {number} bits
 * @param {number} polynomial
 */
function divided(value, bits, polynomial) {
  let rest = value;
  for (let step = 0; step < bits; step += 1) rest = (rest << 1) ^ ((rest >> (bits - 1)) * polynomial);
  return rest & ((1 << bits) - 1);
}

/**
 * Returns the penalty score of a code (7.8.3).
 *
 * @param {Modules} rows
 */
function penalty(rows) {
  const columns = rows.map((_, x) => rows.map((row) => row[x]));
  const lines = [...rows, ...columns].map((line) => line.map(Number).join(""));
  return runs(lines) + finderLike(lines) + squares(rows) + imbalance(rows);
}

/** @param {string[]} lines */
function runs(lines) {
  const lengths = lines.flatMap((line) => line.match(/0{5,}|1{5,}/g) ?? []).map((run) => run.length);
  return lengths.reduce((sum, length) => sum + length - 2, 0);
}

/** @param {string[]} lines */
function finderLike(lines) {
  /** @type {(line: string, pattern: string) => number} */
  const found = (line, pattern) => [...line.matchAll(new RegExp(`(?=${pattern})`, "g"))].length;
  return lines.reduce((sum, line) => sum + 40 * (found(line, "10111010000") + found(line, "00001011101")), 0);
}

/** @param {Modules} rows */
function squares(rows) {
  let sum = 0;
  for (let y = 1; y < rows.length; y += 1) {
    for (let x = 1; x < rows.length; x += 1) {
      const on = rows[y][x];
      if (rows[y - 1][x] === on && rows[y][x - 1] === on && rows[y - 1][x - 1] === on) sum += 3;
    }
  }
  return sum;
}

/** @param {Modules} rows */
function imbalance(rows) {
  const dark = rows.flat().filter(Boolean).length;
  const percent = (dark * 100) / rows.length ** 2;
  return 10 * Math.floor(Math.abs(percent - 50) / 5);
}
