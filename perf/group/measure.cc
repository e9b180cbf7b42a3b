#include "perf/group/measure.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controlplane/cli/demo/process.h"

namespace phalanx::perf {
namespace {

bool all_ready(GroupCrew& crew) {
  for (std::size_t i = 0; i < crew.size(); ++i) {
    if (crew.slot(i).round.load(std::memory_order_acquire) != crew.board().round.load())
      return false;
  }
  return true;
}

bool all_delivered(GroupCrew& crew) {
  std::uint64_t sent = 0;
  for (std::size_t i = 0; i < crew.size(); ++i) {
    if (crew.slot(i).rested.load(std::memory_order_acquire) != crew.board().round.load())
      return false;
  }
  for (std::size_t i = 0; i < crew.size(); ++i) sent += crew.slot(i).sent.load();
  for (std::size_t i = 0; i < crew.size(); ++i) {
    if (crew.slot(i).delivered.load(std::memory_order_acquire) != sent) return false;
  }
  return true;
}

struct Moment {
  TimeNs at = 0;
  std::vector<std::uint64_t> delivered, own;
  std::uint64_t daemon_ns = 0, client_ns = 0;
};

Moment now_of(GroupCrew& crew, const cli::DemoCluster& cluster) {
  Moment m;
  for (std::size_t i = 0; i < crew.size(); ++i) {
    m.delivered.push_back(crew.slot(i).delivered.load(std::memory_order_acquire));
    m.own.push_back(crew.slot(i).own.load());
    m.client_ns += cli::usage_of(crew.processes()[i]).cpu_ns;
    m.daemon_ns += cli::usage_of(cluster.dataplane(i + 1)).cpu_ns;
    m.daemon_ns += cli::usage_of(cluster.controlplane(i + 1)).cpu_ns;
  }
  m.at = monotonic_now();
  return m;
}

void sleep_until(TimeNs then) {
  for (TimeNs now = monotonic_now(); now < then; now = monotonic_now())
    usleep(static_cast<useconds_t>(std::min<TimeNs>(then - now, 100 * kMillisecond) / 1000 + 1));
}

double fairness(const Moment& from, const Moment& to, std::uint64_t senders) {
  double sum = 0;
  double squares = 0;
  double count = 0;
  for (std::size_t i = 0; i < from.own.size(); ++i) {
    if ((senders >> i & 1) == 0) continue;
    const auto own = static_cast<double>(to.own[i] - from.own[i]);
    sum += own;
    squares += own * own;
    ++count;
  }
  return squares == 0 ? 0 : sum * sum / (count * squares);
}

double worker_gap_ms(const cli::DemoCluster& cluster) {
  double most = 0;
  for (std::size_t node = 1; node <= cluster.size(); ++node) {
    const nlohmann::json status = cluster.status(node);
    if (!status.contains("dataplane")) continue;
    const auto& plane = status.at("dataplane");
    if (plane.contains("recent_gap_ms") && plane.at("recent_gap_ms").is_number())
      most = std::max(most, plane.at("recent_gap_ms").get<double>());
  }
  return most;
}

void rates(GroupRun& run, const Moment& from, const Moment& to, const GroupWork& work) {
  std::uint64_t least = to.delivered[0] - from.delivered[0];
  for (std::size_t i = 1; i < to.delivered.size(); ++i)
    least = std::min(least, to.delivered[i] - from.delivered[i]);
  const auto count = static_cast<double>(least);
  run.messages_per_s = count * 1e9 / static_cast<double>(to.at - from.at);
  run.fairness = fairness(from, to, work.senders);
  if (least == 0) return;
  const double share = 1e-3 / count / static_cast<double>(to.delivered.size());
  run.daemon_cpu_us = static_cast<double>(to.daemon_ns - from.daemon_ns) * share;
  run.client_cpu_us = static_cast<double>(to.client_ns - from.client_ns) * share;
}

}  // namespace

Expected<GroupRun, Error> measure_group(GroupCrew& crew, const cli::DemoCluster& cluster,
                                        GroupWork work, const GroupTimes& times) {
  GroupBoard& board = crew.board();
  work.start = monotonic_now() + 100 * kMillisecond;
  work.measure_from = work.start + static_cast<TimeNs>(times.warm_up_s * 1e9);
  work.measure_to = work.measure_from + static_cast<TimeNs>(times.seconds * 1e9);
  board.work = work;
  board.round.fetch_add(1);
  if (auto ready = crew.await("clients to take their work", all_ready); !ready)
    return fail(ready.error());
  board.phase.store(GroupPhase::Run, std::memory_order_release);
  sleep_until(work.measure_from);
  const Moment from = now_of(crew, cluster);
  sleep_until(work.measure_to);
  const Moment to = now_of(crew, cluster);
  board.phase.store(GroupPhase::Wait, std::memory_order_release);
  if (auto drained = crew.await("all messages to be delivered everywhere", all_delivered); !drained)
    return fail(drained.error());
  GroupRun run;
  rates(run, from, to, work);
  run.worker_gap_ms = worker_gap_ms(cluster);
  for (std::size_t i = 0; i < crew.size(); ++i) {
    GroupSlot& slot = crew.slot(i);
    run.unsent += slot.unsent.load(std::memory_order_acquire);
    run.own_delivery.merge(slot.own_delivery);
    run.other_delivery.merge(slot.other_delivery);
    run.round_trip.merge(slot.round_trip);
    run.same_order = run.same_order && slot.hash.load() == crew.slot(0).hash.load();
  }
  return run;
}

}  // namespace phalanx::perf
