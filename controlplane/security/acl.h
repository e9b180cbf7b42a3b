#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"

namespace phalanx::security {

/// Who is at the other end of a Unix socket, as the kernel says. The groups are those of the
/// process when it connected, supplementary ones included.
struct PeerCredentials {
  std::uint32_t pid = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
};

[[nodiscard]] Expected<PeerCredentials, Error> peer_credentials(int socket);

/// Which local processes may attach: root, the daemon's own user, and who is listed.
class Acl {
 public:
  Acl(std::uint32_t own_uid, std::vector<std::uint32_t> uids, std::vector<std::uint32_t> gids)
      : own_uid_(own_uid), uids_(std::move(uids)), gids_(std::move(gids)) {}

  [[nodiscard]] bool may_attach(const PeerCredentials& peer) const noexcept;
  /// Orders such as shutdown and leave: root and the daemon's own user, nobody else.
  [[nodiscard]] bool may_administer(const PeerCredentials& peer) const noexcept;
  /// True when somebody beside root and the own user is listed, so that the socket must be open.
  [[nodiscard]] bool lists_others() const noexcept;

 private:
  std::uint32_t own_uid_;
  std::vector<std::uint32_t> uids_;
  std::vector<std::uint32_t> gids_;
};

}  // namespace phalanx::security
