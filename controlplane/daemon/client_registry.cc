#include "controlplane/daemon/client_registry.h"

#include <algorithm>

namespace phalanx::controlplane {

bool ClientRegistry::has_room_for(std::uint32_t uid, bool privileged) const noexcept {
  if (clients_.size() >= clients_max_) return false;
  if (privileged) return true;
  const auto mine = by_uid_.find(uid);
  return mine == by_uid_.end() || mine->second < std::max(1U, clients_max_ / 2);
}

void ClientRegistry::attached(ClientId client, Client who) {
  if (clients_.emplace(client, who).second) ++by_uid_[who.uid];
}

void ClientRegistry::detached(ClientId client) {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return;
  const auto uid = by_uid_.find(found->second.uid);
  if (--uid->second == 0) by_uid_.erase(uid);
  clients_.erase(found);
}

void ClientRegistry::clear() noexcept {
  clients_.clear();
  by_uid_.clear();
}

}  // namespace phalanx::controlplane
