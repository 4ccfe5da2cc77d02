//! Whole images in one piece of bytes, as fuzz targets take them and findings are kept.

use std::fs;
use std::path::Path;

use crate::Result;
use crate::layout;

/// What stands between the tars of two layers.
pub const LAYER_BREAK: [u8; 512] = {
    let mut record = [b'-'; 512];
    record[0] = b'\n';
    record
};

/// What stands between two documents.
const DOCUMENT_BREAK: u8 = b'\n';

/// The tars of the layers, the lowest first: what stands between [`LAYER_BREAK`]s at multiples of 512 bytes.
pub fn layers(packed: &[u8]) -> Vec<Vec<u8>> {
    let mut layers = vec![Vec::new()];
    for record in packed.chunks(LAYER_BREAK.len()) {
        match layers.last_mut() {
            Some(layer) if record != LAYER_BREAK => layer.extend_from_slice(record),
            _ => layers.push(Vec::new()),
        }
    }
    layers
}

/// Writes a layout whose `index.json` is the first line and whose blobs are the others.
///
/// In each line, `@1` to `@9` stand for the digest and the size of that many lines further on, as a descriptor has them:
/// `{"mediaType":"...",@1}`. So a line may be changed and still be found.
///
/// # Errors
/// When the directory cannot be written.
pub fn write_documents(packed: &[u8], layout: &Path) -> Result<()> {
    let lines: Vec<&[u8]> = packed.split(|&byte| byte == DOCUMENT_BREAK).collect();
    let mut descriptors: Vec<String> = Vec::new();
    for line in lines.iter().skip(1).rev() {
        let blob = expand(line, &descriptors);
        let described = layout::write_blob(layout, "", &blob)?;
        descriptors.push(format!(r#""digest":{},"size":{}"#, described["digest"], described["size"]));
    }
    fs::create_dir_all(layout)?;
    fs::write(layout.join("index.json"), expand(lines[0], &descriptors))?;
    fs::write(layout.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
    Ok(())
}

/// Puts descriptors in place of their marks. The last one is of the next line.
fn expand(line: &[u8], descriptors: &[String]) -> Vec<u8> {
    let mut expanded = Vec::new();
    let mut rest = line;
    while let Some(at) = rest.iter().position(|&byte| byte == b'@') {
        let descriptor = match rest.get(at + 1) {
            Some(digit @ b'1'..=b'9') => descriptors.iter().nth_back(usize::from(digit - b'1')),
            _ => None,
        };
        let (before, after) = rest.split_at(at);
        expanded.extend_from_slice(before);
        match descriptor {
            Some(descriptor) => {
                expanded.extend_from_slice(descriptor.as_bytes());
                rest = &after[2..];
            }
            None => {
                expanded.push(b'@');
                rest = &after[1..];
            }
        }
    }
    expanded.extend_from_slice(rest);
    expanded
}
