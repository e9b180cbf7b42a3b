#include "transport/verbs/device.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs {
namespace {

constexpr std::size_t kGidsMost = 1024;

Error refused(std::string attempted, std::string observed, std::string remedy) {
  return {ExitCode::Usage, std::move(attempted), std::move(observed), std::move(remedy)};
}

std::optional<ibv_gid_entry> find_gid(ibv_context* context, const ibv_gid& address,
                                      const DeviceOptions& options, std::string& seen) {
  std::vector<ibv_gid_entry> table(kGidsMost);
  const ssize_t count = calls::query_gid_table(context, table.data(), table.size());
  for (const ibv_gid_entry& entry :
       std::span(table).first(static_cast<std::size_t>(std::max<ssize_t>(count, 0)))) {
    const bool wanted =
        (options.port == 0 || entry.port_num == options.port) &&
        (options.gid_index < 0 || entry.gid_index == static_cast<std::uint32_t>(options.gid_index));
    if (wanted && entry.gid_type == IBV_GID_TYPE_ROCE_V2 && same(entry.gid, address)) return entry;
    if (seen.size() < 300) {
      seen += " " + std::to_string(entry.port_num) + "/" + std::to_string(entry.gid_index) + " " +
              text(entry.gid) + (entry.gid_type == IBV_GID_TYPE_ROCE_V2 ? "" : " (not RoCE v2)");
    }
  }
  return std::nullopt;
}

/// Members that are limited cannot hear one another, so that a group of them would be deaf.
std::optional<Error> find_pkey(Device& device, std::uint16_t wanted, int count,
                               const std::string& at) {
  std::array<char, 8> name{};
  (void)std::snprintf(name.data(), name.size(), "0x%04x", wanted);
  const std::string attempted = "cannot use the partition key " + std::string(name.data());
  bool limited = false;
  for (int i = 0; i < count; ++i) {
    std::uint16_t key = 0;
    if (calls::query_pkey(device.context, device.port, i, &key) != 0) break;
    if (((key ^ wanted) & 0x7fff) != 0) continue;
    if ((key & 0x8000) != 0) {
      device.pkey_index = static_cast<std::uint16_t>(i);
      return std::nullopt;
    }
    limited = true;
  }
  if (limited) {
    return refused(
        attempted, at + " is a limited member of that partition",
        "have the subnet manager make all nodes full members (=full in partitions.conf)");
  }
  return refused(attempted, "none of the " + std::to_string(count) + " of " + at + " is it",
                 "RoCE has 0xffff only: leave the key out");
}

std::optional<Error> check_port(Device& device, const DeviceOptions& options) {
  const std::string at = "port " + std::to_string(device.port) + " of " + device.name;
  ibv_port_attr port{};
  if (const int error = calls::query_port(device.context, device.port, &port); error != 0) {
    return system_error("cannot use " + at, "ibv_query_port", error, "see ibv_devinfo -v");
  }
  if (port.link_layer != IBV_LINK_LAYER_ETHERNET) {
    return refused("cannot use " + at,
                   "its link layer is InfiniBand (LID " + std::to_string(port.lid) + ")",
                   "this version runs over RoCE v2: use an Ethernet port, or transport.kind = "
                   "\"udp\" over IPoIB");
  }
  if (port.state != IBV_PORT_ACTIVE) {
    return refused("cannot use " + at,
                   "its state is " + std::to_string(port.state) + ", needed is 4 (active)",
                   "connect the cable, or set its interface up: ip link set IFACE up");
  }
  device.mtu_bytes = 128U << port.active_mtu;
  if (options.frame_bytes > device.mtu_bytes) {
    return refused("cannot send frames of " + std::to_string(options.frame_bytes) + " bytes",
                   at + " has a path MTU of " + std::to_string(device.mtu_bytes),
                   "give the interface a larger MTU (4200 for 4096), or set a smaller "
                   "transport.mtu on all nodes");
  }
  return find_pkey(device, options.pkey, port.pkey_tbl_len, at);
}

std::optional<Error> check_limits(Device& device, const DeviceOptions& options) {
  ibv_device_attr limits{};
  if (const int error = calls::query_device(device.context, &limits); error != 0) {
    return system_error("cannot use " + device.name, "ibv_query_device", error);
  }
  device.queue_most = static_cast<std::uint32_t>(std::min(limits.max_qp_wr, limits.max_cqe));
  if (options.multicast && limits.max_mcast_grp == 0) {
    return refused("cannot use " + device.name, "it has no multicast (max_mcast_grp is 0)",
                   "set transport.multicast = \"\" on all nodes to send copies, or use another "
                   "device");
  }
  device.pd = calls::alloc_pd(device.context);
  if (device.pd != nullptr) return std::nullopt;
  return system_error("cannot use " + device.name, "ibv_alloc_pd", errno);
}

struct DeviceList {
  DeviceList() : first(calls::get_device_list(&count)) {}
  DeviceList(const DeviceList&) = delete;
  DeviceList& operator=(const DeviceList&) = delete;
  ~DeviceList() {
    if (first != nullptr) calls::free_device_list(first);
  }
  [[nodiscard]] std::span<ibv_device*> all() const {
    return {first, first == nullptr ? 0U : static_cast<std::size_t>(count)};
  }
  int count = 0;
  ibv_device** first;
};

}  // namespace

