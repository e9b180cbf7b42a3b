#include "dataplane/daemon/data_plane.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "dataplane/daemon/open_transport.h"
#include "dataplane/worker/new_keys.h"
#include "transport/wire/key_ring.h"
#include "transport/wire/management.h"

namespace phalanx::dataplane {
namespace {

Expected<BootId, Error> draw_boot_id() {
  BootId id;
  if (getrandom(id.bytes.data(), id.bytes.size(), 0) == static_cast<ssize_t>(id.bytes.size()))
    return id;
  return fail(system_error("cannot draw a boot id", "getrandom", errno));
}

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

}  // namespace

Expected<std::unique_ptr<DataPlane>, Error> DataPlane::create(const config::Config& config) {
  std::unique_ptr<DataPlane> plane(new DataPlane);
  if (auto opened = plane->open(config); !opened) return fail(std::move(opened.error()));
  return plane;
}

Expected<void, Error> DataPlane::open(const config::Config& config) {
  auto boot = draw_boot_id();
  if (!boot) return fail(std::move(boot.error()));
  self_ = {.node = config.node.id, .boot = *boot};
  auto listener = ControlListener::open(config::instance_directory(config));
  if (!listener) return fail(std::move(listener.error()));
  listener_ = std::make_unique<ControlListener>(std::move(*listener));
  if (auto doorbells = open_doorbells(); !doorbells) return doorbells;
  if (auto keys = open_keys(config); !keys) return keys;
  auto opened = open_transport(config);
  if (!opened) return fail(std::move(opened.error()));
  transport_ = std::move(*opened);
  auto sizes = core_config(config, *boot, transport_->limits());
  if (!sizes) return fail(std::move(sizes.error()));
  sizes_ = *sizes;
  auto rings = LaneRings::create(sizes_, config.cluster.nodes.size());
  if (!rings) return fail(std::move(rings.error()));
  rings_ = std::make_unique<LaneRings>(std::move(*rings));
  core_ = std::make_unique<core::Core>(sizes_, rings_->lanes());
  auto witness = Witness::start();
  if (!witness) return fail(std::move(witness.error()));
  witness_.emplace(std::move(*witness));
  auto segment = shm::ControlSegment::create({.self = self_,
                                              .pid = static_cast<std::uint32_t>(getpid()),
                                              .witness = witness_->id(),
                                              .config_hash = config::cluster_hash(config),
                                              .obituary = obituary_});
  if (!segment) return fail(std::move(segment.error()));
  segment_ = std::make_unique<shm::ControlSegment>(std::move(*segment));
  control_ = std::make_unique<shm::ControlWorkerEnd>(*segment_, event_doorbell_.get());
  mailbox_ = std::make_unique<worker::Mailbox>(worker_doorbell_.get(), main_doorbell_.get());
  open_recorder(config);
  worker_ = std::make_unique<worker::Worker>(
      worker::WorkerConfig{.self = self_.node,
                           .nodes = node_ids(config),
                           .lanes = config.cluster.lanes,
                           .message_bytes_max = config.cluster.max_message,
                           .record_bytes_max = sizes_.record_bytes_max,
                           .slow_clients = slow_policy(config),
                           .dead_after = config.cluster.dead_after,
                           .window_bytes = sizes_.window_bytes},
      worker::WorkerParts{*core_, *transport_, *keys_, *control_, *mailbox_, recorder_.get(),
                          tape_.get()});
  auto loop =
      worker::WorkerLoop::create(idle(config.worker.idle), {.transport = transport_->wait_fd(),
                                                            .command = command_doorbell_.get(),
                                                            .mailbox = worker_doorbell_.get()});
  if (!loop) return fail(std::move(loop.error()));
  loop_ = std::make_unique<worker::WorkerLoop>(std::move(*loop));
  return {};
}

/// Messages flow without them, too.
void DataPlane::open_recorder(const config::Config& config) {
  const std::vector<NodeId> nodes = node_ids(config);
  const std::string directory = config::instance_directory(config) + "/recorder";
  const auto warn = [](const Error& error) {
    spdlog::warn("{} observed=\"{}\" remedy=\"{}\"", error.attempted, error.observed, error.remedy);
  };
  auto opened = recorder::Recorder::open(
      {.directory = directory, .writer = "worker", .self = self_, .nodes = nodes});
  if (opened) {
    recorder_ = std::move(*opened);
  } else {
    warn(opened.error());
  }
  // The survivors of this process wait until the kernel has unmapped its memory.
  auto tape = recorder::MappedFile::create(directory, "lanes.tape", tape::kTapeLayout.bytes(),
                                           recorder::MappedFile::Pages::WhenTouched);
  if (!tape) return warn(tape.error());
  tape_file_ = std::move(*tape);
  tape_ = std::make_unique<tape::CoreTape>(tape_file_.bytes(), sizes_, nodes.size());
}

Expected<void, Error> DataPlane::open_doorbells() {
  for (Fd* doorbell : {&command_doorbell_, &event_doorbell_, &worker_doorbell_, &main_doorbell_}) {
    doorbell->reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!*doorbell) return fail(system_error("cannot make a doorbell", "eventfd", errno));
  }
  return {};
}

/// The cluster key is needed in clear only here; the table and the obituary keep what is derived
/// from it.
Expected<void, Error> DataPlane::open_keys(const config::Config& config) {
  const bool insecure = config.cluster.insecure;
  cipher_ = insecure ? wire::Cipher::Insecure : wire::fastest_cipher();
  wire::KeyRing ring(wire::insecure_cluster_key(config.cluster.name), std::nullopt);
  if (!insecure) {
    key_file_ = config.cluster.key_file;
    auto loaded = wire::load_key_ring(key_file_);
    if (!loaded) return fail(std::move(loaded.error()));
    ring = std::move(loaded->ring);
  }
  const wire::ManagementSeal seal(ring.current, insecure);
  obituary_ = wire::seal_obituary(seal, self_, config::cluster_hash(config));
  keys_ = std::make_unique<wire::KeyTable>(wire::KeyTable::Config{.cipher = cipher_,
                                                                  .self = self_,
                                                                  .lanes = config.cluster.lanes,
                                                                  .nodes = node_ids(config)},
                                           std::move(ring.current), std::move(ring.next));
  return {};
}

void DataPlane::read_keys_again() {
  auto fresh = std::make_unique<worker::NewKeys>();
  auto loaded = key_file_.empty() ? fail(Error{.observed = "an insecure cluster has no keys"})
                                  : wire::load_key_ring(key_file_);
  if (!loaded) {
    fresh->text = loaded.error().attempted + ": " + loaded.error().observed;
  } else {
    fresh->ring = std::move(loaded->ring);
    fresh->text = wire::fingerprint(fresh->ring->current);
    if (fresh->ring->next) fresh->text += wire::fingerprint(*fresh->ring->next);
  }
  mailbox_->order({.kind = worker::WorkerOrder::Kind::NewKeys, .keys = fresh.release()});
}

}  // namespace phalanx::dataplane
