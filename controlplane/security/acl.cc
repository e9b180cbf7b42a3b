#include "controlplane/security/acl.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

namespace phalanx::security {
namespace {

bool contains(const std::vector<std::uint32_t>& list, std::uint32_t id) noexcept {
  return std::find(list.begin(), list.end(), id) != list.end();
}

}  // namespace

Expected<PeerCredentials, Error> peer_credentials(int socket) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return fail(system_error("cannot tell who connected", "getsockopt(SO_PEERCRED)", errno));
  }
  PeerCredentials peer{.pid = static_cast<std::uint32_t>(credentials.pid),
                       .uid = credentials.uid,
                       .gid = credentials.gid,
                       .groups = {}};
  // The first call only asks for the length; a peer without groups answers 0 at once.
  length = 0;
  if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, nullptr, &length) != 0 && errno == ERANGE) {
    peer.groups.resize(length / sizeof(gid_t));
    if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, peer.groups.data(), &length) != 0) {
      peer.groups.clear();
    }
  }
  return peer;
}

bool Acl::may_attach(const PeerCredentials& peer) const noexcept {
  if (may_administer(peer) || contains(uids_, peer.uid) || contains(gids_, peer.gid)) return true;
  return std::any_of(peer.groups.begin(), peer.groups.end(),
                     [&](std::uint32_t gid) { return contains(gids_, gid); });
}

bool Acl::may_administer(const PeerCredentials& peer) const noexcept {
  return peer.uid == 0 || peer.uid == own_uid_;
}

bool Acl::lists_others() const noexcept {
  return !gids_.empty() || std::any_of(uids_.begin(), uids_.end(), [&](std::uint32_t uid) {
    return uid != 0 && uid != own_uid_;
  });
}

}  // namespace phalanx::security
