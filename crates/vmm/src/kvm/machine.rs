//! A machine of a few instructions for `/dev/kvm`, by the calls that every VMM makes.
//!
//! It runs as kernels do: with 64 bits, behind page tables. It writes and reads memory, makes KVM step in, and gives a sum to
//! an I/O port.
#![allow(unsafe_code)]

use std::ptr;

use kvm_bindings::{KVM_MAX_CPUID_ENTRIES, kvm_regs, kvm_segment, kvm_userspace_memory_region};
use kvm_ioctls::{Kvm, VcpuExit, VcpuFd, VmFd};
use rustix::mm::{MapFlags, ProtFlags};

/// One page of the largest kind that every processor has.
const MEMORY: usize = 2 << 20;
const PAGE_MAP_LEVEL_4: usize = 0x1000;
const PAGE_DIRECTORY_POINTERS: usize = 0x2000;
const PAGE_DIRECTORY: usize = 0x3000;
const CODE_AT: usize = 0x8000;
const STACK_AT: u64 = 0x1_0000;

const PORT: u16 = 0xf4;
const ROUNDS: u32 = 1_000_000;

/// The rounds stand in the first instruction.
const CODE: &[u8] = &[
    0x48, 0xc7, 0xc1, 0x40, 0x42, 0x0f, 0x00, // mov rcx, ROUNDS
    0x48, 0x31, 0xc0, // xor rax, rax
    0x48, 0xc7, 0xc3, 0x00, 0x00, 0x10, 0x00, // mov rbx, 0x100000
    0x48, 0x89, 0x0b, // again: mov [rbx], rcx
    0x48, 0x03, 0x03, // add rax, [rbx]
    0x48, 0xff, 0xc9, // dec rcx
    0x75, 0xf5, // jnz again
    0x50, // push rax
    0x31, 0xc0, // xor eax, eax
    0x0f, 0xa2, // cpuid
    0x58, // pop rax
    0xe7, 0xf4, // out PORT, eax
    0xf4, 0xeb, 0xfd, // halt: hlt; jmp halt
];

/// Runs it. Returns when it has given the right sum.
pub fn run() -> Result<(), String> {
    let kvm = Kvm::new().map_err(doing("open /dev/kvm"))?;
    let machine = kvm.create_vm().map_err(doing("make a machine"))?;
    set_memory(&machine)?;
    let mut vcpu = machine.create_vcpu(0).map_err(doing("make a processor"))?;
    set_processor(&kvm, &vcpu)?;
    let sum = (u64::from(ROUNDS) * (u64::from(ROUNDS) + 1) / 2) as u32;
    loop {
        match vcpu.run() {
            Ok(VcpuExit::IoOut(PORT, data)) if data == sum.to_le_bytes() => return Ok(()),
            Ok(exit) => return Err(format!("a machine of a few instructions ended with {exit:?}")),
            Err(error) if error.errno() == rustix::io::Errno::INTR.raw_os_error() => {}
            Err(error) => return Err(format!("cannot run a machine of a few instructions: {error}")),
        }
    }
}

fn doing(what: &str) -> impl Fn(kvm_ioctls::Error) -> String {
    move |error| format!("cannot {what}: {error}")
}

fn set_memory(machine: &VmFd) -> Result<(), String> {
    /// The entry is there and may be written; in a page directory also that it is a large page.
    const PRESENT: u64 = 0b11;
    const LARGE: u64 = 1 << 7;
    let mut memory = vec![0; MEMORY];
    let tables = [
        (PAGE_MAP_LEVEL_4, PAGE_DIRECTORY_POINTERS as u64 | PRESENT),
        (PAGE_DIRECTORY_POINTERS, PAGE_DIRECTORY as u64 | PRESENT),
        (PAGE_DIRECTORY, PRESENT | LARGE),
    ];
    for (place, entry) in tables {
        memory[place..place + size_of::<u64>()].copy_from_slice(&entry.to_le_bytes());
    }
    memory[CODE_AT..CODE_AT + CODE.len()].copy_from_slice(CODE);

    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: it maps memory anew and touches none that is there.
    let mapped = unsafe { rustix::mm::mmap_anonymous(ptr::null_mut(), MEMORY, protection, flags) };
    let mapped = mapped.map_err(|error| format!("cannot have memory for a machine: {error}"))?;
    // SAFETY: both are of this length, and nobody else knows the new one yet.
    unsafe { ptr::copy_nonoverlapping(memory.as_ptr(), mapped.cast::<u8>(), MEMORY) };
    let region =
        kvm_userspace_memory_region { memory_size: MEMORY as u64, userspace_addr: mapped as u64, ..Default::default() };
    // SAFETY: the memory is never unmapped: it ends with this process, as the machine does.
    unsafe { machine.set_user_memory_region(region) }.map_err(doing("give a machine memory"))
}

/// 64-bit mode, as a boot loader leaves the processor to a kernel.
fn set_processor(kvm: &Kvm, vcpu: &VcpuFd) -> Result<(), String> {
    const PROTECTED_AND_PAGED: u64 = 1 << 31 | 1;
    const PHYSICAL_ADDRESS_EXTENSION: u64 = 1 << 5;
    const LONG_MODE: u64 = 1 << 10 | 1 << 8;
    let cpuid = kvm.get_supported_cpuid(KVM_MAX_CPUID_ENTRIES).map_err(doing("ask what the processor can"))?;
    vcpu.set_cpuid2(&cpuid).map_err(doing("say what the processor can"))?;
    let mut special = vcpu.get_sregs().map_err(doing("read the processor"))?;
    let data =
        kvm_segment { limit: u32::MAX, selector: 16, type_: 3, present: 1, s: 1, g: 1, db: 1, ..Default::default() };
    special.cs = kvm_segment { selector: 8, type_: 11, l: 1, db: 0, ..data };
    (special.ds, special.es, special.ss) = (data, data, data);
    special.cr0 = PROTECTED_AND_PAGED;
    special.cr3 = PAGE_MAP_LEVEL_4 as u64;
    special.cr4 = PHYSICAL_ADDRESS_EXTENSION;
    special.efer = LONG_MODE;
    vcpu.set_sregs(&special).map_err(doing("set the processor"))?;
    /// The bit of the flags that is always set.
    const RESERVED: u64 = 2;
    let registers = kvm_regs { rip: CODE_AT as u64, rsp: STACK_AT, rflags: RESERVED, ..Default::default() };
    vcpu.set_regs(&registers).map_err(doing("set the processor"))
}
