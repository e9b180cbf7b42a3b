#include "dataplane/daemon/worker_unit.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "dataplane/daemon/cpu_node.h"
#include "dataplane/daemon/lane_memory.h"
#include "ipc/base/memory_node.h"

namespace phalanx::dataplane {
namespace {

std::vector<NodeId> node_ids(const config::Config& config) {
  std::vector<NodeId> ids;
  for (const config::ClusterNode& node : config.cluster.nodes) ids.push_back(node.id);
  return ids;
}

worker::SlowClientPolicy slow_policy(const config::Config& config) {
  worker::SlowClientPolicy policy{.room_min = 2 * std::uint64_t{config.lane.window}};
  policy.tune({.dead_after = config.cluster.dead_after,
               .throttles = config.client.slow_policy == config::SlowPolicy::Throttle,
               .throttle_max = config.client.throttle_max});
  return policy;
}

worker::Idle idle(config::IdleStrategy strategy) {
  switch (strategy) {
    case config::IdleStrategy::Busy:
      return worker::Idle::Busy;
    case config::IdleStrategy::Adaptive:
      return worker::Idle::Adaptive;
    case config::IdleStrategy::Sleep:
      return worker::Idle::Sleep;
  }
  return worker::Idle::Adaptive;
}

/// "worker", "worker-1": what the first one is called does not depend on how many there are.
std::string numbered(const char* name, std::size_t index, const char* end = "") {
  return name + (index == 0 ? std::string() : "-" + std::to_string(index)) + end;
}

}  // namespace

Expected<std::unique_ptr<WorkerUnit>, Error> WorkerUnit::open(const config::Config& config,
                                                              const Member& self,
                                                              const wire::KeyRing& keys,
                                                              wire::Cipher cipher, Queue queue,
                                                              std::size_t index) {
  std::unique_ptr<WorkerUnit> unit(new WorkerUnit(index));
  unit->self_ = self;
  unit->choose_node(config);
  const PreferNode prefer(unit->node_);
  for (Fd* doorbell : {&unit->command_doorbell_, &unit->mailbox_doorbell_}) {
    doorbell->reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!*doorbell) return fail(system_error("cannot make a doorbell", "eventfd", errno));
  }
  wire::KeyRing own = keys.clone();
  // A table for each: a counter of nonces has one writer, and every lane has counters of its own.
  unit->keys_ = std::make_unique<wire::KeyTable>(
      wire::KeyTable::Config{
          .cipher = cipher, .self = self, .lanes = config.cluster.lanes, .nodes = node_ids(config)},
      std::move(own.current), std::move(own.next));
  unit->transport_ = std::move(queue);
  auto sizes = core_config(config, self.boot, unit->transport_->limits(), index);
  if (!sizes) return fail(std::move(sizes.error()));
  unit->sizes_ = *sizes;
  auto rings = LaneRings::create(unit->sizes_, config.cluster.nodes.size());
  if (!rings) return fail(std::move(rings.error()));
  unit->rings_ = std::make_unique<LaneRings>(std::move(*rings));
  unit->core_ = std::make_unique<core::Core>(unit->sizes_, unit->rings_->lanes());
  // Ciphers write what they seal anyway: only what goes out as it lies needs no copy.
  if (cipher == wire::Cipher::Insecure) {
    worker::GatherMemory memory(unit->sizes_.share(), unit->rings_->lanes());
    auto lent = memory.lend_to(*unit->transport_);
    if (!lent) return fail(std::move(lent.error()));
    if (*lent) unit->gathers_ = std::move(memory);
  }
  return unit;
}

/// This thread makes the memory and another one, pinned elsewhere, lives with it.
void WorkerUnit::choose_node(const config::Config& config) {
  const auto cpu = config.worker.cpu_of(index_);
  if (cpu) node_ = memory_node_of(*cpu);
  const PreferNode tried(node_);
  if (tried.error() == 0) return;
  spdlog::warn(
      "memory not asked of the worker's NUMA node worker={} cpu={} node={} observed=\"{}\" -> "
      "next: "
      "numactl --show; let the process call get_mempolicy, set_mempolicy and mbind",
      index_, *cpu, *node_, std::strerror(tried.error()));
  node_.reset();
}

