#include "dataplane/daemon/client_keeper.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "ipc/base/assert.h"
#include "ipc/base/memory_node.h"
#include "ipc/shm/attach_server.h"
#include "ipc/shm/barrier.h"

namespace phalanx::dataplane {
namespace {

constexpr TimeNs kRequestPatience = 2 * kSecond;
constexpr TimeNs kEvictedPatience = 10 * kSecond;
constexpr std::size_t kRequestsMax = 64;       // Connected, and silent so far.
constexpr std::size_t kRequestsOfUserMax = 8;  // Or one user keeps everybody out.

}  // namespace

ClientKeeper::ClientKeeper(const config::Config& config, const shm::LaneMap& lanes, int epoll,
                           std::span<const std::unique_ptr<WorkerUnit>> workers)
    : config_(config),
      lanes_(lanes),
      epoll_(epoll),
      workers_(workers),
      // A worker that sleeps at once would pay for a barrier with every sleep.
      fences_(config.worker.idle != config::IdleStrategy::Sleep && shm::barriers_are_had()) {}

ClientKeeper::~ClientKeeper() = default;

void ClientKeeper::adopt(shm::AdoptClient client, TimeNs now) {
  if (!client.socket) return;
  if (waiting_ >= kRequestsMax || count_of(client.uid, /*attached=*/false) >= kRequestsOfUserMax) {
    shm::refuse_attach(client.socket.get(), shm::AttachStatus::TryLater);
    return;
  }
  fcntl(client.socket.get(), F_SETFL, fcntl(client.socket.get(), F_GETFL) | O_NONBLOCK);
  const auto free = std::find(entries_.begin(), entries_.end(), nullptr);
  const auto index = static_cast<std::size_t>(free - entries_.begin());
  if (free == entries_.end()) entries_.emplace_back();
  auto entry = std::make_unique<Entry>();
  entry->socket = std::move(client.socket);
  entry->peer = std::move(client);
  entry->request_due = now + kRequestPatience;
  epoll_event event{.events = EPOLLIN | EPOLLRDHUP, .data = {.u64 = kClientTag + index}};
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, entry->socket.get(), &event) != 0) return;
  entries_[index] = std::move(entry);
  ++waiting_;
}

void ClientKeeper::on_socket(std::uint64_t data, std::uint32_t events) {
  const auto index = static_cast<std::size_t>(data - kClientTag);
  if (index >= entries_.size() || entries_[index] == nullptr) return;
  Entry& entry = *entries_[index];
  if (entry.request_due == 0) {
    // An attached client says nothing: whatever comes is its end.
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) hung_up(index);
    return;
  }
  shm::AttachRequest request;
  switch (shm::read_attach_request(entry.socket.get(), request)) {
    case shm::RequestState::NotYet:
      return;
    case shm::RequestState::Ready:
      entry.peer.pid = entry.peer.pid != 0 ? entry.peer.pid : request.pid;
      attach(index, request);
      return;
    case shm::RequestState::Gone:
    case shm::RequestState::Refused:
      drop(index);
      return;
  }
}

void ClientKeeper::attach(std::size_t index, const shm::AttachRequest& request) {
  Entry& entry = *entries_[index];
  const int socket = entry.socket.get();
  if (!shm::finds_lanes(request, workers_.size(), lanes_)) {
    shm::refuse_attach(socket, shm::AttachStatus::Version);
    drop(index);
    return;
  }
  if (!has_room_for(entry.peer.uid)) {
    shm::refuse_attach(socket, shm::AttachStatus::Full);
    drop(index);
    return;
  }
  if (!make_ports(entry, request)) {
    shm::refuse_attach(socket, shm::AttachStatus::TryLater);
    drop(index);
    return;
  }
  std::vector<const shm::WorkerChannel*> channels;
  std::vector<int> logs;
  for (std::size_t i = 0; i < entry.ports.size(); ++i) {
    channels.push_back(&entry.ports[i]->channel);
    if (entry.ports[i]->reads_log) logs.push_back(workers_[i]->shared_log()->fd());
  }
  if (!shm::send_attach_reply(socket, request, channels, lanes_, logs)) {
    unwatch(entry);
    entry.ports.clear();
    drop(index);
    return;
  }
  entry.request_due = 0;
  --waiting_;
  ++attached_;
  const std::size_t slot = entry.ports[0]->id % worker::kClientsMax;
  slot_used_[slot] = true;
  index_of_slot_[slot] = static_cast<std::uint32_t>(index);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    entry.ports[i]->channel.close_memory();
    workers_[i]->mailbox().order(
        {.kind = worker::WorkerOrder::Kind::AddClient, .port = entry.ports[i].get()});
  }
}

