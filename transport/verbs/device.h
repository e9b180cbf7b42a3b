#pragma once

#include <cstdint>
#include <string>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "transport/verbs/calls.h"

namespace phalanx::transport::verbs {

struct DeviceOptions {
  std::string name;               ///< "mlx5_0", "rxe0"; empty: whichever has the address.
  std::uint8_t port = 0;          ///< 0: whichever has it.
  std::int32_t gid_index = -1;    ///< -1: the first that has it.
  std::string address;            ///< This node's, numeric: it picks port and GID.
  std::uint16_t pkey = 0xffff;    ///< Partition; as a full member only.
  std::uint32_t frame_bytes = 0;  ///< What has to fit one packet; 0: the whole path MTU.
  bool multicast = true;          ///< Must be had.
};

/// An open device with the port and the GID that carry this node's address, over RoCE v2 or as the
/// IPoIB interface of an InfiniBand port, checked against what is needed. Two ports that carry it
/// are refused: which one is for the operator to say. Move-only; outlives everything made on it.
/// Cold.
class Device {
 public:
  [[nodiscard]] static Expected<Device, Error> open(const DeviceOptions& options);
  Device(Device&& other) noexcept;
  Device& operator=(Device&&) = delete;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;
  ~Device();

  [[nodiscard]] bool is_infiniband() const noexcept { return cm != nullptr; }

  ibv_context* context = nullptr;
  ibv_pd* pd = nullptr;
  calls::Cm* cm = nullptr;  ///< Bound to the address, on InfiniBand; else null.
  std::string name;
  std::uint8_t port = 1;
  ibv_gid_entry gid{};
  std::uint16_t lid = 0;             ///< On InfiniBand; else 0.
  std::uint16_t interface_pkey = 0;  ///< On InfiniBand: of the interface with the address.
  std::uint16_t pkey_index = 0;
  std::uint32_t mtu_bytes = 0;  ///< Of the path: longer payloads vanish without an error.
  std::uint32_t queue_most = 0;
  std::uint32_t pieces_most = 0;  ///< Of memory that one send may be gathered from.

 private:
  friend class DeviceSearch;
  Device() = default;
};

}  // namespace phalanx::transport::verbs
