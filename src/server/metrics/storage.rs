//! Gauges of the store: free space, transfers by state, and open uploads.

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::OptionalGauge;
use crate::domain::limits::free_space::FreeSpaceLevel;
use crate::domain::transfers::StoreTotals;
use crate::domain::wire::StorageSpace;

/// Gauges of the store; a value that is not known is absent.
#[derive(Debug, Default)]
pub(super) struct StorageGauges {
    free: OptionalGauge,
    total: OptionalGauge,
    min_free: OptionalGauge,
    reserve: OptionalGauge,
    reserve_target: OptionalGauge,
    full: Gauge,
    transfers: Family<[(&'static str, &'static str); 1], Gauge>,
    stored: OptionalGauge,
    open_uploads: Gauge,
}

impl StorageGauges {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauges = Self::default();
        for (name, help, gauge) in [
            ("storage_free", "Free space of the store's disk, without what its reserve lacks", &gauges.free),
            ("storage_total", "Size of the store's disk", &gauges.total),
            ("storage_min_free", "Free space that uploads must leave", &gauges.min_free),
            ("storage_reserve", "Allocated reserve for deletions on a full disk", &gauges.reserve),
            ("storage_reserve_target", "Size of the whole reserve", &gauges.reserve_target),
            ("stored", "Encrypted size of the payloads in the store", &gauges.stored),
        ] {
            registry.register_with_unit(name, help, Unit::Bytes, gauge.clone());
        }
        let help = "1 if the store has no space for ordinary writes, else 0";
        registry.register("storage_full", help, gauges.full.clone());
        registry.register("transfers", "Transfers in the store by state", gauges.transfers.clone());
        registry.register("open_uploads", "Uploads in progress through this process", gauges.open_uploads.clone());
        gauges
    }

    /// Sets the gauges of the free space.
    pub(super) fn set_space(&self, space: &StorageSpace) {
        for (gauge, bytes) in [
            (&self.free, space.free_bytes),
            (&self.total, space.total_bytes),
            (&self.min_free, space.min_free_bytes),
            (&self.reserve, space.reserve_bytes),
            (&self.reserve_target, space.reserve_target_bytes),
        ] {
            if let Some(bytes) = bytes {
                gauge.get_or_create(&[]).set(signed(bytes));
            }
        }
        self.full.set(i64::from(space.level == FreeSpaceLevel::Full));
    }

    /// Sets the gauge of the uploads through this process.
    pub(super) fn set_open_uploads(&self, count: usize) {
        self.open_uploads.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Sets the gauges of the store's totals.
    pub(super) fn set_totals(&self, totals: &StoreTotals) {
        let transfers = &totals.transfers;
        for (state, count) in [
            ("pending", transfers.pending),
            ("completed", transfers.completed),
            ("expired", transfers.expired),
            ("exhausted", transfers.exhausted),
            ("deleted", transfers.deleted),
        ] {
            self.transfers.get_or_create(&[("state", state)]).set(signed(count));
        }
        self.stored.get_or_create(&[]).set(signed(totals.bytes_stored));
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
