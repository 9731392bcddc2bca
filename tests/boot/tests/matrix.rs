//! What every machine must do, whatever it is made of: start, take its configuration, balance, name its card, and
//! end when its power button is pressed.

use std::time::Duration;

use weir_boot_tests::{Disk, Dist, Firmware, Nic, Plan, Site, Source};

/// One machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row(pub(crate) Firmware, pub(crate) Nic, pub(crate) Disk, pub(crate) Source);

impl Row {
    /// Tries it; how long after power-on the first request was answered.
    ///
    /// # Panics
    /// When anything is not as it should be.
    pub(crate) fn try_it(self) -> Duration {
        let Self(firmware, nic, disk, source) = self;
        let site = Site::new();
        let plan = Plan::new(&Dist::find()).firmware(firmware).nic(nic).disk(disk);
        let machine = plan.seed(source, &site.config()).start();
        let first = machine.serves(&site);

        let system = machine.system();
        assert_eq!(system.text("/appliance/configuration/source"), source.name(), "{system:?}");
        assert_eq!(system.text("/appliance/slot"), "A", "{system:?}");
        assert_eq!(system.number("/appliance/fallback"), 0, "{system:?}");
        assert!(system.mentions(nic.driver()), "no {} in {system:?}", nic.driver());
        assert!(system.mentions(disk.driver()), "no {} in {system:?}", disk.driver());

        let stopped = machine.power_off();
        assert!(!stopped.said.contains("Kernel panic"), "{}", stopped.said);
        first
    }
}
