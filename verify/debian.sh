# Has Debian's packages, for the checks that need another compiler than the project's.

# What only the system's administrator may do.
as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi
}

# The version of a package that is installed; nothing if it is not.
version() { dpkg-query --show --showformat='${Version}' "$1" 2>/dev/null || true; }

# need PACKAGES...: installs them if one is missing. If that cannot be, `why` says why.
need() {
    local name
    for name; do
        if [[ -z $(version "$name") ]]; then
            command -v apt-get >/dev/null || { why="no apt-get for $*" && return 1; }
            as_root apt-get update >/dev/null || { why="apt-get update failed" && return 1; }
            as_root env DEBIAN_FRONTEND=noninteractive \
                apt-get install --yes --no-install-recommends "$@" >/dev/null ||
                { why="cannot install $*" && return 1; }
            return
        fi
    done
}

# Debian's compiler, which brings the source of its standard library with all that it depends on: to
# build that one anew, with `-Zbuild-std`.
need_compiler() {
    need rustc-web rust-web-src "$@" || return 1
    [[ $(version rustc-web) == "$(version rust-web-src)" ]] || {
        why="rustc-web is $(version rustc-web), rust-web-src $(version rust-web-src)"
        return 1
    }
    export RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc RUSTC_BOOTSTRAP=1
    unset RUSTC_WRAPPER CARGO_ENCODED_RUSTFLAGS
}

# The oldest Rust that the crate is for, as Cargo.toml says.
oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
oldest_root=$PWD/target/rust-$oldest

# Has that compiler, from Debian's packages, unpacked and not installed. If that cannot be, `why` says why.
need_oldest() {
    if [[ -x $oldest_root/usr/bin/rustc ]]; then return; fi
    why="no Rust $oldest"
    command -v apt-get >/dev/null || return 1
    local v
    v=$(version_of_oldest)
    if [[ -z $v ]]; then
        as_root apt-get update >/dev/null || return 1
        v=$(version_of_oldest)
    fi
    [[ -n $v ]] && unpack_oldest "$v" && [[ -x $oldest_root/usr/bin/rustc ]]
}

version_of_oldest() { apt-cache madison rustc-web | awk -v v="$oldest." 'index($3, v) == 1 { print $3; exit }'; }

# A failure in a condition does not end a script, so each step asks for the one before.
unpack_oldest() (
    rm -rf "$oldest_root" && mkdir -p "$oldest_root/packages" && cd "$oldest_root/packages" &&
        apt-get download "rustc-web=$1" "libstd-rust-web-$oldest=$1" "libstd-rust-web-dev=$1" >/dev/null &&
        llvm=$(dpkg --field libstd-rust-web-"$oldest"_*.deb Depends | grep -o 'libllvm[0-9]*') &&
        apt-get download "$llvm" >/dev/null || exit 1
    for package in *.deb; do dpkg -x "$package" .. || exit 1; done
    rm -- *.deb
)

# with_oldest COMMAND...: runs it with that compiler.
with_oldest() {
    RUSTC=$oldest_root/usr/bin/rustc LD_LIBRARY_PATH=$oldest_root/usr/lib/x86_64-linux-gnu "$@"
}
