#pragma once

#include <optional>
#include <span>
#include <string>

#include "transport/verbs/device.h"

namespace phalanx::transport::verbs {

/// Looks for the one port that carries the node's address. Cold.
class DeviceSearch {
 public:
  DeviceSearch(const DeviceOptions& options, const ibv_gid& address);
  DeviceSearch(const DeviceSearch&) = delete;
  DeviceSearch& operator=(const DeviceSearch&) = delete;
  ~DeviceSearch();

  /// The device, open, with port and GID; nothing of it is checked yet.
  [[nodiscard]] Expected<Device, Error> find();

 private:
  [[nodiscard]] std::span<ibv_device*> all() const;
  void look_at(ibv_device* candidate);
  void look_at_gids(ibv_device* candidate, ibv_context* context);
  void look_for_ipoib();
  void take(ibv_device* candidate, const ibv_gid_entry& entry);
  [[nodiscard]] Error nothing() const;
  [[nodiscard]] Error ambiguous() const;

  const DeviceOptions& options_;
  ibv_gid address_;
  int count_ = 0;
  ibv_device** list_;
  ibv_device* chosen_ = nullptr;
  ibv_gid_entry entry_{};    ///< Of the chosen one.
  calls::Cm* cm_ = nullptr;  ///< Where the chosen one is InfiniBand.
  std::uint16_t pkey_ = 0;
  std::string names_;  ///< " mlx5_0 mlx5_1".
  std::string gids_;   ///< " 1/0 fe80::1", those that are not the address.
  std::string ports_;  ///< " mlx5_0/1 mlx5_1/1", those that carry it.
  int ports_count_ = 0;
  bool named_ = false;  ///< One has the name that was asked for.
  int open_error_ = 0;
  int cm_error_ = 0;
};

}  // namespace phalanx::transport::verbs
