// Padding of a plaintext with zero bytes, which hides the exact size of its content (Padmé).

/**
 * Returns the size in bytes to which a plaintext of `bytes` bytes is padded.
 *
 * @param {number} bytes
 */
export function paddedSize(bytes) {
  const step = stepAt(bytes);
  return Math.ceil(bytes / step) * step;
}

/**
 * Returns the distance between neighbouring padded sizes: a power of two. A floating-point logarithm would be wrong near
 * powers of two.
 *
 * @param {number} bytes
 */
function stepAt(bytes) {
  const exponent = bitLength(bytes) - 1;
  return exponent < 1 ? 1 : 2 ** (exponent - bitLength(exponent));
}

/** @param {number} value */
function bitLength(value) {
  return value.toString(2).length;
}
