#include "transport/verbs/device.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <utility>

#include "transport/verbs/device_search.h"
#include "transport/verbs/gid.h"

namespace phalanx::transport::verbs {
namespace {

Error refused(std::string attempted, std::string observed, std::string remedy) {
  return {ExitCode::Usage, std::move(attempted), std::move(observed), std::move(remedy)};
}

std::string hex(std::uint16_t key) {
  std::array<char, 8> out{};
  (void)std::snprintf(out.data(), out.size(), "0x%04x", key);
  return out.data();
}

/// Members that are limited cannot hear one another, so that a group of them would be deaf.
std::optional<Error> find_pkey(Device& device, std::uint16_t wanted, int count,
                               const std::string& at) {
  const std::string attempted = "cannot use the partition key " + hex(wanted);
  if (device.is_infiniband() && ((device.interface_pkey ^ wanted) & 0x7fff) != 0) {
    return refused(attempted,
                   "the interface with this node's address is in partition " +
                       hex(device.interface_pkey) + ", and joins the group there",
                   "set transport.verbs.pkey to that partition on all nodes, "
                   "or give the node the "
                   "address of an interface in the other one");
  }
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
    return refused(attempted, at + " is a limited member of that partition",
                   "have the subnet manager make all nodes full members (=full "
                   "in partitions.conf)");
  }
  return refused(attempted, "none of the " + std::to_string(count) + " of " + at + " is it",
                 device.is_infiniband()
                     ? "have the subnet manager put this port into it (partitions.conf)"
                     : "RoCE has 0xffff only: leave the key out");
}

std::optional<Error> check_port(Device& device, const DeviceOptions& options) {
  const std::string at = "port " + std::to_string(device.port) + " of " + device.name;
  ibv_port_attr port{};
  if (const int error = calls::query_port(device.context, device.port, &port); error != 0) {
    return system_error("cannot use " + at, "ibv_query_port", error, "see ibv_devinfo -v");
  }
  if (port.state != IBV_PORT_ACTIVE) {
    return refused("cannot use " + at,
                   "its state is " + std::to_string(port.state) + ", needed is 4 (active)",
                   device.is_infiniband() ? "connect the cable; a port that stays at 2 "
                                            "has a link, but no subnet "
                                            "manager: start opensm"
                                          : "connect the cable, or set its interface up: "
                                            "ip link set IFACE up");
  }
  if (device.is_infiniband()) device.lid = port.lid;
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
  device.pieces_most = static_cast<std::uint32_t>(std::max(limits.max_sge, 1));
  if (options.multicast && limits.max_mcast_grp == 0) {
    return refused("cannot use " + device.name, "it has no multicast (max_mcast_grp is 0)",
                   "set transport.multicast = \"\" on all nodes to send "
                   "copies, or use another "
                   "device");
  }
  device.pd = calls::alloc_pd(device.context);
  if (device.pd != nullptr) return std::nullopt;
  return system_error("cannot use " + device.name, "ibv_alloc_pd", errno);
}

}  // namespace

Device::Device(Device&& other) noexcept
    : context(std::exchange(other.context, nullptr)),
      pd(std::exchange(other.pd, nullptr)),
      cm(std::exchange(other.cm, nullptr)),
      name(std::move(other.name)),
      port(other.port),
      gid(other.gid),
      lid(other.lid),
      interface_pkey(other.interface_pkey),
      pkey_index(other.pkey_index),
      mtu_bytes(other.mtu_bytes),
      queue_most(other.queue_most),
      pieces_most(other.pieces_most) {}

Device::~Device() {
  if (pd != nullptr) calls::dealloc_pd(pd);
  if (cm != nullptr) calls::close_cm(cm);
  if (context != nullptr) calls::close_device(context);
}

Expected<Device, Error> Device::open(const DeviceOptions& options) {
  const auto address = gid_of(options.address);
  if (!address) {
    return fail(refused("cannot use the address " + options.address, "it is not numeric",
                        "write all nodes' addresses as IPv4 or IPv6"));
  }
  auto device = DeviceSearch(options, *address).find();
  if (!device) return fail(std::move(device.error()));
  if (auto error = check_port(*device, options)) return fail(std::move(*error));
  if (auto error = check_limits(*device, options)) return fail(std::move(*error));
  return device;
}

}  // namespace phalanx::transport::verbs
