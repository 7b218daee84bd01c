# Runs layers under time limits and remembers what each has counted, and what was skipped.

# What is built once needs nothing to build it again from: it would fill the disk.
export CARGO_INCREMENTAL=0

counts=() skipped=() failed=()

# layer LIMIT NAME ARGUMENTS...: runs verify/NAME/run; its last line is what it has counted. Limits within it
# are `--foreground`, so that this one ends them all. If there are GATE_SECONDS, all layers end by then.
layer() {
    local limit=$1 name=$2 start=$SECONDS log status=0
    shift 2
    local left=$((${GATE_SECONDS:-$((SECONDS + limit))} - SECONDS))
    if [ "$left" -le 0 ]; then
        failed+=("$name did not begin: no time was left")
        return
    fi
    if [ "$limit" -gt "$left" ]; then limit=$left; fi
    log=$(mktemp)
    echo "== $name"
    timeout --kill-after=10 "$limit" "verify/$name/run" "$@" >"$log" 2>&1 || status=$?
    cat "$log"
    local took="$((SECONDS - start)) s"
    if [ "$status" -eq 0 ]; then
        counts+=("$(tail -n 1 "$log") ($took)")
    else
        failed+=("$name failed with status $status after $took")
        echo "== ${failed[-1]}"
    fi
    mapfile -t -O "${#skipped[@]}" skipped < <(grep -a '^SKIPPED' "$log")
    rm -f "$log"
}

# Says once more what ran, and what did not.
summary() {
    echo "== counts"
    printf '%s\n' "${counts[@]}" "${skipped[@]}" "${failed[@]}" | sed '/^$/d'
    [ "${#failed[@]}" -eq 0 ]
}
