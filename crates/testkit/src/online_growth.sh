# In the guest: grows a mounted file system, uses what it has gained, and compares all files at each step.
set -e

fail() {
    echo "$drive: $*"
    exit 1
}

# The content of what only takes room does not matter.
remember() {
    find . -type f ! -path './full/*' -exec md5sum {} + >"/tmp/$drive.sums"
    find . | sort >"/tmp/$drive.names"
}

# What the memory holds proves nothing about the drive.
compare() {
    sync -f .
    echo 3 >/proc/sys/vm/drop_caches
    md5sum -c -s "/tmp/$drive.sums" || fail "files have other content than before, $1"
    find . | sort | cmp - "/tmp/$drive.names" || fail "there are other names than before, $1"
}

# New directories go to groups that have room, which are the new ones.
write_files() {
    for directory in $(seq 12); do
        mkdir "new$directory"
        for file in $(seq 6); do
            dd if=/dev/urandom of="new$directory/$file" bs=12345 count=5 2>/dev/null
        done
    done
}

fill_inodes() {
    mkdir names
    cd names
    seq "$(stat -f -c %d .)" | xargs touch
    ! touch one-more 2>/dev/null || fail "it has more inodes than it says"
    cd ..
    [ "$(stat -f -c %d .)" = 0 ] || fail "$(stat -f -c %d .) inodes cannot be used"
}

# Unwritten extents take blocks quickly. The last of them go to an ordinary file, which needs no node for them.
fill_blocks() {
    sync -f .
    echo 0 >"/sys/fs/ext4/$drive/reserved_clusters"
    fallocate -l "$(($(stat -f -c %f .) * 4096))" full/unwritten 2>/dev/null || true
    cat /dev/zero 2>/dev/null >full/zeros || true
    sync -f .
    [ "$(stat -f -c %f .)" = 0 ] || fail "$(stat -f -c %f .) blocks cannot be used"
}

# growth DRIVE FILL BLOCKS...: grows to each number of blocks in turn.
growth() {
    drive=$1
    fill=$2
    shift 2
    mkdir "/$drive"
    mount -t ext4 "/dev/$drive" "/$drive"
    cd "/$drive"
    remember
    for blocks in "$@"; do
        resize2fs "/dev/$drive" "$blocks" || fail "the kernel does not grow it"
        compare "grown to $blocks blocks"
    done
    write_files
    mkdir full
    touch full/unwritten full/zeros
    [ "$fill" != inodes ] || fill_inodes
    remember
    [ "$fill" = files ] || fill_blocks
    compare "when it is used"
    rm -r full
    cd /
    umount "/$drive"
}
