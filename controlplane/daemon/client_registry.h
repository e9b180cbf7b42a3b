#pragma once

#include <cstdint>
#include <map>

#include "ipc/base/ids.h"

namespace phalanx::controlplane {

/// Which clients are attached, as the data plane reports it, and whether one more may be. Sans-I/O.
class ClientRegistry {
 public:
  struct Client {
    std::uint32_t pid = 0;
    std::uint32_t uid = 0;
  };

  /// `clients_max` in all; a user who is not privileged gets half of them at most, so that the
  /// others are not locked out.
  explicit ClientRegistry(std::uint32_t clients_max) : clients_max_(clients_max) {}

  [[nodiscard]] bool has_room_for(std::uint32_t uid, bool privileged) const noexcept;
  void attached(ClientId client, Client who);
  void detached(ClientId client);
  void clear() noexcept;

  [[nodiscard]] const std::map<ClientId, Client>& clients() const noexcept { return clients_; }

 private:
  std::uint32_t clients_max_;
  std::map<ClientId, Client> clients_;
  std::map<std::uint32_t, std::uint32_t> by_uid_;
};

}  // namespace phalanx::controlplane
