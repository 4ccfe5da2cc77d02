//! What is to be said about the VMM of a guest.

use nex_vmm::Advisory;
use serde::Serialize;

use crate::session::Session;

/// Who ran the guest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VmmReport {
    /// Its name, its version, and who executes the guest's instructions.
    pub name: String,
    /// Why it was chosen.
    pub why: String,
    /// What is known to be vulnerable in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub advisories: Vec<AdvisoryReport>,
    /// What makes it less safe than it could be, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A known vulnerability of a VMM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AdvisoryReport {
    /// Its name.
    pub id: &'static str,
    /// The program that has it.
    pub component: String,
    /// That program's version.
    pub version: String,
    /// The releases in which it is fixed.
    pub fixed_in: Vec<String>,
    /// What it lets whom do.
    pub what: &'static str,
}

impl VmmReport {
    /// What is to be said of the VMM of a guest.
    pub fn of(session: &Session) -> Self {
        let choice = session.choice();
        let (advisories, version) = (choice.vmm.advisories(), choice.vmm.version());
        let warnings = advisories.iter().map(|advisory| advisory.warning(version));
        Self {
            name: choice.vmm.name(),
            why: choice.why.clone(),
            warnings: warnings.chain(session.notes().iter().cloned()).collect(),
            advisories: advisories.iter().map(|advisory| AdvisoryReport::of(advisory, version)).collect(),
        }
    }
}

impl AdvisoryReport {
    fn of(advisory: &Advisory, version: &str) -> Self {
        Self {
            id: advisory.id,
            component: advisory.component.to_string(),
            version: version.to_owned(),
            fixed_in: advisory.fixed_in().map(|release| release.to_string()).collect(),
            what: advisory.what,
        }
    }
}
