#!/usr/bin/env bash
# Proves that thalweg_plugin.h only ever grew at the ends of its tables since version 1, by comparing the types of a small
# library that uses every struct of it with those in ffi/abi-v1.xml.
#
#   ffi/check-abi.sh             compare; anything but an addition at an end fails
#   ffi/check-abi.sh --accept    compare, then write what has been added into ffi/abi-v1.xml
#
# Needs a C compiler, and abidw and abidiff (Debian: abigail-tools).
set -euo pipefail
cd "$(dirname "$0")"

# The record is of one machine; the layouts are asserted everywhere by the tests.
[ "$(uname -m)" = x86_64 ] || { echo "skipped: ffi/abi-v1.xml is of x86_64"; exit 0; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# cut HEADER: the header without what its structs have behind the last member that the record knows. Suppressions of
# abidiff would do the same, but `has_data_member_inserted_at` lets other changes of that struct pass too.
cut() {
    awk -v record=abi-v1.xml '
    BEGIN {
        while ((getline line < record) > 0) {
            if (match(line, /<class-decl name=.[a-z_0-9]+/)) { struct = substr(line, RSTART + 18, RLENGTH - 18) }
            else if (line ~ /<\/class-decl>/) struct = ""
            else if (struct != "" && match(line, /<var-decl name=.[a-z_0-9]+/)) last[struct] = substr(line, RSTART + 16, RLENGTH - 16)
        }
    }
    /^typedef struct [a-z_0-9]+ \{$/ { name = $3; inside = 1; known = 0; ended = 0 }
    /^\} / { inside = 0 }
    inside && ended { next }
    { print }
    inside && name in last && !/^ *\/\// && $0 ~ ("(\\(\\*|[ *])" last[name] "(\\)\\(|;|\\[)") { known = 1 }
    inside && known && !/^ *\/\// && /;$/ { ended = 1 }' "$1"
}

# shape HEADER NAME: a library with one function for each struct and each function type of the header.
shape() {
    {
        printf '#include "%s"\n' "$1"
        sed -n -E 's/^typedef struct ([a-z_0-9]+) \{$/\1/p; s/^typedef .*\(\*([a-z_0-9]+)\)\(.*/\1/p' "$1" |
            while read -r name; do
                printf 'THW_EXPORT void shape_%s(%s *x);\nvoid shape_%s(%s *x) { (void)x; }\n' "$name" "$name" "$name" "$name"
            done
    } > "$work/$2.c"
    "${CC:-cc}" -std=c11 -g -O0 -fPIC -shared -fvisibility=hidden "$work/$2.c" -o "$work/$2.so"
}

# compare HEADER: fails for anything but growth.
compare() {
    mkdir -p "$work/cut"
    cut "$1" > "$work/cut/thalweg_plugin.h"
    shape "$work/cut/thalweg_plugin.h" cut
    abidiff --no-added-syms abi-v1.xml "$work/cut.so"
}

header=$PWD/include/thalweg_plugin.h
shape "$header" now
if [ -f abi-v1.xml ]; then
    compare "$header" || { echo "thalweg_plugin.h is not what version 1 was: see above" >&2; exit 1; }
elif [ "${1:-}" != --accept ]; then
    echo "ffi/abi-v1.xml is missing" >&2
    exit 1
fi
if [ "${1:-}" = --accept ]; then
    abidw --no-corpus-path --no-comp-dir-path --no-show-locs "$work/now.so" > "$work/abi-v1.xml"
    cp "$work/abi-v1.xml" abi-v1.xml
    echo "wrote ffi/abi-v1.xml"
fi

# What was added since must be in the record, or nobody would see it change.
for name in $(sed -n -E 's/^THW_EXPORT void (shape_[a-z_0-9]+)\(.*/\1/p' "$work/now.c"); do
    grep -q "name='$name'" abi-v1.xml || { echo "${name#shape_} is not in ffi/abi-v1.xml: run ffi/check-abi.sh --accept" >&2; exit 1; }
done

# The comparison itself is tested: what breaks plugins is seen, and growth is let pass.
mutant() { # name, verdict, sed expression
    sed -E "$3" "$header" > "$work/thalweg_plugin.h"
    cmp -s "$work/thalweg_plugin.h" "$header" && { echo "mutant $1 changes nothing" >&2; exit 1; }
    local verdict=refused
    compare "$work/thalweg_plugin.h" > /dev/null 2>&1 && verdict=passed
    [ "$verdict" = "$2" ] || { echo "mutant $1 was $verdict" >&2; exit 1; }
}
mutant "grown at its end" passed 's/^\} thw_codec;$/  void (*more)(void);\n} thw_codec;/'
mutant "of another table grown at its end" passed 's/^\} thw_http_request;$/  thw_str more;\n  uint32_t other;\n} thw_http_request;/'
mutant "grown at its end and changed" refused 's/^\} thw_json;$/  void (*more)(void);\n} thw_json;/; s/\(\*count\)\(const struct thw_str/(*count)(int x, const struct thw_str/'
mutant "grown in its middle" refused '/^typedef struct thw_codec \{$/,/^\}/ s/^(  thw_status \(\*encode_message\))/  void (*more)(void);\n\1/'
mutant "without its last member" refused '/^typedef struct thw_codec \{$/,/^\}/ { /\(\*close\)/d }'
mutant "with another argument" refused 's/\(\*is_cancelled\)\(const thw_cancel \*cancel\)/(*is_cancelled)(const thw_cancel *cancel, int32_t how)/'
mutant "with a wider number" refused '/^typedef struct thw_frame \{$/,/^\}/ s/^  uint32_t kind;/  uint64_t kind;/'
echo "the plugin ABI is what version 1 was, or has grown at its ends"
