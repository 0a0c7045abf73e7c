//! Network traffic of Chromium, and offline mode.

use serde_json::{Value, json};

use super::browser::Browser;

/// A request sent by the browser.
#[derive(Debug)]
pub(crate) struct SentRequest {
    pub(crate) id: String,
    pub(crate) method: String,
    pub(crate) url: String,
    /// Headers with lower-case names, including those added by the network stack.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl SentRequest {
    /// Returns whether URL, headers or body contain these bytes.
    pub(crate) fn holds(&self, needle: &[u8]) -> bool {
        let texts = self.headers.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        let mut all = texts.chain([self.url.as_bytes(), &self.body]);
        all.any(|text| memchr::memmem::find(text, needle).is_some())
    }
}

impl Browser {
    /// Returns all requests sent so far, oldest first.
    pub(crate) async fn requests(&self) -> Vec<SentRequest> {
        let new = self.session.get_log("performance").await.unwrap();
        let new = new.into_iter().map(|entry| serde_json::from_str::<Value>(&entry.message).unwrap()["message"].take());
        self.events.lock().unwrap().extend(new);
        let events = self.events.lock().unwrap().clone();
        let mut all: Vec<SentRequest> = Vec::new();
        for event in &events {
            let (parameters, id) = (&event["params"], event["params"]["requestId"].as_str().unwrap_or_default());
            match event["method"].as_str() {
                Some("Network.requestWillBeSent") => all.push(self.request(id, &parameters["request"]).await),
                Some("Network.requestWillBeSentExtraInfo") => {
                    if let Some(sent) = all.iter_mut().rev().find(|sent| sent.id == id) {
                        sent.headers.extend(headers(&parameters["headers"]));
                    }
                }
                _ => {}
            }
        }
        all
    }

    /// Returns the number of bytes received from `origin` so far, headers included and as compressed.
    pub(crate) async fn received_bytes(&self, origin: &str) -> u64 {
        let requests = self.requests().await;
        let ids: Vec<_> = requests.iter().filter(|sent| sent.url.starts_with(origin)).map(|sent| &sent.id).collect();
        let is_wanted = |event: &&Value| ids.iter().any(|id| event["params"]["requestId"] == id.as_str());
        let events = self.events.lock().unwrap();
        let finished = events.iter().filter(|event| event["method"] == "Network.loadingFinished").filter(is_wanted);
        finished.map(|event| event["params"]["encodedDataLength"].as_u64().unwrap_or(0)).sum()
    }

    async fn request(&self, id: &str, request: &Value) -> SentRequest {
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let mut body = text("postData").into_bytes();
        if body.is_empty() && request["hasPostData"] == true {
            // The browser discards large request bodies; the recording proxy has them.
            let post_data = self.session.cdp().send_raw("Network.getRequestPostData", json!({ "requestId": id })).await;
            body = post_data.ok().and_then(|response| Some(response["postData"].as_str()?.into())).unwrap_or_default();
        }
        // The URL has no fragment: DevTools reports it separately, and it is not sent.
        SentRequest {
            id: id.to_owned(),
            method: text("method"),
            url: text("url"),
            headers: headers(&request["headers"]).collect(),
            body,
        }
    }

    /// Switches offline mode on or off.
    pub(crate) async fn offline(&self, offline: bool) {
        let conditions = json!({ "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1 });
        self.tell("Network.emulateNetworkConditions", conditions).await;
    }
}

fn headers(object: &Value) -> impl Iterator<Item = (String, String)> {
    let members = object.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap_or_default().to_owned()))
}
