# Sourced by tests/vm/run: the machines and the wire between them.
# shellcheck shell=bash disable=SC2154

# The emulated processor's time stamp counter is this host's. On a busy host the guest's own way to
# find its rate fails now and then, and its clock runs several times too fast.
counter_khz() {
  python3 - <<'PY'
import ctypes
import mmap
import time

read_counter = b"\x0f\x31\x48\xc1\xe2\x20\x48\x09\xd0\xc3"  # rdtsc, both halves in rax.
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(read_counter)
counter = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))


def now():
    """Time and counter, read together: the closest of many tries."""
    def pair():
        before = time.monotonic_ns()
        ticks = counter()
        after = time.monotonic_ns()
        return after - before, (before + after) / 2, ticks
    return min(pair() for _ in range(200))


_, begin, first = now()
time.sleep(0.1)
_, end, last = now()
print(round((last - first) / (end - begin) * 1e6))
PY
}

# start INDEX NETWORK...: kernel, output and exit code each have a serial port of their own.
start() {
  local index=$1 ports
  shift
  ports=(-serial "file:$work/console$index.log" -serial "file:$work/out$index.log"
    -serial "file:$work/exit$index")
  if [[ -n $monitor ]]; then
    ports+=(-chardev "socket,id=mon,path=$work/monitor$index,server=on,wait=off"
      -mon chardev=mon,mode=readline -chardev "socket,id=own,path=$work/monitor$index"
      -serial chardev:own)
  fi
  timeout -k 5 "$limit" qemu-system-x86_64 "${machine[@]}" "$@" "${devices[@]}" \
    "${ports[@]}" -append "$append vm.index=$index" >"$work/qemu$index.log" 2>&1 </dev/null &
  pids[index]=$!
}

# card INDEX WIRE: a NIC on that end of a wire.
card() {
  printf '%s,id=nic%d,netdev=%s,mac=52:54:00:77:00:%02x%s' "$nic" "$1" "$2" $(($1 + 1)) "$card_more"
}

start_machines() {
  local i tries wires khz card_more=''
  if [[ -z $nic ]]; then
    nic=virtio-net-pci
    [[ $preset != pci ]] || nic=e1000e
  fi
  append='console=ttyS0 panic=-1 oops=panic tsc=reliable no_timer_check mitigations=off nopti'
  append+=' audit=0 net.ifnames=0 loglevel=5'
  khz=$(counter_khz 2>/dev/null) && append+=" tsc_early_khz=$khz"
  [[ -z $verbose ]] || append+=' ignore_loglevel'
  machine=(-accel 'tcg,thread=multi' -cpu max -M q35 -m "$memory" -smp "$cpus" -display none
    -no-reboot -nodefaults -no-user-config -kernel "$cache/vmlinux" -initrd "$work/image"
    -rtc 'base=utc,clock=host' -device virtio-rng-pci)
  if ((sockets > 1)); then
    machine+=(-smp "$cpus,sockets=$cpus")
    for ((i = 0; i < sockets; i++)); do
      machine+=(-object "memory-backend-ram,id=m$i,size=$((memory / sockets))M"
        -numa "node,nodeid=$i,memdev=m$i")
    done
    for ((i = 0; i < cpus; i++)); do
      machine+=(-numa "cpu,node-id=$((i * sockets / cpus)),socket-id=$i")
    done
  fi
  if [[ -n $out ]]; then
    append+=' vm.out'
    machine+=(-virtfs "local,path=$out,mount_tag=out,security_model=none")
  fi
  if [[ -n $host_files ]]; then
    append+=' vm.host'
    machine+=(-virtfs
      'local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap')
  fi
  if [[ $preset == pci ]]; then
    pages=${pages:-64}
    if [[ -n $iommu ]]; then
      append+=' intel_iommu=on iommu=pt'
      machine+=(-device
        'intel-iommu,intremap=on,caching-mode=on,device-iotlb=on,aw-bits=48')
    fi
    [[ $nic != virtio-net-pci ]] || card_more=',disable-legacy=on,iommu_platform=on'
  fi
  [[ -z $pages ]] || append+=" default_hugepagesz=2M hugepages=$pages"

  if [[ $machines -eq 1 && $preset == pci ]]; then
    start 0 -netdev hubport,id=n0,hubid=0 -device "$(card 0 n0)" \
      -netdev hubport,id=n1,hubid=0 -device "$(card 1 n1)"
  elif [[ $machines -eq 1 ]]; then
    # An end that takes packets: on a hub without another end sending stalls for ever.
    start 0 -netdev user,id=n0,restrict=on,ipv6=off,net=10.77.0.0/24,host=10.77.0.254 \
      -device "$(card 0 n0)"
  else
    # The hub is in the first machine; each other one is a stream from there.
    wires=(-netdev hubport,id=n0,hubid=0 -device "$(card 0 n0)")
    for ((i = 1; i < machines; i++)); do
      wires+=(-netdev "stream,id=s$i,server=on,addr.type=unix,addr.path=$work/wire$i"
        -netdev "hubport,id=h$i,hubid=0,netdev=s$i")
    done
    start 0 "${wires[@]}"
    for ((i = 1; i < machines; i++)); do
      for ((tries = 0; tries < 200; tries++)); do
        [[ ! -S $work/wire$i ]] || break
        sleep 0.05
      done
      start "$i" -netdev "stream,id=n0,server=off,addr.type=unix,addr.path=$work/wire$i" \
        -device "$(card "$i" n0)"
    done
  fi
}
