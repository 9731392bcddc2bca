#!/usr/bin/env bash
# Makes a machine of Weir's qcow2 on Proxmox VE, with its first-boot configuration on a cloud-init drive. Runs on the
# node.
#
#   proxmox.sh ID WEIR.QCOW2 [WEIR.YAML]
#
# STORAGE=local-lvm is where disks go, SNIPPETS=local a storage that may hold snippets, BRIDGE=vmbr0 the network.
# FIRMWARE=ovmf starts by UEFI, with Secure Boot. IPCONFIG= is Proxmox's own, such as ip=192.0.2.10/24,gw=192.0.2.1;
# without it, the card's addresses are what the configuration says.
set -euo pipefail
id=${1:?a number for the machine} disk=$(realpath "${2:?the qcow2}") configuration=${3:-}
storage=${STORAGE:-local-lvm} snippets=${SNIPPETS:-local} bridge=${BRIDGE:-vmbr0}

firmware=(--bios seabios)
if [[ ${FIRMWARE:-} == ovmf ]]; then
    firmware=(--bios ovmf --efidisk0 "$storage:0,efitype=4m,pre-enrolled-keys=1")
fi

qm create "$id" --name weir --ostype l26 --machine q35 "${firmware[@]}" --cpu host --cores 2 --memory 512 \
    --scsihw virtio-scsi-single --scsi0 "$storage:0,import-from=$disk,discard=on,iothread=1" --boot order=scsi0 \
    --net0 "virtio,bridge=$bridge,queues=2" --rng0 source=/dev/urandom --watchdog model=i6300esb,action=reset \
    --serial0 socket --agent enabled=1

if [[ -n $configuration ]]; then
    # Storages know their files by path; a snippet has to lie in the folder of its storage.
    path=$(pvesm path "$snippets:snippets/weir-$id.yaml")
    mkdir -p "$(dirname "$path")"
    cp "$configuration" "$path"
    qm set "$id" --ide2 "$storage:cloudinit" --citype nocloud --cicustom "user=$snippets:snippets/weir-$id.yaml"
fi
[[ -z ${IPCONFIG:-} ]] || qm set "$id" --ipconfig0 "$IPCONFIG"
qm start "$id"
