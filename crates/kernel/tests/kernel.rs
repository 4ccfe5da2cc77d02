//! A distribution's kernel is understood, each compression is undone as other people's programs do it, and no file makes
//! the reader fall over.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use nex_fault::{Fault, Setting, Step, whole};
use nex_kernel::{Architecture, Compression, Error, Form, Kernel, MAX_KERNEL};
use nex_testkit::guest::Parts;
use nex_testkit::{Result, command};

const SETUP_SECTS: usize = 1;
const PAYLOAD: usize = (SETUP_SECTS + 1) * 512;

/// An ELF header for x86_64 and a kernel's banner.
fn vmlinux() -> Vec<u8> {
    let mut file = vec![0; 1 << 20];
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    file[18..20].copy_from_slice(&62u16.to_le_bytes());
    let text = b"Linux version %s\0Linux version 6.18.0-nex (me@here) #1\0";
    file[9000..9000 + text.len()].copy_from_slice(text);
    file
}

/// A bzImage around a payload.
fn bzimage(payload: &[u8]) -> Vec<u8> {
    let mut file = vec![0; PAYLOAD];
    file[0x1f1] = SETUP_SECTS as u8;
    file[0x202..0x206].copy_from_slice(b"HdrS");
    file[0x206..0x208].copy_from_slice(&0x020fu16.to_le_bytes());
    file[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
    file[0x236..0x238].copy_from_slice(&1u16.to_le_bytes());
    file[0x24c..0x250].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    file[0x300..0x30d].copy_from_slice(b"6.18.0-nex me");
    file.extend_from_slice(payload);
    file
}

/// Compresses with a program, and puts the size behind as the kernel's build does.
fn compressed(program: &[&str], content: &[u8]) -> Result<Vec<u8>> {
    let mut child =
        Command::new(program[0]).args(&program[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or_else(|| nex_testkit::Failure::new("no pipe"))?;
    let content = content.to_vec();
    let length = content.len() as u32;
    let writer = std::thread::spawn(move || input.write_all(&content));
    let mut payload = child.wait_with_output()?.stdout;
    writer.join().map_err(|_| nex_testkit::Failure::new("the writer panicked"))??;
    if program[0] != "gzip" {
        payload.extend_from_slice(&length.to_le_bytes());
    }
    Ok(payload)
}

#[test]
fn a_distributions_kernel_is_understood() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let kernel = Kernel::read(&parts.kernel, MAX_KERNEL)?;
    assert_eq!((kernel.form(), kernel.architecture()), (Form::BzImage, Architecture::X86_64));
    let release = kernel.release()?.unwrap_or_default();
    assert!(release.ends_with("-cloud-amd64"), "{release}");

    let inside = Kernel::parse(kernel.unpacked()?.into_owned(), MAX_KERNEL)?;
    assert_eq!((inside.form(), inside.architecture()), (Form::Vmlinux, Architecture::X86_64));
    assert_eq!((inside.release()?, inside.compression()), (Some(release), None));
    assert!(inside.has_pvh_entry() && !kernel.has_pvh_entry());
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("vmlinux");
    fs::write(&path, inside.unpacked()?)?;
    let cut = |kernel: &[u8]| {
        Kernel::parse(kernel[..kernel.len() / 2].to_vec(), MAX_KERNEL).and_then(|half| half.check_length())
    };
    kernel.check_length()?;
    inside.check_length()?;
    assert!(matches!(cut(&fs::read(&parts.kernel)?), Err(Error::Damaged { .. })));
    assert!(matches!(cut(&fs::read(&path)?), Err(Error::Damaged { .. })));
    let described = command::run(Command::new("readelf").arg("--file-header").arg(&path))?;
    let described = String::from_utf8_lossy(&described);
    assert!(described.contains("Advanced Micro Devices X86-64") && described.contains("EXEC"), "{described}");
    Ok(())
}

#[test]
fn each_compression_is_undone() -> Result<()> {
    let programs: [(&[&str], Compression); 5] = [
        (&["gzip", "-9"], Compression::Gzip),
        (&["zstd", "-q", "--ultra", "-22"], Compression::Zstd),
        (&["xz", "--check=crc32", "--x86", "--lzma2=dict=32MiB"], Compression::Xz),
        (&["xz", "--format=lzma"], Compression::Lzma),
        (&["lz4", "-l", "-9"], Compression::Lz4),
    ];
    for (program, compression) in programs {
        let kernel = Kernel::parse(bzimage(&compressed(program, &vmlinux())?), MAX_KERNEL)?;
        assert_eq!((kernel.form(), kernel.compression()), (Form::BzImage, Some(compression)));
        assert!(kernel.unpacked()?.as_ref() == vmlinux(), "{compression}");
        assert_eq!(kernel.release()?.as_deref(), Some("6.18.0-nex"));
    }
    let plain = Kernel::parse(compressed(&["gzip"], &vmlinux())?, MAX_KERNEL)?;
    assert!(!Kernel::parse(vmlinux(), MAX_KERNEL)?.has_pvh_entry());
    assert_eq!((plain.form(), plain.release()?.as_deref()), (Form::Gzip, Some("6.18.0-nex")));
    Ok(())
}

/// A dictionary of 4 GiB, which xz(1) itself has no memory for.
#[test]
fn a_dictionary_that_takes_all_memory_is_refused() -> Result<()> {
    let mut payload = compressed(&["xz", "--check=crc32", "--lzma2=dict=32MiB"], &vmlinux())?;
    // Behind the stream's header stands the block's: its size in words of 4 bytes but one, flags, the filter's id and the length of
    // its properties, the dictionary's size, padding, and a CRC-32 of all that.
    let header = 12..12 + (usize::from(payload[12]) + 1) * 4;
    let (id, dictionary) = (header.start + 2, header.start + 4);
    assert_eq!(payload[id..dictionary], [0x21, 1]);
    payload[dictionary] = 40;
    let mut crc = flate2::Crc::new();
    crc.update(&payload[header.start..header.end - 4]);
    payload[header.end - 4..header.end].copy_from_slice(&crc.sum().to_le_bytes());
    let error = Kernel::parse(bzimage(&payload), MAX_KERNEL)
        .and_then(|kernel| kernel.unpacked().map(drop))
        .map_err(|error| whole(&error))
        .unwrap_err();
    assert!(error.contains("xz") && error.contains("memory"), "{error}");
    Ok(())
}

#[test]
fn a_kernel_for_arm_is_understood() -> Result<()> {
    let mut image = vec![0; 1 << 16];
    image[56..60].copy_from_slice(b"ARM\x64");
    image[4000..4023].copy_from_slice(b"Linux version 6.18.0-a ");
    let mut zboot = vec![0; 64];
    zboot[..2].copy_from_slice(b"MZ");
    zboot[4..8].copy_from_slice(b"zimg");
    let payload = compressed(&["zstd", "-q"], &image)?;
    zboot[8..12].copy_from_slice(&64u32.to_le_bytes());
    zboot[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    zboot.extend_from_slice(&payload);
    for (file, form) in [(image.clone(), Form::Image), (zboot, Form::Zboot)] {
        let kernel = Kernel::parse(file, MAX_KERNEL)?;
        assert_eq!((kernel.form(), kernel.architecture()), (form, Architecture::Aarch64));
        assert!(kernel.unpacked()?.as_ref() == image);
        assert_eq!(kernel.release()?.as_deref(), Some("6.18.0-a"));
    }
    Ok(())
}

#[test]
fn other_files_are_refused_in_words() {
    let refusal = |file: Vec<u8>| match Kernel::parse(file, MAX_KERNEL).and_then(|kernel| kernel.unpacked().map(drop)) {
        Err(error) => match error.remedy() {
            Some(remedy) => format!("{}; {}", whole(&error), remedy.words(|setting| setting.name().to_owned())),
            None => whole(&error),
        },
        Ok(()) => "it is a kernel".to_owned(),
    };
    let mut bits_32 = bzimage(b"");
    bits_32[0x236] = 0;
    let mut beyond = bzimage(b"\x1f\x8b");
    beyond[0x248..0x24c].copy_from_slice(&u32::MAX.to_le_bytes());
    let with = |at: usize, magic: &[u8]| {
        let mut file = vec![0; 2048];
        file[at..at + magic.len()].copy_from_slice(magic);
        file
    };
    let mut unified = with(0, b"MZ");
    unified[0x200..0x208].copy_from_slice(b".linux\0\0");
    let mut riscv_zboot = with(0x40, b"PE\0\0\x64\x50");
    riscv_zboot[..8].copy_from_slice(b"MZ\0\0zimg");
    riscv_zboot[0x3c] = 0x40;
    for (file, words) in [
        (Vec::new(), "it is empty"),
        (b"#!/bin/sh\n".to_vec(), "a script"),
        (with(100, b"nothing"), "it begins like none"),
        (with(0x24, b"\x18\x28\x6f\x01"), "ARM with 32 bits"),
        (with(0x38, b"RSC\x05"), "RISC-V"),
        (riscv_zboot, "another kind of processor"),
        (unified, "a unified kernel image"),
        (with(0, b"MZ"), "an EFI program"),
        (with(0, b"070701"), "cpio"),
        (with(0, b"\xfd7zXZ\0"), "unxz"),
        (with(1080, b"\x53\xef"), "ext4"),
        (b"\x7fELF\x01\x01".to_vec(), "another kind of processor"),
        (bits_32, "x86 with 32 bits"),
        (beyond, "ends before the end of its payload"),
        (bzimage(b"BZh9"), "compressed by bzip2, which nex cannot undo"),
        (bzimage(b"nothing"), "nothing that is known"),
        (bzimage(b"\x1f\x8bnothing"), "cannot unpack the kernel, which is compressed by gzip"),
        (bzimage(b"\x02\x21\x4c\x18\xff\xff\xff\x7f1234"), "compressed by lz4"),
    ] {
        let refused = refusal(file);
        assert!(refused.contains(words), "{refused:?} lacks {words:?}");
    }
}

#[test]
fn no_damage_makes_the_reader_fall_over() -> Result<()> {
    for program in [&["gzip", "-9"][..], &["zstd", "-q"], &["xz", "--check=crc32", "--x86", "--lzma2"], &["lz4", "-l"]]
    {
        let whole = bzimage(&compressed(program, &vmlinux()[..32 << 10])?);
        for length in (0..whole.len()).step_by(7) {
            let _ = Kernel::parse(whole[..length].to_vec(), MAX_KERNEL)
                .map(|kernel| (kernel.release().is_ok(), kernel.unpacked().is_ok()));
        }
        for place in (0x1f0..whole.len()).step_by(3) {
            let mut damaged = whole.clone();
            damaged[place] ^= 0x55;
            if let Ok(kernel) = Kernel::parse(damaged, MAX_KERNEL) {
                // A checksum notices, or the damage is where nobody looks.
                let _ = (kernel.release().is_ok(), kernel.compression(), kernel.unpacked().is_ok());
            }
        }
    }
    let missing = Kernel::read("/nonexistent/kernel".as_ref(), MAX_KERNEL);
    assert!(matches!(missing, Err(Error::Read { .. })));
    Ok(())
}

/// A kernel that is nothing but room.
fn bomb(program: &[&str], length: usize) -> Result<Vec<u8>> {
    let mut content = vmlinux();
    content.resize(length, 0);
    compressed(program, &content)
}

#[test]
fn what_unpacks_to_more_than_it_may_is_refused_and_no_more_is_unpacked() -> Result<()> {
    const MOST: u64 = 3 << 20;
    let programs: [&[&str]; 5] =
        [&["gzip", "-9"], &["zstd", "-q"], &["xz", "--check=crc32"], &["xz", "--format=lzma"], &["lz4", "-l", "-9"]];
    for program in programs {
        for (length, fits) in [(MOST as usize, true), (MOST as usize + 1, false)] {
            let kernel = Kernel::parse(bzimage(&bomb(program, length)?), MOST)?;
            let mut seen = 0;
            let shown = kernel.windows(|window| seen += window.fresh);
            assert_eq!((shown.is_ok(), kernel.unpacked().is_ok()), (fits, fits), "{program:?}");
            assert!(seen as u64 <= MOST, "{program:?}");
            if let Err(error) = shown {
                assert!(matches!(error, Error::UnpacksTooLarge { limit: MOST, .. }), "{error}");
                let remedy = error.remedy();
                let steps: Vec<_> = remedy.iter().flat_map(|remedy| remedy.steps()).collect();
                assert_eq!(steps, [&Step::Raise(Setting::MaxKernel)]);
            }
        }
    }
    let plain = Kernel::parse(bomb(&["gzip"], MOST as usize + 1)?, MOST)?;
    assert!(matches!(plain.release(), Err(Error::UnpacksTooLarge { .. })));
    let directory = tempfile::tempdir()?;
    let sparse = directory.path().join("vmlinux");
    fs::File::create(&sparse)?.set_len(1 << 40)?;
    assert!(matches!(Kernel::read(&sparse, MOST), Err(Error::TooLarge { limit: MOST, .. })));
    Ok(())
}

/// The release and what is around it are found wherever the pieces end in which a kernel is looked at.
#[test]
fn a_release_is_found_far_inside() -> Result<()> {
    for place in [(3 << 20) - 20, (3 << 20) - 5, 3 << 20, (4 << 20) - 10, 9 << 20] {
        let mut content = vmlinux();
        content[9000..10000].fill(0);
        content.resize(10 << 20, 0);
        content[place..place + 25].copy_from_slice(b"Linux version 6.18.0-far\0");
        let kernel = Kernel::parse(compressed(&["gzip", "-1"], &content)?, MAX_KERNEL)?;
        assert_eq!(kernel.release()?.as_deref(), Some("6.18.0-far"), "at {place}");
    }
    Ok(())
}
