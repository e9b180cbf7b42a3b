#include "controlplane/daemon/map_server.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "ipc/shm/map_protocol.h"

namespace phalanx::controlplane {
namespace {

/// A burst of one client must not keep the membership waiting.
constexpr unsigned kRequestsPerTurn = 8;
/// Of a client: its connection's socket, and the one that wakes it.
constexpr rlim_t kDescriptorsOfClient = 2;
/// Descriptors for all else that this process does; administrators and guards have 192 of them.
constexpr rlim_t kDescriptorsForOthers = 512;

/// As many as there are descriptors for, which are raised to what is allowed.
unsigned clients_that_fit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return MapServer::kClientsMax / 8;
  const rlim_t wanted = MapServer::kClientsMax * kDescriptorsOfClient + kDescriptorsForOthers;
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    (void)getrlimit(RLIMIT_NOFILE, &limit);
  }
  const rlim_t left = limit.rlim_cur - std::min(limit.rlim_cur, kDescriptorsForOthers);
  const rlim_t fit = std::min<rlim_t>(left / kDescriptorsOfClient, MapServer::kClientsMax);
  return static_cast<unsigned>(std::max<rlim_t>(fit, MapServer::kClientsOfAdmins + 1));
}

CallServer::Options options_with(const MapMemory& memory) {
  return {.service = shm::kMapService,
          .calls = shm::kMapCalls,
          .subsystem = "map",
          .attachment = memory.fd(),
          .limits = {.clients_max = clients_that_fit(),
                     .clients_reserved = MapServer::kClientsOfAdmins,
                     .clients_of_user = MapServer::kClientsOfUser,
                     .ring_bytes = shm::kMapRingBytes,
                     .message_bytes = shm::kMapMessageBytesMax,
                     .messages_a_turn = kRequestsPerTurn}};
}

}  // namespace

MapServer::MapServer(EventLoop& loop, Fd listener, security::Acl acl, MapMemory memory,
                     Compute compute)
    : acl_(std::move(acl)),
      memory_(std::move(memory)),
      store_(memory_.layout()),
      service_(store_),
      compute_(std::move(compute)),
      server_(
          loop, std::move(listener), options_with(memory_),
          {.admit = [this](const security::PeerCredentials& peer) { return acl_.may_attach(peer); },
           .joined =
               [this](CallServer::Client client, const CallServer::Peer& peer) {
                 const bool admin =
                     acl_.may_administer({.pid = peer.pid, .uid = peer.uid, .groups = {}});
                 service_.join(client, {.uid = peer.uid, .admin = admin});
               },
           .left = [this](CallServer::Client client) { leave(client); },
           .request = [this](const CallServer::Request& request) { serve(request); }}) {}

void MapServer::leave(CallServer::Client client) {
  service_.leave(client);
  std::erase_if(asking_, [client](const Asked& asked) { return asked.client == client; });
}

void MapServer::serve(const CallServer::Request& request) {
  const auto call = static_cast<map::MapCall>(request.call);
  if ((request.number == 0) != (call == map::MapCall::Arm)) {
    ++misused_;
    return server_.cut_off(request.client);
  }
  map::Service::Outcome outcome = service_.on_request(request.client, call, request.bytes);
  switch (outcome.next) {
    case map::Service::Next::Reply:
      if (outcome.status == map::MapStatus::Ok) {
        (void)server_.reply(request.client, request.number);
      } else {
        (void)server_.refuse(request.client, request.number, shm::status_of(outcome.status));
      }
      break;
    case map::Service::Next::Nothing:
      break;
    case map::Service::Next::NeedStatistics:
      ask_statistics({.client = request.client,
                      .number = request.number,
                      .reply_bytes_max = request.reply_bytes_max,
                      .question = std::move(outcome.question)});
      break;
    case map::Service::Next::CutOff:
      server_.cut_off(request.client);
      break;
  }
  wake_sleepers();
}

void MapServer::ask_statistics(Asked asked) {
  const bool asks_twice = std::ranges::any_of(
      asking_, [&](const Asked& other) { return other.client == asked.client; });
  if (asks_twice) {  // The library waits for the first.
    ++misused_;
    return server_.cut_off(asked.client);
  }
  asking_.push_back(std::move(asked));
  if (computing_) return;
  if (computed_at_ != 0 && monotonic_now() - computed_at_ < kStatisticsAge) {
    return answer_statistics();
  }
  computing_ = true;
  compute_([this](const map::Statistics& statistics) {
    computing_ = false;
    statistics_ = statistics;
    computed_at_ = monotonic_now();
    answer_statistics();
  });
}

void MapServer::answer_statistics() {
  for (const Asked& asked : std::exchange(asking_, {})) {
    const auto answer = service_.answer(asked.question, statistics_, asked.reply_bytes_max);
    if (answer.status == map::MapStatus::Ok) {
      (void)server_.reply(asked.client, asked.number, answer.bytes);
    } else {
      (void)server_.refuse(asked.client, asked.number, shm::status_of(answer.status));
    }
  }
}

void MapServer::changed() {
  service_.notice_changes();
  wake_sleepers();
}

void MapServer::wake_sleepers() {
  for (const CallServer::Client client : service_.take_woken()) {
    (void)server_.tell(client, shm::kMapWakeEvent);
  }
}

void MapServer::add_statistics(map::Statistics& statistics) const {
  const auto put = [&](const char* name, std::uint64_t number) {
    map::Statistic& to = statistics[std::string("stats.map.") + name];
    to.type = map::MapType::U64;
    to.value.resize(sizeof number);
    std::memcpy(to.value.data(), &number, sizeof number);
  };
  const map::ServiceCounters& counters = service_.counters();
  const phx_ipc_server_info counts = server_.counts();
  put("clients", service_.clients());
  put("clients_refused", counts.refused);
  put("trackers", service_.trackers());
  put("keys", store_.keys());
  put("bytes", store_.bytes());
  put("changes", store_.changes());
  put("requests", counters.requests);
  put("refused", counters.refused);
  put("refused_access", counters.refused_access);
  put("refused_read_only", counters.refused_read_only);
  put("malformed", counters.malformed + misused_ + counts.broken);
  put("wakes", counters.wakes);
}

}  // namespace phalanx::controlplane
