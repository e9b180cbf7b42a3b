#include "controlplane/daemon/watch_server.h"

#include <sys/socket.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "controlplane/daemon/admin_server.h"
#include "ipc/base/error.h"
#include "ipc/shm/descriptor_socket.h"

namespace phalanx::controlplane {
namespace {

/// A burst of clients must not keep the membership waiting.
constexpr int kAcceptsPerTurn = 8;
constexpr int kStatusBytesMax = 1 << 20;

bool send_with(int to, const std::string& text, int descriptor) noexcept {
  return shm::send_with_descriptors(to, text.data(), text.size(), &descriptor,
                                    descriptor >= 0 ? 1 : 0);
}

}  // namespace

WatchServer::WatchServer(EventLoop& loop, Fd listener, security::Acl acl, std::uint32_t guest,
                         Sources sources)
    : listener_(std::move(listener)),
      acl_(std::move(acl)),
      guest_(guest),
      sources_(std::move(sources)) {
  watch_ = Watch(loop, listener_.get(), EPOLLIN, [this](std::uint32_t) { on_connect(); });
}

void WatchServer::on_connect() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    const auto peer = security::peer_credentials(client.get());
    if (!peer) continue;
    if (acl_.may_attach(*peer) || peer->uid == guest_) {
      answer(client.get());
    } else {
      ++refused_;
      (void)send_with(client.get(),
                      admin_error(static_cast<int>(ExitCode::Permission),
                                  "this user may not attach: see client.uids and client.gids")
                          .dump(),
                      -1);
    }
  }
}

void WatchServer::answer(int client) {
  const TimeNs now = monotonic_now();
  if (status_.empty() || now - status_at_ > kAge) {
    status_ = sources_.status();
    status_at_ = now;
  }
  // A force works for root only; others get what net.core.wmem_max allows.
  if (setsockopt(client, SOL_SOCKET, SO_SNDBUFFORCE, &kStatusBytesMax, sizeof(int)) != 0) {
    (void)setsockopt(client, SOL_SOCKET, SO_SNDBUF, &kStatusBytesMax, sizeof(int));
  }
  if (send_with(client, status_, sources_.statistics()) || errno != EMSGSIZE) return;
  (void)send_with(
      client,
      admin_error(static_cast<int>(ExitCode::Failed), "the status is too long for one packet")
          .dump(),
      -1);
}

}  // namespace phalanx::controlplane
