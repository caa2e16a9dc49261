#!/usr/bin/env bash
# Writes ffi/include/thalweg_plugin.h and thalweg.h: the items from ffi/abi and ffi/capi by cbindgen, in the order and
# among the prose of thalweg_plugin.h.in and thalweg.h.in. With --check it writes nothing and fails when a committed header
# differs.
set -euo pipefail
cd "$(dirname "$0")"

CBINDGEN_VERSION=0.29.4
[ "$(cbindgen --version 2>/dev/null)" = "cbindgen $CBINDGEN_VERSION" ] || {
    echo "cbindgen $CBINDGEN_VERSION is needed: cargo install cbindgen --version $CBINDGEN_VERSION --locked" >&2
    exit 1
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"$/\1/p' ../Cargo.toml)
failed=0

# generate NAME CRATE CONFIG: writes, or compares, include/NAME.
generate() {
    local name=$1 crate=$2 config=$3
    cbindgen --quiet --config "$config" --crate "thalweg-$crate" --output "$work/items" "$crate"

# A blank line ends an item; its name is in a #define, in `} name;`, or in a typedef. Rust links become C names.
awk -v items="$work/items" -v template="$name.in" -v version="$version" '
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
        # What a caller in Rust must hold is what the comment says.
        if (line ~ /^\/\/ # Safety$/) { getline line < items; sub(/\/\/\n$/, "", text); continue }
        if (line == "THW_API") { text = text "THW_API "; continue }
        while (match(line, /\[`[A-Z_]+`\]/))
            line = substr(line, 1, RSTART - 1) "`THW_" substr(line, RSTART + 2, RLENGTH - 4) "`" substr(line, RSTART + RLENGTH)
        gsub(/\[`Error`\]/, "`thw_error`", line)
        gsub(/\[`Codec`\](\([a-z:A-Z]+\))?/, "`thw_codec`", line)
        gsub(/\[`Embed`\]/, "`thw_embed`", line)
        gsub(/\[`Models`\]/, "`thw_models`", line)
        gsub(/\[`Serve`\]/, "`thw_serve`", line)
        gsub(/\[`Http`\]/, "`thw_http`", line)
        gsub(/\[`Json`\]/, "`thw_json`", line)
        gsub(/\[`Provider`\]/, "`thw_provider`", line)
        gsub(/\[`Tool`\]/, "`thw_tool`", line)
        if (line ~ /\[`/) { print "a link without a C name: " line > "/dev/stderr"; failed = 1 }
        if (line ~ /^#define /) {
            name = line; sub(/^#define /, "", name); value = name; sub(/ .*/, "", name); sub(/^[^ ]* /, "", value)
            if (value ~ /^-/) line = "#define " name " (" value ")"
            if (name ~ /_MAGIC$/) line = "#define " name " " sprintf("0x%xu", value)
        } else if (line ~ /^} [a-z_]+;$/) { name = line; gsub(/^} |;$/, "", name) }
        else if (line ~ /^typedef .*\(\*[a-z_]+\)\(/) { name = line; sub(/^[^(]*\(\*/, "", name); sub(/\).*/, "", name) }
        else if (line ~ /^typedef [a-z0-9_]+ [a-z_]+;$/) { name = line; sub(/;$/, "", name); sub(/.* /, "", name) }
        else if (line ~ /^(THW_API )?[a-z].*[ *]thw_[a-z0-9_]+\(/ && line !~ /^typedef / && name == "") {
            name = line; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name)
        }
        text = text line "\n"
    }
    keep()
}
$0 == "@version" {
    split(version, part, ".")
    printf "#define THW_VERSION \"%s\"\n", version
    printf "#define THW_VERSION_MAJOR %d\n#define THW_VERSION_MINOR %d\n#define THW_VERSION_PATCH %d\n", part[1], part[2], part[3]
    print "#define THW_VERSION_NUMBER (THW_VERSION_MAJOR << 16 | THW_VERSION_MINOR << 8 | THW_VERSION_PATCH)\n"
    next
}
/^@section / { sub(/^@section /, ""); print "// ---- " $0 " ----\n"; next }
/^@ / { for (i = 2; i <= NF; i++) put($i); next }
{ print }
END {
    for (name in item) if (!(name in used)) { print name " is missing in " template > "/dev/stderr"; failed = 1 }
    exit failed
}' "$name.in" > "$work/header"
    # One blank line is enough.
    cat -s "$work/header" > "$work/$name"

    if [ "$mode" = --check ]; then
        diff -u "include/$name" "$work/$name" || {
            echo "ffi/include/$name is not what ffi/$crate says: run ffi/generate-headers.sh and commit" >&2
            failed=1
        }
    else
        mkdir -p include
        cp "$work/$name" "include/$name"
        echo "wrote ffi/include/$name"
    fi
}

mode=${1:-}
generate thalweg_plugin.h abi cbindgen.toml
generate thalweg.h capi capi/cbindgen.toml
[ "$failed" = 0 ] || exit 1
[ "$mode" != --check ] || echo "headers are up to date"
