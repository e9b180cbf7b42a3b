#include "controlplane/daemon/admin_server.h"
#include "controlplane/json_text.h"

#include <sys/socket.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "ipc/base/error.h"

namespace phalanx::controlplane {
namespace {

constexpr std::size_t kConnectionsMax = 32;
/// For all who are no administrators together: these always get in.
constexpr std::size_t kConnectionsOfOthers = 8;
constexpr std::size_t kRequestBytesMax = 64 * 1024;
constexpr int kAnswerBytesMax = 4 * 1024 * 1024;

void send_answer(int fd, const nlohmann::json& answer) {
  // What others had a hand in (a line of the log) need not be UTF-8.
  const std::string text = json_text(answer);
  if (send(fd, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 && errno == EMSGSIZE) {
    const std::string error =
        admin_error(static_cast<int>(ExitCode::Failed), "the answer is too long for one packet")
            .dump();
    (void)send(fd, error.data(), error.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

}  // namespace

struct AdminServer::Connection {
  Fd fd;
  security::PeerCredentials peer;
  bool admin = false;
  Watch watch;
};

nlohmann::json admin_error(int code, const std::string& what) {
  return {{"version", 1}, {"error", {{"code", code}, {"what", what}}}};
}

AdminServer::AdminServer(EventLoop& loop, Fd listener, security::Acl acl, Handler handler)
    : loop_(loop),
      listener_(std::move(listener)),
      acl_(std::move(acl)),
      handler_(std::move(handler)) {
  watch_ = Watch(loop_, listener_.get(), EPOLLIN, [this](std::uint32_t) { accept_one(); });
}

AdminServer::~AdminServer() = default;

void AdminServer::accept_one() {
  Fd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd || connections_.size() >= kConnectionsMax) return;
  auto peer = security::peer_credentials(fd.get());
  if (!peer) return;
  const bool admin = acl_.may_administer(*peer);
  const auto others = std::ranges::count_if(connections_, [](const auto& c) { return !c->admin; });
  if (!admin && static_cast<std::size_t>(others) >= kConnectionsOfOthers) return;
  // A force works for root only; others get what net.core.wmem_max allows.
  if (setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUFFORCE, &kAnswerBytesMax, sizeof(int)) != 0) {
    (void)setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kAnswerBytesMax, sizeof(int));
  }
  const auto connection = std::make_shared<Connection>();
  connection->fd = std::move(fd);
  connection->peer = std::move(*peer);
  connection->admin = admin;
  connection->watch = Watch(loop_, connection->fd.get(), EPOLLIN,
                            [this, weak = std::weak_ptr(connection)](std::uint32_t events) {
                              if (const auto self = weak.lock()) serve(self, events);
                            });
  connections_.push_back(connection);
}

void AdminServer::serve(const std::shared_ptr<Connection>& connection, std::uint32_t events) {
  std::string text(kRequestBytesMax, '\0');
  const ssize_t bytes = recv(connection->fd.get(), text.data(), text.size(), MSG_TRUNC);
  const bool gone = bytes == 0 || (bytes < 0 && errno != EAGAIN) ||
                    ((events & (EPOLLHUP | EPOLLERR)) != 0 && bytes < 0);
  if (gone) {
    connection->watch.reset();
    connections_.remove(connection);
    return;
  }
  if (bytes < 0) return;
  const Reply reply = [weak = std::weak_ptr(connection)](const nlohmann::json& answer) {
    if (const auto self = weak.lock()) send_answer(self->fd.get(), answer);
  };
  const auto length = static_cast<std::size_t>(bytes);
  if (length > text.size()) {
    return reply(admin_error(static_cast<int>(ExitCode::Usage), "the request is too long"));
  }
  const auto request = nlohmann::json::parse(text.begin(), text.begin() + bytes, nullptr, false);
  if (!request.is_object()) {
    return reply(
        admin_error(static_cast<int>(ExitCode::Usage), "the request is not a JSON object"));
  }
  handler_(request, connection->peer, reply);
}

}  // namespace phalanx::controlplane
