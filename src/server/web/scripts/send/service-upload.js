// Uploads a payload through the service in pieces; received bytes are never sent again.

import { ApiError, at, call, root, Unreachable, withRetries } from "../api.js";
import { ProxyLimit } from "../ui/error-messages.js";
import { put } from "./put.js";

/** @import { UploadStatus } from "../wire.d.ts" */
/** @import { Payload } from "./payload.js" */
/** @import { PutOptions } from "./put.js" */
/** @import { SendOptions, Upload } from "./upload.js" */

/** Maximum piece size in bytes; a multiple of the segment size. */
const MAX_PIECE = 8 * 1024 * 1024;
/** Minimum piece size in bytes: the default limit of nginx. */
const MIN_PIECE = 1024 * 1024;

/**
 * Uploads `payload` from the byte offset `from` to its end.
 *
 * @param {Upload} upload
 * @param {Payload} payload
 * @param {number} from
 * @param {SendOptions & { url: string }} options
 */
export async function uploadToService(upload, payload, from, { url, signal, progress, waiting }) {
  const target = at(url);
  // The token must reach no other origin than this service.
  if (target.origin !== root.origin) throw new Error("the server named another one for its own bytes");
  const headers = { "content-type": "application/octet-stream", ...upload.credentials };
  let pieceSize = MAX_PIECE;
  /** @type {(start: number) => Promise<Blob>} */
  const seal = (start) => payload.sealed(start, Math.min(start + pieceSize, payload.size));
  let received = checkedOffset(payload.size, from);
  let next = received < payload.size ? seal(received) : undefined;
  while (received < payload.size) {
    const body = await (next ?? seal(received));
    const after = received + body.size;
    if (after < payload.size) {
      next = seal(after);
      // Handled when awaited; until then the rejection must not count as unhandled.
      next.catch(() => {});
    }
    const start = received;
    /** @param {number} attempts */
    const sendPiece = async (attempts) => {
      if (attempts > 0) {
        const arrived = checkedOffset(after, await receivedBytes(upload, signal));
        if (arrived !== start) return arrived;
      }
      /** @type {(sent: number) => void} */
      const moved = (sent) => progress.at(start + sent);
      const arrived = checkedOffset(after, await post(target, { headers, body, start, signal, moved }));
      // Counts as a failure, so that a server that accepts no bytes gets retries with a limit.
      if (arrived === start) throw new Unreachable(new Error("the server takes nothing"));
      return arrived;
    };
    try {
      received = await withRetries(sendPiece, { signal, waiting });
    } catch (error) {
      if (!isBodyLimitOfProxy(error)) throw error;
      if (pieceSize === MIN_PIECE) throw new ProxyLimit();
      pieceSize /= 2;
      next = seal(received);
      continue;
    }
    progress.at(received);
    if (received !== after && received < payload.size) next = seal(received);
  }
}

/**
 * Returns whether a proxy in front of the server rejects the size of a request body.
 *
 * @param {unknown} error
 */
function isBodyLimitOfProxy(error) {
  return error instanceof ApiError && error.status === 413 && error.code !== "payload_too_large";
}

/**
 * Returns the server's offset if it is plausible: at most `sent`, the end of the sent bytes.
 *
 * @param {number} sent
 * @param {number | undefined} received
 */
function checkedOffset(sent, received) {
  const isPlausible = received !== undefined && Number.isSafeInteger(received) && 0 <= received && received <= sent;
  if (isPlausible) return received;
  throw new RangeError("the server says that it has what was never sent");
}

/**
 * Uploads a piece and returns the total number of received bytes.
 *
 * @param {URL} target
 * @param {Omit<PutOptions, "method"> & { start: number }} options
 * @returns {Promise<number | undefined>}
 */
async function post(target, { headers, body, start, ...rest }) {
  const url = new URL(target);
  url.searchParams.set("offset", `${start}`);
  try {
    return JSON.parse(await put(url, { method: "POST", headers, body, ...rest })).received_bytes;
  } catch (error) {
    if (error instanceof ApiError && error.code === "offset_mismatch") return error.problem.received_bytes;
    throw error;
  }
}

/**
 * @param {Upload} upload
 * @param {AbortSignal} signal
 */
async function receivedBytes(upload, signal) {
  /** @type {UploadStatus} */
  const { received_bytes: received } = await call(`${upload.path}/upload/status`, {
    headers: upload.credentials,
    signal,
  });
  return received;
}
