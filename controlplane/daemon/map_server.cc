#include "controlplane/daemon/map_server.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "controlplane/daemon/log.h"
#include "ipc/shm/attach_server.h"
#include "ipc/shm/descriptor_socket.h"

namespace phalanx::controlplane {
namespace {

/// A burst of clients, or of requests of one, must not keep the membership waiting.
constexpr int kAcceptsPerTurn = 16;
constexpr int kRequestsPerTurn = 8;
/// Descriptors for all else that this process does.
constexpr rlim_t kDescriptorsForOthers = 256;

/// As many as there are descriptors for, which are raised to what is allowed.
std::size_t clients_that_fit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return MapServer::kClientsMax / 2;
  const rlim_t wanted = MapServer::kClientsMax + kDescriptorsForOthers;
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
  }
  const rlim_t left = limit.rlim_cur - std::min(limit.rlim_cur, kDescriptorsForOthers);
  return std::min<std::size_t>(left, MapServer::kClientsMax);
}

bool send_packet(int to, std::span<const std::byte> bytes, int descriptor = -1) noexcept {
  return shm::send_with_descriptors(to, bytes.data(), bytes.size(), &descriptor,
                                    descriptor >= 0 ? 1 : 0);
}

void send_head(int to, const shm::MapReply& head) noexcept {
  (void)send_packet(to, std::as_bytes(std::span(&head, 1)));
}

}  // namespace

MapServer::MapServer(EventLoop& loop, Fd listener, security::Acl acl, MapMemory memory,
                     Compute compute)
    : loop_(loop),
      listener_(std::move(listener)),
      acl_(std::move(acl)),
      memory_(std::move(memory)),
      store_(memory_.layout()),
      service_(store_),
      compute_(std::move(compute)),
      clients_max_(clients_that_fit()),
      packet_(shm::kMapPacketBytesMax) {
  watch_ = Watch(loop_, listener_.get(), EPOLLIN, [this](std::uint32_t) { on_connect(); });
}

void MapServer::on_connect() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) return;
    admit(std::move(client));
  }
}

std::size_t MapServer::user_has(uid_t user) const {
  const auto found = of_user_.find(user);
  return found == of_user_.end() ? 0 : found->second;
}

void MapServer::admit(Fd client) {
  const auto peer = security::peer_credentials(client.get());
  if (!peer) return;
  const bool admin = acl_.may_administer(*peer);
  const bool full = connections_.size() >= clients_max_ ||
                    (!admin && (strangers_ + kClientsOfAdmins >= clients_max_ ||
                                user_has(peer->uid) >= kClientsOfUser));
  if (!acl_.may_attach(*peer) || full) {
    ++refused_;
    log("map").debug("client refused pid={} uid={} full={}", peer->pid, peer->uid, full);
    return send_head(client.get(),
                     {.status = full ? map::MapStatus::Limit : map::MapStatus::Access});
  }
  const ClientId id = next_id_++;
  Connection& connection = connections_[id];
  connection.fd = std::move(client);
  connection.admin = admin;
  connection.uid = peer->uid;
  if (!admin) {
    ++strangers_;
    ++of_user_[peer->uid];
  }
  service_.join(id, {.uid = peer->uid, .admin = admin});
  connection.watch = Watch(loop_, connection.fd.get(), EPOLLIN,
                           [this, id](std::uint32_t events) { serve(id, events); });
}

void MapServer::serve(ClientId id, std::uint32_t events) {
  const auto hung_up = connections_.find(id);
  // Told although nothing is wanted while it waits: it would be told for ever.
  if (hung_up != connections_.end() && !hung_up->second.question.empty() &&
      (events & (EPOLLHUP | EPOLLERR)) != 0) {
    return drop(id);
  }
  for (int i = 0; i < kRequestsPerTurn; ++i) {
    const auto found = connections_.find(id);
    if (found == connections_.end() || !serve_one(id, found->second)) break;
  }
  wake_sleepers();
}

bool MapServer::serve_one(ClientId id, Connection& connection) {
  if (!connection.question.empty()) return false;  // One at a time.
  const int fd = connection.fd.get();
  const ssize_t got = recv(fd, packet_.data(), packet_.size(), MSG_DONTWAIT | MSG_TRUNC);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (got <= 0 || static_cast<std::size_t>(got) > packet_.size()) {
    drop(id);
    return false;
  }
  const auto packet = std::span<const std::byte>(packet_).first(static_cast<std::size_t>(got));
  bool sent = true;
  switch (service_.on_packet(id, packet, reply_)) {
    case map::Service::Next::Reply:
      sent = send_packet(fd, reply_);
      break;
    case map::Service::Next::ReplyWithMemory:
      sent = send_packet(fd, reply_, memory_.fd());
      break;
    case map::Service::Next::Nothing:
      break;
    case map::Service::Next::NeedStatistics:
      ask_statistics(id, connection, packet);
      return false;
    case map::Service::Next::HangUp:
      sent = false;
      break;
  }
  if (!sent) drop(id);
  return sent;
}

void MapServer::ask_statistics(ClientId id, Connection& connection,
                               std::span<const std::byte> question) {
  connection.question.assign(question.begin(), question.end());
  connection.watch.want(0);
  asking_.push_back(id);
  if (asking_.size() > 1) return;
  if (computed_at_ != 0 && monotonic_now() - computed_at_ < kStatisticsAge) {
    return answer_statistics();
  }
  compute_([this](const map::Statistics& statistics) {
    statistics_ = statistics;
    computed_at_ = monotonic_now();
    answer_statistics();
  });
}

void MapServer::answer_statistics() {
  for (const ClientId id : std::exchange(asking_, {})) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) continue;
    Connection& connection = found->second;
    const auto question = std::exchange(connection.question, {});
    if (!send_packet(connection.fd.get(), service_.answer(question, statistics_))) {
      drop(id);
      continue;
    }
    connection.watch.want(EPOLLIN);
  }
}

void MapServer::changed() {
  service_.notice_changes();
  wake_sleepers();
}

void MapServer::wake_sleepers() {
  for (const ClientId id : service_.take_woken()) {
    const auto found = connections_.find(id);
    // Should it not be taken, the client has others to read.
    if (found != connections_.end()) {
      send_head(found->second.fd.get(), {.kind = shm::MapReplyKind::Wake});
    }
  }
}

void MapServer::drop(ClientId id) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  if (!found->second.admin) {
    --strangers_;
    const auto user = of_user_.find(found->second.uid);
    if (--user->second == 0) of_user_.erase(user);
  }
  found->second.watch.reset();
  connections_.erase(found);
  service_.leave(id);
}

void MapServer::add_statistics(map::Statistics& statistics) const {
  const auto put = [&](const char* name, std::uint64_t number) {
    map::Statistic& to = statistics[std::string("stats.map.") + name];
    to.type = map::MapType::U64;
    to.value.resize(sizeof number);
    std::memcpy(to.value.data(), &number, sizeof number);
  };
  const map::ServiceCounters& counters = service_.counters();
  put("clients", connections_.size());
  put("clients_refused", refused_);
  put("trackers", service_.trackers());
  put("keys", store_.keys());
  put("bytes", store_.bytes());
  put("changes", store_.changes());
  put("requests", counters.requests);
  put("refused", counters.refused);
  put("refused_access", counters.refused_access);
  put("refused_read_only", counters.refused_read_only);
  put("malformed", counters.malformed);
  put("wakes", counters.wakes);
}

}  // namespace phalanx::controlplane