Device::Device(Device&& other) noexcept
    : context(std::exchange(other.context, nullptr)),
      pd(std::exchange(other.pd, nullptr)),
      name(std::move(other.name)),
      port(other.port),
      gid(other.gid),
      pkey_index(other.pkey_index),
      mtu_bytes(other.mtu_bytes),
      queue_most(other.queue_most) {}

Device::~Device() {
  if (pd != nullptr) calls::dealloc_pd(pd);
  if (context != nullptr) calls::close_device(context);
}

Expected<Device, Error> Device::open(const DeviceOptions& options) {
  const auto address = gid_of(options.address);
  if (!address) {
    return fail(refused("cannot use the address " + options.address, "it is not numeric",
                        "write all nodes' addresses as IPv4 or IPv6"));
  }
  const DeviceList list;
  std::string names;
  std::string gids;
  bool found = false;
  int open_error = 0;
  for (ibv_device* candidate : list.all()) {
    const std::string name = calls::get_device_name(candidate);
    names += " " + name;
    if (!options.name.empty() && name != options.name) continue;
    found = true;
    Device device;
    device.name = name;
    device.context = calls::open_device(candidate);
    if (device.context == nullptr) {
      open_error = errno;
      continue;
    }
    const auto gid = find_gid(device.context, *address, options, gids);
    if (!gid) continue;
    device.gid = *gid;
    device.port = static_cast<std::uint8_t>(gid->port_num);
    if (auto error = check_port(device, options)) return fail(std::move(*error));
    if (auto error = check_limits(device, options)) return fail(std::move(*error));
    return device;
  }
  if (open_error != 0 && gids.empty()) {
    return fail(system_error("cannot open any of the RDMA devices" + names, "ibv_open_device",
                             open_error, "let this user read and write /dev/infiniband/uverbs*"));
  }
  if (names.empty()) {
    return fail(refused("cannot find an RDMA device", "libibverbs lists none",
                        "load the adapter's driver, or make a software device: rdma link add rxe0 "
                        "type rxe netdev IFACE"));
  }
  if (!found) {
    return fail(refused("cannot find the RDMA device " + options.name, "there are:" + names,
                        "name one of these, or none: the one with the node's address is taken"));
  }
  return fail(refused("cannot find an RDMA port with the address " + options.address,
                      "GIDs by port and index are:" + (gids.empty() ? " none" : gids),
                      "give its network interface this address (ip address add), write one of "
                      "these as the node's address, or leave transport.verbs.port and .gid_index "
                      "out"));
}

}  // namespace phalanx::transport::verbs
