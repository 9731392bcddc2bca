//! What whoever starts Weir decides, apart from the configuration and for as long as the process runs.

use std::path::PathBuf;

use weir_config::model::Admin;

/// What whoever starts Weir decides.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// Where the admin API is while the configuration has no `admin` section.
    pub default_admin: Admin,
    /// The file that a configuration which `PUT` brought is written to, so that it lasts. `None`: it serves until the
    /// next reload or start.
    pub save_to: Option<PathBuf>,
    /// The folder in which the appliance's process 1 tells what it has come to.
    pub appliance: Option<PathBuf>,
}
