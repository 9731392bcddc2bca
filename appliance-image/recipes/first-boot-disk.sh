#!/usr/bin/env bash
# Makes a disk with first-boot data (NoCloud) for whatever has no other way: attach it as a CD. Needs xorriso,
# genisoimage or mkisofs.
#
#   first-boot-disk.sh WEIR.YAML DISK.iso [INSTANCE-ID]
#
# The appliance takes the configuration again when the instance's id is another; it is a digest of the configuration,
# unless one is given.
set -euo pipefail
configuration=${1:?the configuration file} iso=${2:?the disk to make}
id=${3:-weir-$(sha256sum "$configuration" | cut -c 1-16)}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$configuration" "$work/user-data"
echo "instance-id: $id" >"$work/meta-data"
for tool in genisoimage mkisofs "xorriso -as mkisofs"; do
    if command -v "${tool%% *}" >/dev/null; then
        # shellcheck disable=SC2086 # the last one has arguments of its own
        $tool -quiet -volid cidata -joliet -rock -o "$iso" "$work/user-data" "$work/meta-data"
        exit
    fi
done
echo "none of genisoimage, mkisofs and xorriso is here" >&2
exit 1