Expected<void, Error> WorkerUnit::complete(const config::Config& config, const shm::LaneMap& lanes,
                                           const shm::ControlSegment& segment, int event_doorbell,
                                           int main_doorbell,
                                           std::vector<shm::ControlOrders*> others) {
  const PreferNode prefer(node_);
  if (index_ == 0) {
    control_ = std::make_unique<shm::ControlWorkerEnd>(segment, event_doorbell);
    if (!others.empty()) {
      crew_ = std::make_unique<worker::Crew>(std::move(others), config.cluster.lanes, *control_);
    }
  } else {
    control_rings_ = std::make_unique<shm::ControlRings>();
    control_ = std::make_unique<shm::ControlWorkerEnd>(
        *control_rings_, segment.statistics().writable(index_), event_doorbell);
    orders_ = std::make_unique<shm::ControlOrders>(control_rings_->commands, control_rings_->events,
                                                   command_doorbell_.get());
  }
  mailbox_ = std::make_unique<worker::Mailbox>(mailbox_doorbell_.get(), main_doorbell);
  if (config.client.shared_log > 0) {
    auto log = shm::DeliveryLog::create(config.client.shared_log);
    if (!log) return fail(std::move(log.error()));
    shared_log_ = std::move(*log);
  }
  open_recorder(config);
  make_worker(config, lanes);
  auto loop =
      worker::WorkerLoop::create(idle(config.worker.idle), {.transport = transport_->wait_fd(),
                                                            .command = command_doorbell_.get(),
                                                            .mailbox = mailbox_doorbell_.get()});
  if (!loop) return fail(std::move(loop.error()));
  loop_ = std::make_unique<worker::WorkerLoop>(std::move(*loop));
  return {};
}

/// Messages flow without them, too.
void WorkerUnit::open_recorder(const config::Config& config) {
  const std::vector<NodeId> nodes = node_ids(config);
  const std::string directory = config::instance_directory(config) + "/recorder";
  const auto warn = [](const Error& error) {
    spdlog::warn("{} observed=\"{}\" remedy=\"{}\"", error.attempted, error.observed, error.remedy);
  };
  auto opened = recorder::Recorder::open({.directory = directory,
                                          .writer = numbered("worker", index_),
                                          .self = self_,
                                          .nodes = nodes});
  if (opened) {
    recorder_ = std::move(*opened);
  } else {
    warn(opened.error());
  }
  // The survivors of this process wait until the kernel has unmapped its memory.
  auto tape = recorder::MappedFile::create(directory, numbered("lanes", index_, ".tape"),
                                           tape::kTapeLayout.bytes(),
                                           recorder::MappedFile::Pages::WhenTouched);
  if (!tape) return warn(tape.error());
  tape_file_ = std::move(*tape);
  tape_ = std::make_unique<tape::CoreTape>(tape_file_.bytes(), sizes_, nodes.size());
}

void WorkerUnit::make_worker(const config::Config& config, const shm::LaneMap& lanes) {
  const auto cpu = config.worker.cpu_of(index_);
  worker_ = std::make_unique<worker::Worker>(
      worker::WorkerConfig{.self = self_.node,
                           .nodes = node_ids(config),
                           .lanes = lanes.lanes(),
                           .mapped = {lanes.groups().begin(), lanes.groups().end()},
                           .index = static_cast<LaneId>(index_),
                           .workers = static_cast<LaneId>(config.worker.count),
                           .cpu = cpu ? static_cast<std::int32_t>(*cpu) : -1,
                           .numa = node_ ? static_cast<std::int32_t>(*node_) : -1,
                           .message_bytes_max = config.cluster.max_message,
                           .record_bytes_max = sizes_.record_bytes_max,
                           .slow_clients = slow_policy(config),
                           .dead_after = config.cluster.dead_after,
                           .window_bytes = sizes_.window_bytes},
      worker::WorkerParts{*core_, *transport_, *keys_, *control_, *mailbox_, recorder_.get(),
                          tape_.get(), crew_.get(), shared_log_.get(),
                          gathers_ ? &*gathers_ : nullptr});
}

}  // namespace phalanx::dataplane
