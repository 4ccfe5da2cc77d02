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
    /*) prefix=${prefix%/} ;;
    # As a shell leaves it behind 'make install PREFIX='.
    "~/"*) prefix=$HOME/${prefix#"~/"} ;;
    *) fail "PREFIX is '$prefix', which is no absolute path; put \$PWD/ in front of it" ;;
esac
dest=${DESTDIR:-}
# Every file, and with a slash behind it every directory, that was not there before.
list=$prefix/lib/nex/installed
umask 022

# Makes a directory and those above it, and notes those that were not there.
make_directory() {
    [ ! -d "$dest$1" ] || return 0
    case $1 in /*/*) make_directory "${1%/*}" ;; esac
    mkdir -p "$dest$1" || fail "cannot make the directory $dest$1; PREFIX=~/.local needs no root"
    echo "$1/" >>"$notes"
}

# A running program keeps the file that it was started from.
copy() {
    cp "$1" "$2.new" || fail "cannot write $2; PREFIX=~/.local needs no root"
    chmod "$3" "$2.new"
    mv -f "$2.new" "$2"
}

install_all() {
    here=$(cd "$(dirname "$0")" && pwd)
    [ -x "$here/bin/nex" ] || fail "there is no bin/nex beside it; run the install.sh of an unpacked release"
    notes=$(mktemp)
    trap 'rm -f "$notes"' EXIT
    old=
    [ ! -e "$dest$list" ] || old=$(cat "$dest$list")
    files=$(cd "$here" && find bin lib share -type f | LC_ALL=C sort)
    echo "$files" | {
        while read -r file; do
            make_directory "$prefix/${file%/*}"
            mode=644
            [ ! -x "$here/$file" ] || mode=755
            copy "$here/$file" "$dest$prefix/$file" "$mode"
            echo "$prefix/$file" >>"$notes"
        done
        echo "$list" >>"$notes"
    }
    # What an earlier version had made counts on, and what it alone had goes.
    echo "$old" | while read -r path; do
        case $path in
            "") ;;
            */) echo "$path" >>"$notes" ;;
            *) grep -Fqx "$path" "$notes" || rm -f "$dest$path" ;;
        esac
    done
    LC_ALL=C sort -u "$notes" >"$notes.sorted"
    copy "$notes.sorted" "$dest$list" 644
    rm -f "$notes.sorted"
    echo "installed $dest$prefix/bin/nex, and its agent, manual pages and completions below $dest$prefix"
    if [ -z "$dest" ]; then
        case :$PATH: in
            *:"$prefix/bin":*) ;;
            *) echo "your PATH lacks $prefix/bin: add it, as by export PATH=\"$prefix/bin:\$PATH\" in ~/.profile" ;;
        esac
    fi
}

uninstall_all() {
    if [ ! -e "$dest$list" ]; then
        echo "there is no nex of install.sh below $dest$prefix"
        return
    fi
    # A directory comes behind what is in it.
    LC_ALL=C sort -r "$dest$list" | while read -r path; do
        case $path in
            */) rmdir "$dest${path%/}" 2>/dev/null || true ;;
            *) rm -f "$dest$path" || fail "cannot remove $dest$path" ;;
        esac
    done
    echo "removed nex below $dest$prefix"
}

"${what}_all"
