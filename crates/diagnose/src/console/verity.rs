//! dm-verity, which checks each block that is read against a root hash.

use super::Known;
use super::boot::Boot;
use super::rules::{VERITY_MISMATCH, VERITY_UNAVAILABLE};
use super::symptom::Symptom;
use super::text::Message;

/// Reads a message of the device mapper.
pub fn read(message: &Message, _boot: &Boot, _known: &Known) -> Option<Symptom> {
    const CHANGED: &str = "the image or the root hash is another than that of the build: 'veritysetup verify' finds \
                           the blocks. A sealed image must never be written, not even mounted to write: give the \
                           guest a drive that is read only";
    if let Some(what) =
        message.after("device-mapper: verity: ").or_else(|| message.after("device-mapper: verity-fec: "))
    {
        let corrupt = what.contains("is corrupted") || what.contains("corrupted");
        return corrupt.then(|| {
            let words = format!("a block of the sealed image is not the one that the root hash was made of: {what}");
            Symptom::cause(&VERITY_MISMATCH, message, words, CHANGED)
        });
    }
    if message.after("Kernel panic - not syncing: dm-verity device corrupted").is_some() {
        let words = "the sealed image has changed, and the kernel was told to panic then (panic_on_corruption)";
        return Some(Symptom::outcome(&VERITY_MISMATCH, message, words, CHANGED));
    }
    let mapper = ["device-mapper: table: ", "device-mapper: init: ", "device-mapper: ioctl: "];
    let what = mapper.iter().find_map(|prefix| message.after(prefix))?;
    let fails = ["unknown target type", "error", "failed", "invalid", "cannot", "unrecognized", "not found"];
    let lower = what.to_ascii_lowercase();
    fails.iter().any(|word| lower.contains(word)).then(|| {
        let words = format!("the kernel cannot set up what the command line describes: {what}");
        let remedy = "the kernel needs CONFIG_DM_VERITY built in, or as a module that an initramfs loads as that of \
                      'nex rootfs boot' does, the image as the drive that dm-mod.create= names, \
                      and its words as the build has printed them";
        Symptom::cause(&VERITY_UNAVAILABLE, message, words, remedy)
    })
}
