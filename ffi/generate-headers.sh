#!/usr/bin/env bash
# Writes ffi/include/thalweg_plugin.h: the items from ffi/abi by cbindgen, in the order and among the prose of
# thalweg_plugin.h.in. With --check it writes nothing and fails when the committed header differs.
set -euo pipefail
cd "$(dirname "$0")"

CBINDGEN_VERSION=0.29.4
[ "$(cbindgen --version 2>/dev/null)" = "cbindgen $CBINDGEN_VERSION" ] || {
    echo "cbindgen $CBINDGEN_VERSION is needed: cargo install cbindgen --version $CBINDGEN_VERSION --locked" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd abi && cbindgen --quiet --config ../cbindgen.toml --crate thalweg-abi --output "$work/items")

# A blank line ends an item; its name is in a #define, in `} name;`, or in a typedef. Rust links become C names.
awk -v items="$work/items" '
function keep() {
    if (text == "") return
    if (name == "") { print "no name in: " text > "/dev/stderr"; failed = 1 }
    item[name] = text; text = ""; name = ""
}
function put(which) {
    if (!(which in item)) { print "cbindgen gave no " which > "/dev/stderr"; failed = 1; return }
    if (which in used) { print which " is listed twice" > "/dev/stderr"; failed = 1 }
    used[which] = 1
    print item[which]
}
BEGIN {
    while ((getline line < items) > 0) {
        if (line == "") { keep(); continue }
        while (match(line, /\[`[A-Z_]+`\]/))
            line = substr(line, 1, RSTART - 1) "`THW_" substr(line, RSTART + 2, RLENGTH - 4) "`" substr(line, RSTART + RLENGTH)
        gsub(/\[`Error`\]/, "`thw_error`", line)
        gsub(/\[`Codec`\]/, "`thw_codec`", line)
        gsub(/\[`Tool`\]/, "`thw_tool`", line)
        if (line ~ /\[`/) { print "a link without a C name: " line > "/dev/stderr"; failed = 1 }
        if (line ~ /^#define /) {
            name = line; sub(/^#define /, "", name); value = name; sub(/ .*/, "", name); sub(/^[^ ]* /, "", value)
            if (value ~ /^-/) line = "#define " name " (" value ")"
            if (name ~ /_MAGIC$/) line = "#define " name " " sprintf("0x%xu", value)
        } else if (line ~ /^} [a-z_]+;$/) { name = line; gsub(/^} |;$/, "", name) }
        else if (line ~ /^typedef .*\(\*[a-z_]+\)\(/) { name = line; sub(/^[^(]*\(\*/, "", name); sub(/\).*/, "", name) }
        else if (line ~ /^typedef [a-z0-9_]+ [a-z_]+;$/) { name = line; sub(/;$/, "", name); sub(/.* /, "", name) }
        text = text line "\n"
    }
    keep()
}
/^@section / { sub(/^@section /, ""); print "// ---- " $0 " ----\n"; next }
/^@ / { for (i = 2; i <= NF; i++) put($i); next }
{ print }
END {
    for (name in item) if (!(name in used)) { print name " is missing in thalweg_plugin.h.in" > "/dev/stderr"; failed = 1 }
    exit failed
}' thalweg_plugin.h.in > "$work/header"
# One blank line is enough.
cat -s "$work/header" > "$work/thalweg_plugin.h"

if [ "${1:-}" = --check ]; then
    diff -u include/thalweg_plugin.h "$work/thalweg_plugin.h" || {
        echo "ffi/include/thalweg_plugin.h is not what ffi/abi says: run ffi/generate-headers.sh and commit" >&2
        exit 1
    }
    echo "headers are up to date"
else
    mkdir -p include
    cp "$work/thalweg_plugin.h" include/thalweg_plugin.h
    echo "wrote ffi/include/thalweg_plugin.h"
fi
