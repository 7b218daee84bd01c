# Runs layers under time limits and remembers what each has counted.

# What is built once needs nothing to build it again from: it would fill the disk.
export CARGO_INCREMENTAL=0

counts=()

# layer LIMIT NAME ARGUMENTS...: runs verify/NAME; its last line is what it has counted.
layer() {
    local limit=$1 name=$2 start=$SECONDS log status=0
    shift 2
    log=$(mktemp)
    echo "== $name"
    timeout --kill-after=10 "$limit" "verify/$name" "$@" 2>&1 | tee "$log" || status=$?
    if [ "$status" -ne 0 ]; then
        echo "== $name failed with status $status after $((SECONDS - start)) s" >&2
        exit "$status"
    fi
    counts+=("$(tail -n 1 "$log") ($((SECONDS - start)) s)")
    rm -f "$log"
}

# Says once more what ran, and what did not.
summary() {
    echo "== counts"
    printf '%s\n' "${counts[@]}"
}
