#!/usr/bin/env bash
# Starts an xl guest with its first-boot configuration in xenstore, where the guest reads vm-data/weir/config.
#
#   xen.sh CFG [WEIR.YAML]
set -euo pipefail
cfg=${1:?an xl configuration, such as xen-pv.cfg}
configuration=${2:-}

# A message of xenstore has 4096 bytes, and its path is in it, too.
piece=3000

# Paused, so that what the guest looks for is there before it looks.
xl create -p "$cfg"
name=$(sed -nE 's/^name *= *"(.*)"/\1/p' "$cfg")
domain=$(xl domid "$name")
if [[ -n $configuration ]]; then
    folder=/local/domain/$domain/vm-data/weir
    text=$(base64 --wrap=0 "$configuration")
    for ((at = 0, index = 0; at < ${#text}; at += piece, index++)); do
        xenstore-write "$folder/config.$index" "${text:at:piece}"
    done
    # The guest may read it, and nobody else's guest.
    xenstore-chmod -r "/local/domain/$domain/vm-data" n0 "r$domain"
fi
xl unpause "$domain"
