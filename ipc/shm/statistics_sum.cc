#include "ipc/shm/statistics_sum.h"

#include <algorithm>
#include <memory>
#include <new>
#include <span>

namespace phalanx::shm {
namespace {

void add_peers(WorkerStatus& sum, const WorkerStatus& more) noexcept {
  for (std::size_t i = 0; i < kNodesMax; ++i) {
    PeerStatus& to = sum.peer[i];
    const PeerStatus& from = more.peer[i];
    if (to.node == 0 || to.node != from.node) continue;  // All list the configured nodes alike.
    to.heard = std::min(to.heard, from.heard);
    to.progressed = std::min(to.progressed, from.progressed);
    to.distrusts_itself |= from.distrusts_itself;
    to.naks_heard += from.naks_heard;
    to.naks_sent += from.naks_sent;
  }
}

void add_link(LinkStatus& sum, const LinkStatus& more) noexcept {
  sum.ports_up = std::min(sum.ports_up, more.ports_up);
  sum.used |= more.used;
  sum.heard &= more.heard;
  sum.rx_frames += more.rx_frames;
  sum.rx_bytes += more.rx_bytes;
  sum.rx_overflow += more.rx_overflow;
  sum.tx_frames += more.tx_frames;
  sum.tx_bytes += more.tx_bytes;
  sum.tx_refused += more.tx_refused;
}

void add_transport(TransportStatus& sum, const TransportStatus& more) noexcept {
  sum.ports = std::max(sum.ports, more.ports);
  sum.ports_up = std::min(sum.ports_up, more.ports_up);
  for (std::size_t i = 0; i < std::min<std::size_t>(sum.links, kLinksShown); ++i) {
    add_link(sum.link[i], more.link[i]);
  }
  const std::uint64_t troubles = sum.troubles + more.troubles;
  if (more.trouble_at > sum.trouble_at) {
    std::copy(std::begin(more.trouble), std::end(more.trouble), sum.trouble);
    sum.trouble_at = more.trouble_at;
  }
  sum.troubles = troubles;
}

/// Of several rings the fullest counts: a client is evicted for one of them.
void take_fuller(std::uint64_t& bytes, std::uint64_t& queued, std::uint64_t more_bytes,
                 std::uint64_t more_queued) noexcept {
  const auto share = [](std::uint64_t part, std::uint64_t whole) {
    return static_cast<double>(part) / static_cast<double>(std::max<std::uint64_t>(whole, 1));
  };
  if (share(more_queued, more_bytes) <= share(queued, bytes)) return;
  bytes = more_bytes;
  queued = more_queued;
}

void add_client(ClientStatus& sum, const ClientStatus& more) noexcept {
  sum.groups += more.groups;
  sum.leaving |= more.leaving;
  sum.evicted |= more.evicted;
  take_fuller(sum.submit_bytes, sum.submit_queued, more.submit_bytes, more.submit_queued);
  take_fuller(sum.deliver_bytes, sum.deliver_queued, more.deliver_bytes, more.deliver_queued);
  sum.submitted += more.submitted;
  const TimeNs least = std::min(sum.blocked_since, more.blocked_since);
  sum.blocked_since = least != 0 ? least : std::max(sum.blocked_since, more.blocked_since);
}

}  // namespace

void add_status(WorkerStatus& sum, const WorkerStatus& more, std::size_t worker,
                std::size_t workers) noexcept {
  // A worker that has shown nothing yet: of the whole nothing is known.
  sum.written_at = std::min(sum.written_at, more.written_at);
  if (more.view.sequence < sum.view.sequence) {
    sum.view = more.view;
    sum.members = more.members;
    std::copy(std::begin(more.member), std::end(more.member), sum.member);
    for (std::size_t i = 0; i < kNodesMax; ++i) sum.peer[i].boot = more.peer[i].boot;
  }
  sum.frozen |= more.frozen;
  if (more.recovering != sum.recovering) sum.recovered = 0;
  sum.recovered &= more.recovered;
  sum.groups += more.groups;
  for (std::size_t lane = worker; lane < sum.lanes; lane += workers) {
    sum.lane[lane] = more.lane[lane];
  }
  add_peers(sum, more);
  add_transport(sum.transport, more.transport);
  sum.gaps.longest = std::max(sum.gaps.longest, more.gaps.longest);
  sum.gaps.recent = std::max(sum.gaps.recent, more.gaps.recent);
  sum.evicted_at = std::max(sum.evicted_at, more.evicted_at);
}

void add_tables(StatisticsTables& sum, const StatisticsTables& more) noexcept {
  sum.written_at = std::min(sum.written_at, more.written_at);
  const auto room = static_cast<std::uint32_t>(kListedGroupsMax - sum.groups);
  const std::uint32_t taken = std::min(more.groups, room);
  std::copy_n(more.group, taken, sum.group + sum.groups);
  sum.groups += taken;
  sum.groups_unlisted += more.groups_unlisted + (more.groups - taken);
  // A client that comes or goes just now may be with one worker only.
  for (const ClientStatus& client : std::span(more.client).first(more.clients)) {
    const auto known = std::span(sum.client).first(sum.clients);
    const auto same = std::ranges::find(known, client.id, &ClientStatus::id);
    if (same != known.end()) {
      add_client(*same, client);
    } else if (sum.clients < kListedClientsMax) {
      sum.client[sum.clients++] = client;
    }
  }
}

bool read_status(const StatisticsMemory& from, WorkerStatus& out) noexcept {
  if (!read_status(from.layout(), out)) return false;
  for (std::size_t worker = 1; worker < from.workers(); ++worker) {
    WorkerStatus more;
    if (!read_status(from.layout(worker), more)) return false;
    add_status(out, more, worker, from.workers());
  }
  return true;
}

bool read_tables(const StatisticsMemory& from, StatisticsTables& out) noexcept {
  if (!read_tables(from.layout(), out)) return false;
  if (from.workers() == 1) return true;
  const std::unique_ptr<StatisticsTables> more(new (std::nothrow) StatisticsTables);
  if (more == nullptr) return false;
  for (std::size_t worker = 1; worker < from.workers(); ++worker) {
    if (!read_tables(from.layout(worker), *more)) return false;
    add_tables(out, *more);
  }
  return true;
}

std::uint64_t read_counter(const StatisticsMemory& from, Counter counter) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t worker = 0; worker < from.workers(); ++worker) {
    sum += read_counter(from.layout(worker), counter);
  }
  return sum;
}

}  // namespace phalanx::shm
