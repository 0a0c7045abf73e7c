//! Hostile service: false offsets must never make a page encrypt two plaintexts with one nonce.

use serde_json::{Value, json};

use crate::support::{Service, chromium, content};

/// Content size in bytes, larger than one piece.
const SIZE: usize = 9_000_000;
/// Size of the first upload request in bytes.
const PIECE: u64 = 8 * 1024 * 1024;

/// Replaces the received byte count by `lie`, in one place at a time. The place is the `answer` to an upload request,
/// its `refusal`, or the `status` requested after a lost response. `offsets` collects the offsets of all upload
/// requests.
const LIE: &str = "
    Object.assign(globalThis, { lie: 0, way: 'answer', offsets: [] });
    const { prototype } = XMLHttpRequest;
    const read = (name) => Object.getOwnPropertyDescriptor(prototype, name).get;
    const [text, status] = [read('responseText'), read('status')];
    Object.defineProperty(prototype, 'status', {
      get() { return { answer: status.call(this), refusal: 409, status: 0 }[way]; },
    });
    Object.defineProperty(prototype, 'responseText', {
      get() { return JSON.stringify({ ...JSON.parse(text.call(this)), code: 'offset_mismatch', received_bytes: lie }); },
    });
    const open = prototype.open;
    prototype.open = function (method, url) {
      offsets.push(new URL(url).searchParams.get('offset'));
      return open.call(this, method, url);
    };
    const ask = globalThis.fetch;
    globalThis.fetch = async (target, ...rest) => {
      const response = await ask(target, ...rest);
      if (!`${target}`.includes('/upload/status')) return response;
      return Response.json({ ...await response.json(), received_bytes: lie });
    };";

#[tokio::test]
async fn a_false_received_count_aborts_the_upload() {
    let service = Service::on_disk();
    let lies: [Value; 8] = [
        json!(-1),
        json!(-1_048_576),
        json!(PIECE + 1),
        json!(SIZE * 2),
        json!(1.5),
        json!(1e300),
        json!("1048576"),
        json!(null),
    ];
    chromium(async |browser| {
        browser.before_scripts(LIE).await;
        browser.goto(&service.page()).await;
        browser.use_token(&service.token).await;
        browser.choose("#files", &[&service.home.file("large.bin", &content(SIZE))]).await;
        browser.wait_for_text("#chosen", "large.bin").await;
        for lie in &lies {
            for way in ["answer", "refusal", "status"] {
                let set = "Object.assign(globalThis, { ...args, offsets: [] })";
                browser.script(set, json!({ "lie": lie, "way": way })).await;
                browser.click("#send").await;
                browser.wait_until_hidden("#send-form").await;
                browser.wait_until_visible("#send-form").await;
                let finished = browser.wait_for_text("#error", "never sent").await;
                assert!(finished.contains("The uploaded data was deleted"), "{lie} as {way}: {finished}");
                let offsets = browser.script("return offsets", json!(null)).await;
                assert_eq!(offsets, json!(["0"]), "{lie} as {way}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn only_the_payload_is_ever_encrypted() {
    let service = Service::start();
    let seal = "
        const load = (name) => import(new URL(`web/${name}.js`, location.href));
        const [{ Payload }, { LinkKey }] = await Promise.all(['send/payload', 'format/key'].map(load));
        const content = new Blob([new Uint8Array(3_000_000)]);
        const metadata = { filename: 'a', size: content.size };
        const payload = await Payload.of({ content, metadata, info: metadata }, await LinkKey.random(false).secret());
        const size = payload.size;
        const outcome = async (start, end) => {
          try {
            return (await payload.sealed(start, end)).size;
          } catch (error) {
            return error.name;
          }
        };
        const refused = [[-1, 10], [-size, 0], [-1_048_576, 0], [0, size + 1], [size, size + 1], [size, size], [10, 10],
          [20, 10], [0.5, 10], [0, 10.5], [0, NaN], [NaN, 10], [0, Infinity], [-Infinity, 10], ['0', 10], [0, '10'],
          [undefined, 10], [0, undefined], [null, 10], [0, 2 ** 60], [-(2 ** 53), 2 ** 53]];
        const taken = [[0, size], [0, 1], [size - 1, size], [1_048_575, 1_048_577], [1_048_576, 2_097_152]];
        return {
          refused: await Promise.all(refused.map(async (range) => [String(range), await outcome(...range)])),
          taken: await Promise.all(taken.map(async ([start, end]) => [end - start, await outcome(start, end)])),
        };";
    chromium(async |browser| {
        browser.goto(&service.page()).await;
        let outcomes = browser.script(seal, json!(null)).await;
        let (refused, taken) = (outcomes["refused"].as_array().unwrap(), outcomes["taken"].as_array().unwrap());
        assert_eq!((refused.len(), taken.len()), (21, 5));
        for outcome in refused {
            assert_eq!(outcome[1], "RangeError", "{outcome}");
        }
        for outcome in taken {
            assert_eq!(outcome[0], outcome[1], "{outcome}");
        }
    })
    .await;
}
