# Sourced by tests/vm/run: the guest's kernel and its modules, in $cache once and for all.
# shellcheck shell=bash

kernel_cannot() { echo "vm: skipped: $*" >&2; return 77; }

# The newest kernel that apt knows; its name changes with every security update.
fetch_kernel() {
  local to=$1 package
  package=$(kernel_package)
  if [[ -z $package && $(id -u) -eq 0 ]]; then
    apt-get -qq update >/dev/null 2>&1 || :
    package=$(kernel_package)
  fi
  [[ -n $package ]] || kernel_cannot 'apt knows no linux-image-amd64 (apt-get update)' || return
  (cd "$to" && apt-get -qq -o APT::Sandbox::User=root download "$package") >&2 \
    || kernel_cannot "apt-get cannot download $package"
}

kernel_package() {
  apt-cache depends linux-image-amd64 2>/dev/null | awk '/Depends:/ { print $2; exit }'
}

# An uncompressed kernel is booted directly (PVH), which saves the emulated processor seconds.
unpack_vmlinux() {
  python3 - "$1" "$2" <<'PY'
import lzma
import sys

image = open(sys.argv[1], "rb").read()
at = image.find(b"\xfd7zXZ\0")
while at >= 0:
    try:
        kernel = lzma.LZMADecompressor().decompress(image[at:])
    except lzma.LZMAError:
        kernel = b""
    if kernel.startswith(b"\x7fELF"):
        open(sys.argv[2], "wb").write(kernel)
        sys.exit(0)
    at = image.find(b"\xfd7zXZ\0", at + 1)
sys.exit("no kernel in " + sys.argv[1])
PY
}

# Of some 400 MB of modules, what such a machine can use.
trim_modules() {
  local kernel=$1 folder
  rm -rf "$kernel"/sound "$kernel"/net/{bluetooth,wireless,mac80211,can} \
    "$kernel"/drivers/net/wireless
  for folder in "$kernel"/drivers/*; do
    case ${folder##*/} in
      infiniband | net | virtio | vfio | uio | char | iommu | dca | ptp | pps | block | pci) ;;
      *) rm -rf "$folder" ;;
    esac
  done
}

# Sets kernel_version. One process prepares, others wait for it.
prepare_kernel() {
  mkdir -p "$cache"
  cache=$(realpath "$cache")
  if [[ ! -e $cache/ready ]]; then
    (
      flock 9
      [[ -e $cache/ready ]] || make_kernel
    ) 9>"$cache/lock" || exit
  fi
  kernel_version=$(<"$cache/version")
}

# No errexit in here: what calls it tests its result.
make_kernel() {
  local fresh result=0
  fresh=$(mktemp -d "$cache/fresh.XXXXXX")
  fetch_kernel "$fresh" && unpack_kernel "$fresh" || result=$?
  rm -rf "$fresh"
  return "$result"
}

unpack_kernel() {
  local fresh=$1
  dpkg-deb -x "$fresh"/*.deb "$fresh/package" \
    && unpack_vmlinux "$fresh"/package/boot/vmlinuz-* "$fresh/vmlinux" || return 126
  rm -rf "$cache/vmlinux" "$cache/lib"
  mv "$fresh/vmlinux" "$fresh/package/lib" "$cache/" || return 126
  ls "$cache/lib/modules" >"$cache/version"
  trim_modules "$cache/lib/modules/$(<"$cache/version")/kernel"
  depmod -b "$cache" "$(<"$cache/version")" && touch "$cache/ready"
}
