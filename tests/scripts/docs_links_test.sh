#!/usr/bin/env bash
# The documents' links to files of the tree lead somewhere: docs/architecture.md is the map, and a map with dead ends is
# worse than none. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1

number=0
for document in README.md CONTRIBUTING.md CHANGELOG.md docs/*.md; do
    [[ -e $document ]] || continue
    number=$((number + 1))
    dead=()
    while read -r target; do
        [[ $target =~ ^(https?:|mailto:|#) ]] && continue
        [[ -e $(dirname "$document")/${target%%#*} ]] || dead+=("$target")
    done < <(grep -o '](\([^)]*\))' "$document" | sed 's/^](//; s/)$//')
    if ((${#dead[@]} == 0)); then
        echo "ok $number - links of $document"
    else
        echo "not ok $number - links of $document: ${dead[*]}"
    fi
done
echo "1..$number"
