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
