#!/bin/sh
# Installs nex from the directory that this file stands in, for all users or, without root, for one.
set -eu

usage() {
    cat <<'END'
install.sh [--uninstall]

Installs nex below /usr/local, or removes what it has installed there. Variables:

  PREFIX=DIRECTORY   another place, such as ~/.local, which needs no root
  DESTDIR=DIRECTORY  what stands in front of that place while a package is made

What is there of an earlier version is replaced, and what only that had is removed.
END
}

fail() {
    echo "install.sh: $1" >&2
    exit 1
}

what=install
case ${1:-} in
    "") ;;
    --uninstall) what=uninstall ;;
    -h | --help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
esac
[ $# -lt 2 ] || { usage >&2 && exit 2; }

prefix=${PREFIX:-/usr/local}
case $prefix in
    # The list of what is installed has one path a line.
    *"
"*) fail "PREFIX has a line break in it" ;;
    /*) prefix=${prefix%/} ;;
    # As a shell leaves it behind 'make install PREFIX='.
    "~/"*) prefix=${HOME:?is not set, so there is no ~/}/${prefix#"~/"} ;;
    *) fail "PREFIX is '$prefix', which is no absolute path; put \$PWD/ in front of it" ;;
esac
dest=${DESTDIR:-}
# Every file, and with a slash behind it every directory, that was not there before. It is written before what it names, so that what
# an interrupt has left can be removed.
list=$prefix/lib/nex/installed
umask 022

work=
new=
clean_up() {
    [ -z "$new" ] || rm -f "$new"
    [ -z "$work" ] || rm -rf "$work"
}
trap clean_up EXIT
# The shell itself ends at a signal without the trap above.
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Notes a directory and those above it, the lowest first, that are not there.
note_directory() {
    [ ! -d "$dest$1" ] || return 0
    case $1 in /*/*) note_directory "${1%/*}" ;; esac
    echo "$1/" >>"$work/notes"
}

make_directory() {
    mkdir -p "$1" || fail "cannot make the directory $1; PREFIX=~/.local needs no root"
}

# A running program keeps the file that it was started from. The new file has a name that nobody could have put a link under.
copy() {
    new=$(mktemp "${2%/*}/.nex.XXXXXX") || fail "cannot write into ${2%/*}; PREFIX=~/.local needs no root"
    cat "$1" >"$new" || fail "cannot write $2"
    chmod "$3" "$new"
    mv -f "$new" "$2"
    new=
}

# Makes the notes the list, each path once.
write_list() {
    LC_ALL=C sort -u "$work/notes" >"$work/sorted"
    copy "$work/sorted" "$dest$list" 644
}

# Whether a path of the list is one that was installed here.
is_below_prefix() {
    case $1 in
        */../* | */..) return 1 ;;
        "$prefix"/*) return 0 ;;
        # A directory above it, which was not there either.
        */) case $prefix/ in "$1"*) return 0 ;; esac ;;
    esac
    return 1
}

install_all() {
    here=$(cd "$(dirname "$0")" && pwd)
    [ -x "$here/bin/nex" ] || fail "there is no bin/nex beside it; run the install.sh of an unpacked release"
    work=$(mktemp -d)
    : >"$work/old"
    [ ! -f "$dest$list" ] || cat "$dest$list" >"$work/old"
    (cd "$here" && find bin lib share -type f | LC_ALL=C sort) >"$work/files"
    echo "$list" >"$work/notes"
    while IFS= read -r file; do
        [ ! -d "$dest$prefix/$file" ] || fail "$dest$prefix/$file is a directory; move it away"
        note_directory "$prefix/${file%/*}"
        echo "$prefix/$file" >>"$work/notes"
    done <"$work/files"
    cp "$work/notes" "$work/own"
    cat "$work/old" >>"$work/notes"
    make_directory "$dest${list%/*}"
    write_list
    while IFS= read -r file; do
        make_directory "$dest$prefix/${file%/*}"
        mode=644
        [ ! -x "$here/$file" ] || mode=755
        copy "$here/$file" "$dest$prefix/$file" "$mode"
    done <"$work/files"
    # What an earlier version had made counts on, and what it alone had goes.
    cp "$work/own" "$work/notes"
    while IFS= read -r path; do
        case $path in
            */) echo "$path" >>"$work/notes" ;;
            *) grep -Fqx "$path" "$work/own" || ! is_below_prefix "$path" || rm -f "$dest$path" ;;
        esac
    done <"$work/old"
    write_list
    image=
    [ ! -e "$here/share/nex/images/default.oci.tar" ] || image=" the image nex:default,"
    echo "installed $dest$prefix/bin/nex, and its agent,$image manual pages and completions below $dest$prefix"
    if [ -z "$dest" ]; then
        case :$PATH: in
            *:"$prefix/bin":*) ;;
            *) echo "your PATH lacks $prefix/bin: add it, as by export PATH=\"$prefix/bin:\$PATH\" in ~/.profile" ;;
        esac
        tell_zsh
    fi
}

# bash and fish look for completions below every prefix on the PATH or in XDG_DATA_DIRS, zsh only where its fpath says.
tell_zsh() {
    command -v zsh >/dev/null || return 0
    functions=$prefix/share/zsh/site-functions
    # As it is without anybody's settings.
    zsh -fc 'print -rl -- $fpath' 2>/dev/null | grep -Fqx "$functions" ||
        echo "for completions in zsh, put this before compinit in ~/.zshrc: fpath=($functions \$fpath)"
}

# Where the nex on the PATH was installed, if install.sh has put it there.
other_prefix() {
    found=$(command -v nex) || return 0
    found=$(readlink -f "$found") || return 0
    found=${found%/bin/nex}
    [ ! -f "$found/lib/nex/installed" ] || echo "$found"
}

uninstall_all() {
    if [ ! -f "$dest$list" ]; then
        [ -n "$dest" ] || other=$(other_prefix)
        [ -z "${other:-}" ] || fail "there is no nex below $prefix, and the one on your PATH is below $other: set PREFIX=$other"
        echo "there is no nex of install.sh below $dest$prefix; PREFIX=DIRECTORY names another place, such as ~/.local"
        return
    fi
    work=$(mktemp -d)
    # A directory comes behind what is in it.
    LC_ALL=C sort -r "$dest$list" >"$work/list"
    while IFS= read -r path; do
        case $path in
            */ | "$list") ;;
            *) ! is_below_prefix "$path" || rm -f "$dest$path" || fail "cannot remove $dest$path" ;;
        esac
    done <"$work/list"
    # Last, as long as there is something that it names.
    rm -f "$dest$list" || fail "cannot remove $dest$list"
    while IFS= read -r path; do
        case $path in
            */) ! is_below_prefix "$path" || rmdir "$dest${path%/}" 2>/dev/null || true ;;
        esac
    done <"$work/list"
    echo "removed nex below $dest$prefix"
}

"${what}_all"