bool ClientKeeper::make_ports(Entry& entry, const shm::AttachRequest& request) {
  const ClientId id = next_id();
  for (const auto& unit : workers_) {
    const PreferNode prefer(unit->node());
    const shm::DeliveryLog* log = unit->shared_log();
    // Who wants to and may not has a ring of its own, as everybody else.
    const bool reads_log = log != nullptr && (request.flags & shm::kWantsLog) != 0 &&
                           (entry.peer.rights & shm::kMayReadLog) != 0;
    auto channel = shm::WorkerChannel::create({.submit_bytes = ring_bytes(request.submit_bytes),
                                               .delivery_bytes = ring_bytes(request.delivery_bytes),
                                               .message_bytes_max = config_.cluster.max_message,
                                               .node = config_.node.id,
                                               .client = id,
                                               .log_bytes = reads_log ? log->bytes() : 0,
                                               .fences = fences_});
    if (!channel || !unit->loop().watch_client(channel->doorbell_fd())) {
      unwatch(entry);
      entry.ports.clear();
      return false;
    }
    auto port = std::make_unique<worker::ClientPort>();
    port->id = id;
    port->pid = entry.peer.pid;
    port->uid = entry.peer.uid;
    port->gid = entry.peer.gid;
    port->may_publish = (entry.peer.rights & shm::kMayPublish) != 0;
    port->may_subscribe = (entry.peer.rights & shm::kMaySubscribe) != 0;
    port->channel = std::move(*channel);
    port->reads_log = reads_log;
    port->groups.reserve(worker::kGroupsPerClientMax);
    entry.ports.push_back(std::move(port));
  }
  return true;
}

void ClientKeeper::unwatch(const Entry& entry) noexcept {
  for (std::size_t i = 0; i < entry.ports.size(); ++i) {
    workers_[i]->loop().unwatch_client(entry.ports[i]->channel.doorbell_fd());
  }
}

/// A user who is not privileged gets half of the places, so that the others are not locked out.
/// Counted here, where the clients are: control planes come and go.
bool ClientKeeper::has_room_for(std::uint32_t uid) const noexcept {
  const auto places = std::min<std::size_t>(config_.client.max, worker::kClientsMax);
  if (attached_ >= places) return false;
  return uid == 0 || uid == geteuid() ||
         count_of(uid, /*attached=*/true) < std::max<std::size_t>(1, places / 2);
}

std::size_t ClientKeeper::count_of(std::uint32_t uid, bool attached) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
        return entry != nullptr && entry->peer.uid == uid && entry->attached() == attached;
      }));
}

void ClientKeeper::hung_up(std::size_t index) {
  Entry& entry = *entries_[index];
  if (entry.gone) return;
  entry.gone = true;
  if (entry.close_due != 0) --evicted_;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, entry.socket.get(), nullptr);
  entry.socket.reset();  // The client sees the hang-up too, if it lives.
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->mailbox().order(
        {.kind = worker::WorkerOrder::Kind::ClientGone, .port = entry.ports[i].get()});
  }
}

void ClientKeeper::drop(std::size_t index) {
  Entry& entry = *entries_[index];
  if (entry.socket) epoll_ctl(epoll_, EPOLL_CTL_DEL, entry.socket.get(), nullptr);
  if (entry.attached()) {
    unwatch(entry);
    slot_used_[entry.ports[0]->id % worker::kClientsMax] = false;
    --attached_;
  } else {
    --waiting_;
  }
  entries_[index].reset();
}

void ClientKeeper::on_notices() {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    worker::MainNotice notice;
    while (workers_[i]->mailbox().take(notice)) on_notice(notice, i);
  }
}

void ClientKeeper::on_notice(const worker::MainNotice& notice, std::size_t from) {
  const std::size_t index = index_of_slot_[notice.port->id % worker::kClientsMax];
  PHX_CHECK(index < entries_.size() && entries_[index] != nullptr &&
            entries_[index]->ports.at(from).get() == notice.port);
  Entry& entry = *entries_[index];
  switch (notice.kind) {
    case worker::MainNotice::Kind::Wake:
      notice.port->wake_asked.store(false, std::memory_order_release);
      if (entry.socket) shm::wake_client(entry.socket.get());
      break;
    case worker::MainNotice::Kind::HangUp:
      hung_up(index);
      break;
    case worker::MainNotice::Kind::Evicted:
      evicted(entry, from);
      break;
    case worker::MainNotice::Kind::ClientReleased:
      if (++entry.released == workers_.size()) drop(index);
      break;
  }
}

/// One worker's eviction is everybody's: it leaves all its groups for one reason.
void ClientKeeper::evicted(Entry& entry, std::size_t by) {
  if (entry.gone || entry.close_due != 0) return;
  entry.close_due = monotonic_now() + kEvictedPatience;
  ++evicted_;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (i == by) continue;
    workers_[i]->mailbox().order(
        {.kind = worker::WorkerOrder::Kind::Evict, .port = entry.ports[i].get()});
  }
}

void ClientKeeper::on_time(TimeNs now) {
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    if (entries_[i] == nullptr) continue;
    const Entry& entry = *entries_[i];
    if (entry.request_due != 0 && now >= entry.request_due) {
      drop(i);
    } else if (entry.close_due != 0 && !entry.gone && now >= entry.close_due) {
      hung_up(i);
    }
  }
}

void ClientKeeper::say_goodbye() noexcept {
  for (auto& entry : entries_) {
    if (entry == nullptr || !entry->socket) continue;
    bool wakes = false;
    for (const auto& port : entry->ports) wakes = port->channel.disconnect() || wakes;
    if (wakes) shm::wake_client(entry->socket.get());
  }
}

// What the client wants, within the memory that the configuration grants it.
std::uint64_t ClientKeeper::ring_bytes(std::uint64_t wanted) const noexcept {
  const std::uint64_t granted = config_.client.ring;
  return wanted == 0 ? granted : std::min(wanted, 4 * granted);
}

// Ids grow; one whose slot is taken is skipped, so that an id is never used twice.
ClientId ClientKeeper::next_id() {
  do {
    ++last_id_;
  } while (last_id_ == 0 || slot_used_[last_id_ % worker::kClientsMax]);
  return last_id_;
}

}  // namespace phalanx::dataplane
