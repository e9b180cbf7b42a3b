#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/ids.h"
#include "transport/transport.h"

namespace phalanx::transport::verbs {

struct VerbsNode {
  NodeId node = 0;
  std::string address;  ///< Numeric: frames of this node that come from elsewhere teach nothing.
  std::uint16_t port = 5405;  ///< Of the kernel's UDP: where it says where its queue pair is.
};

struct VerbsConfig {
  NodeId self = 0;
  std::vector<VerbsNode> nodes;  ///< Every configured node; `self` among them gives the address.
  std::string device;            ///< "mlx5_0"; empty: the one that has the address.
  std::uint8_t port = 0;         ///< From 1; 0: the one that has the address.
  std::int32_t gid_index = -1;   ///< -1: the first RoCE v2 entry with the address.
  std::string group;             ///< Multicast group, of the addresses' family; empty: copies.
  std::uint8_t worker = 0;       ///< Of several: each has the group that many above `group`.
  std::uint16_t pkey = 0xffff;
  std::uint32_t qkey = 0x1ee7;     ///< The same on all nodes; others' packets are not received.
  std::uint8_t service_level = 0;  ///< 0 to 15.
  std::uint32_t frame_bytes = 0;   ///< See frame_bytes_of(); 0: the path MTU.
  std::uint32_t depth = 1024;      ///< Either queue; own copies take half of the receive queue.
  bool gathers = false;            ///< It will be lent memory to send from.
};

/// What a path for IP packets of `mtu` bytes carries as one UD payload: RDMA has 256, 512, 1024,
/// 2048 and 4096 only. 0: not even the least.
[[nodiscard]] std::uint32_t frame_bytes_of(std::uint32_t mtu) noexcept;

/// RoCE v2 or InfiniBand over libibverbs: one UD queue pair, in one multicast group or in none.
/// Frames for members and for everyone are one multicast, or a copy for each; frames for a peer are
/// unicast to where its last authentic frame came from, before there was one to where it announced
/// itself by UDP, and dropped and counted before that. Its buffers are registered at open(), and
/// what it is lent at lend_memory(): both are refused when this process may not lock so much.
[[nodiscard]] Expected<std::unique_ptr<Transport>, Error> open(const VerbsConfig& config);

}  // namespace phalanx::transport::verbs
