#include "controlplane/daemon/attach_acceptor.h"

#include <sys/socket.h>

#include <utility>

#include "controlplane/daemon/log.h"
#include "ipc/shm/attach_server.h"

namespace phalanx::controlplane {
namespace {

/// A burst of clients must not keep the membership waiting.
constexpr int kAcceptsPerTurn = 16;

}  // namespace

AttachAcceptor::AttachAcceptor(EventLoop& loop, Fd listener, security::Acl acl,
                               security::Acl log_readers, Handlers handlers)
    : listener_(std::move(listener)),
      acl_(std::move(acl)),
      log_readers_(std::move(log_readers)),
      handlers_(std::move(handlers)) {
  shm::refuse_descriptors(listener_.get());  // It may have been inherited.
  watch_ = Watch(loop, listener_.get(), EPOLLIN, [this](std::uint32_t) { on_ready(); });
}

void AttachAcceptor::on_ready() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    decide(std::move(client));
  }
}

void AttachAcceptor::decide(Fd client) {
  const auto peer = security::peer_credentials(client.get());
  if (!peer) return;
  const auto refuse = [&](shm::AttachStatus status, const char* why) {
    ++refused_;
    shm::refuse_attach(client.get(), status);
    log("attach").debug("client refused pid={} uid={} gid={} reason=\"{}\"", peer->pid, peer->uid,
                        peer->gid, why);
  };
  if (!acl_.may_attach(*peer))
    return refuse(shm::AttachStatus::Access, "not in client.uids or gids");
  const shm::AdoptClient adopted{.uid = peer->uid,
                                 .gid = peer->gid,
                                 .pid = peer->pid,
                                 .rights = shm::kMayPublish | shm::kMaySubscribe |
                                           (log_readers_.may_attach(*peer) ? shm::kMayReadLog : 0),
                                 .socket = std::move(client)};
  if (handlers_.hand_over(adopted)) {
    ++accepted_;
    return;
  }
  ++refused_;
  shm::refuse_attach(adopted.socket.get(), shm::AttachStatus::TryLater);
}

}  // namespace phalanx::controlplane
