# Sourced by tests/vm/run: the guest's first file system, packed without compression.
# shellcheck shell=bash disable=SC2154

declare -A packed=()

# pack FILE [DESTINATION]: a file or a folder, with the libraries that its programs name.
pack() {
  local from=$1 to=${2:-} file
  [[ -e $from ]] || die "there is no $from"
  to=${to:-$(realpath -s "$from")}
  if [[ -d $from ]]; then
    mkdir -p "$root$to"
    cp -aL "$from/." "$root$to/"
    while IFS= read -r file; do
      pack_libraries "$file"
    done < <(find -L "$from" -type f \( -perm /111 -o -name '*.so*' \))
    return
  fi
  [[ -z ${packed[$to]:-} ]] || return 0
  packed[$to]=yes
  mkdir -p "$root${to%/*}"
  cp -L "$from" "$root$to"
  pack_libraries "$from"
}

pack_libraries() {
  local library
  [[ $(head -c 4 "$1" 2>/dev/null | tr -d '\0') == $'\x7fELF' ]] || return 0
  while IFS= read -r library; do
    [[ -z ${packed[$library]:-} ]] || continue
    packed[$library]=yes
    mkdir -p "$root${library%/*}"
    cp -L "$library" "$root$library"
  done < <(ldd "$1" 2>/dev/null | grep -o '/[^ ]*' | sort -u)
}

# What the guest needs in any case: a shell, `ip`, and what programs open by themselves.
pack_base() {
  local folder library
  mkdir -p "$root"/{proc,sys,dev,tmp,run,out,host,root,etc,modules} \
    "$root"/usr/{bin,sbin,lib,lib64}
  for folder in bin sbin lib lib64; do ln -s "usr/$folder" "$root/$folder"; done
  cp -L "$(type -P busybox)" "$root/bin/busybox"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  echo '127.0.0.1 localhost' >"$root/etc/hosts"
  pack "$(type -P bash)" /usr/bin/bash
  pack "$(type -P ip)" /usr/sbin/ip
  pack "$(type -P rdma)" /usr/bin/rdma
  # Opened at the end of a thread, and by the verbs library, so that ldd does not know them.
  for library in /usr/lib/*/libgcc_s.so.1 /usr/lib/*/libibverbs/librxe-rdmav*.so; do
    [[ ! -e $library ]] || pack "$library"
  done
  mkdir -p "$root/etc/libibverbs.d"
  echo 'driver rxe' >"$root/etc/libibverbs.d/rxe.driver"
}

# Modules in the order in which they have to be loaded.
pack_modules() {
  local wanted=(virtio_pci virtio_net af_packet dummy veth macvlan sch_netem "${modules[@]}") module
  case $preset in
    rxe) wanted+=(crc32_generic crc32_pclmul rdma_rxe rdma_ucm ib_umad) ;;
    pci) wanted+=(vfio-pci vfio_iommu_type1 uio_pci_generic) ;;
  esac
  case $preset-$nic in
    pci-*) ;;
    *-e1000e | *-vmxnet3) wanted+=("$nic") ;;
    *-e1000) wanted+=(e1000) ;;
  esac
  [[ -z $out$host_files ]] || wanted+=(9p 9pnet_virtio overlay)
  for module in "${wanted[@]}"; do
    modprobe -d "$cache" -S "$kernel_version" --show-depends "$module" \
      || die "this kernel has no module $module"
  done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >"$work/modules"
  while IFS= read -r module; do
    cp "$module" "$root/modules/"
    echo "/modules/${module##*/}"
  done <"$work/modules" >"$root/modules/order"
}

# make_image COMMAND...: leaves $work/image.
make_image() {
  local command=$1 file name passed='SAN_OPTIONS$' root=$work/root
  pack_base
  if [[ -z $host_files ]]; then
    if file=$(type -P "$1"); then
      command=$(realpath -s "$file")
      pack "$command"
    fi
    for file in "${files[@]}"; do pack "$file"; done
  else
    passed='^PHX_|SAN_OPTIONS$|^PYTHON'
  fi
  while IFS= read -r name; do
    environment+=("$name=${!name}")
  done < <(compgen -e | grep -E "$passed")
  pack_modules
  {
    printf 'export VM_COUNT=%q PRESET=%q\n' "$machines" "$preset"
    for name in "${environment[@]}"; do printf 'export %s=%q\n' "${name%%=*}" "${name#*=}"; done
  } >"$root/etc/vm.environment"
  {
    if [[ -z $cwd ]]; then cwd=/; [[ -z $host_files ]] || cwd=$PWD; fi
    printf 'cd %q || exit 126\nexec' "$cwd"
    printf ' %q' "$command" "${@:2}"
    echo
  } >"$root/etc/vm.command"
  cp "$here/init" "$root/init"
  (cd "$root" && find . -print0 | cpio -0o -H newc --quiet) >"$work/image"
  rm -rf "$root"
}
