// Uploads a payload through the service in pieces; received bytes are never sent again.

import { at, call, root, Unreachable, withRetries } from "../api.js";
import { put } from "./put.js";

/** Piece size in bytes; a multiple of the segment size. */
const PIECE = 8 * 1024 * 1024;

/** Uploads `payload` from the byte offset `from` to its end. */
export async function uploadToService(upload, payload, from, { url, signal, progress, waiting }) {
  const target = at(url);
  // The token must reach no other origin than this service.
  if (target.origin !== root.origin) throw new Error("the server named another one for its own bytes");
  const headers = { "content-type": "application/octet-stream", ...upload.credentials };
  const seal = (start) => payload.sealed(start, Math.min(start + PIECE, payload.size));
  let received = checkedOffset(payload.size, from);
  let next = received < payload.size ? seal(received) : undefined;
  while (received < payload.size) {
    const body = await next;
    const after = received + body.size;
    if (after < payload.size) {
      next = seal(after);
      // Handled when awaited; until then the rejection must not count as unhandled.
      next.catch(() => {});
    }
    const start = received;
    received = await withRetries(
      async (attempts) => {
        if (attempts > 0) {
          const arrived = checkedOffset(after, await receivedBytes(upload, signal));
          if (arrived !== start) return arrived;
        }
        const moved = (sent) => progress.at(start + sent);
        const arrived = checkedOffset(after, await post(target, { headers, body, start, signal, moved }));
        // Counts as a failure, so that a server that accepts no bytes gets retries with a limit.
        if (arrived === start) throw new Unreachable(new Error("the server takes nothing"));
        return arrived;
      },
      { signal, waiting },
    );
    progress.at(received);
    if (received !== after && received < payload.size) next = seal(received);
  }
}

/** Returns the server's offset if it is plausible: at most `sent`, the end of the sent bytes. */
function checkedOffset(sent, received) {
  if (Number.isSafeInteger(received) && 0 <= received && received <= sent) return received;
  throw new RangeError("the server says that it has what was never sent");
}

/** Uploads a piece and returns the total number of received bytes. */
async function post(target, { headers, body, start, ...rest }) {
  const url = new URL(target);
  url.searchParams.set("offset", start);
  try {
    return JSON.parse(await put(url, { method: "POST", headers, body, ...rest })).received_bytes;
  } catch (error) {
    if (error.code === "offset_mismatch") return error.problem.received_bytes;
    throw error;
  }
}

async function receivedBytes(upload, signal) {
  const { received_bytes: received } = await call(`${upload.path}/upload/status`, {
    headers: upload.credentials,
    signal,
  });
  return received;
}
