#!/bin/sh
# First inputs for a fuzz target from recorded traffic: fuzz_seeds.sh TARGET RECORDED OUT. Files go by what they begin with, not by what
# they are called.
set -eu
target=$1
recorded=$2
out=$3

# First bytes as hexadecimal text.
begins() {
  od -An -tx1 -N4 "$1" | tr -d ' \n'
}

number=0
take() {
  number=$((number + 1))
  cp "$1" "$out/recorded-$number"
}

case $target in
  thrift | columnar) pattern='*' magic=8001 ;;  # strict binary protocol, version 1
  lz4) pattern='*.resp' magic=04224d18 ;;       # LZ4 frame
  ipc) pattern='*.resp' magic=ffffffff ;;       # an encapsulated message
  *) exit 0 ;;
esac
find "$recorded" -type f -name "$pattern" -size -256 | sort >"$out/.list"
while IFS= read -r file; do
  case $(begins "$file") in
    "$magic"*) take "$file" ;;
  esac
done <"$out/.list"
rm -f "$out/.list"
