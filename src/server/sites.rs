//! How many connections of a listener one site may hold.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use super::app::AppState;
use crate::domain::address::SiteKey;

/// One in so many of a listener's connections.
const SHARE: usize = 4;

/// Counts connections by site. A proxy that is trusted speaks for many, and holds as many as there are.
pub(super) struct Sites {
    app: AppState,
    /// `None` where nobody is limited.
    most: Option<usize>,
    held: Held,
}

type Held = Arc<Mutex<HashMap<SiteKey, usize>>>;

/// One connection of a site, until it is dropped.
pub(super) struct OfSite(Option<(Held, SiteKey)>);

fn locked(held: &Held) -> MutexGuard<'_, HashMap<SiteKey, usize>> {
    held.lock().expect("nothing panics while it holds this lock")
}

impl Sites {
    /// The sites of a listener that takes so many connections; each has a share of them where they are `limited`.
    pub(super) fn new(app: AppState, connections: usize, limited: bool) -> Self {
        Self { app, most: limited.then_some((connections / SHARE).max(1)), held: Held::default() }
    }

    /// Lets a connection in, unless its site holds its share already.
    pub(super) fn admit(&self, peer: IpAddr) -> Option<OfSite> {
        let Some(most) = self.most.filter(|_| !self.app.client_address.proxies.trusts(peer.to_canonical())) else {
            return Some(OfSite(None));
        };
        let site = self.app.addresses.site_of(Some(peer));
        let mut held = locked(&self.held);
        let count = held.entry(site).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(OfSite(Some((self.held.clone(), site))))
    }
}

impl Drop for OfSite {
    fn drop(&mut self) {
        let Some((held, site)) = &self.0 else { return };
        let mut held = locked(held);
        if let Some(count) = held.get_mut(site) {
            *count -= 1;
            if *count == 0 {
                held.remove(site);
            }
        }
    }
}
