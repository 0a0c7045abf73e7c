//! The audit log over stores that are slow or fail.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::domain::address::AddressPolicy;
use crate::domain::clock::{Clock, ManualClock};
use crate::domain::error::ErrorCode;
use crate::domain::id::RecordIds;
use crate::domain::store::{FaultInjector, FaultyStore, MemoryStore, Records, StorageKey};
use crate::domain::timestamp::Timestamp;

/// More requests than the queue of the log takes.
const FLOOD: usize = 10_000;

/// An audit log over a faulty store, and the records in it.
struct Fixture {
    log: AuditLog,
    flusher: Flusher,
    memory: MemoryStore,
    clock: Arc<ManualClock>,
    ids: Arc<RecordIds>,
}

impl Fixture {
    fn new(injector: FaultInjector) -> Self {
        let (memory, ids) = (MemoryStore::default(), Arc::<RecordIds>::default());
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_767_268_800_000)));
        let store = Arc::new(FaultyStore::over(memory.clone()).with(injector));
        let (log, flusher) = AuditLog::start(
            store,
            clock.clone(),
            ids.clone(),
            AuditSettings { mode: WriteMode::Batched, ..AuditSettings::default() },
        );
        Self { log, flusher, memory, clock, ids }
    }

    /// Records a request from this network without a commit.
    async fn finish(&self, route: &str, network: u8, status: u16, admin: bool) {
        let policy = AddressPolicy::new(IpMode::Hashed);
        let address = Some([203, 0, 113, network].into());
        let now = self.clock.now();
        let request = RequestInfo {
            request_id: self.ids.next(now),
            client_request_id: None,
            at: now,
            service: if admin { ServiceName::Admin } else { ServiceName::Public },
            method: "GET".to_owned(),
            route: route.to_owned(),
            action: ActionName::TokenList,
            client: policy.describe(address, None, now),
            client_key: policy.key_of(address),
            network_key: policy.network_of(address),
        };
        let scope = RequestScope::new(request, self.ids.clone(), |_| None);
        if admin {
            scope.set_admin();
        }
        let (outcome, code) = match status {
            200 => (Outcome::Done, None),
            _ => (Outcome::Refused, Some(ErrorCode::RouteNotFound)),
        };
        self.log.finish(&scope, ResponseInfo { status, outcome, code, bytes_out: 0 }).await;
    }

    /// Stops the log, and returns the number of records in the store of this route and of all.
    async fn stop(self, route: &str) -> (usize, usize) {
        drop(self.log);
        self.flusher.await.unwrap();
        let (mut after, mut of_route, mut all) = (None, 0, 0);
        loop {
            let keys = self.memory.keys(&StorageKey::all_service_records(), after.as_ref(), 1_000).await.unwrap();
            for key in &keys {
                let value = self.memory.get(key).await.unwrap().unwrap().value;
                of_route += usize::from(String::from_utf8_lossy(&value).contains(route));
            }
            all += keys.len();
            match keys.last() {
                Some(last) => after = Some(last.clone()),
                None => return (of_route, all),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_on_a_slow_store_hides_no_request_of_an_admin() {
    let fixture = Fixture::new(FaultInjector::default().delaying(|| Duration::from_secs(1)));
    for number in 0..FLOOD {
        fixture.finish("/flood", u8::try_from(number % 200).unwrap(), 404, false).await;
    }
    for _ in 0..3 {
        fixture.finish("/of/an/admin", 1, 200, true).await;
    }
    let (of_admin, all) = fixture.stop("/of/an/admin").await;
    assert_eq!(of_admin, 3, "a flood hides the requests of an admin");
    assert!(all > 100, "the flood is not recorded at all: {all}");
}

#[tokio::test(start_paused = true)]
async fn records_that_a_failing_store_refuses_take_bounded_memory() {
    let full = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let fixture = Fixture::new(FaultInjector::full_while(full.clone()));
    for _ in 0..FLOOD {
        fixture.finish("/of/an/admin", 1, 200, true).await;
    }
    // Lets the log collect what is queued.
    tokio::time::sleep(Duration::from_mins(1)).await;
    full.store(false, std::sync::atomic::Ordering::Relaxed);
    let (_, all) = fixture.stop("/").await;
    // Each request has two records.
    assert!((5_000..=11_024).contains(&all), "{all} of {} records were kept", 2 * FLOOD);
}
