#include "dataplane/daemon/data_plane.h"

#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "dataplane/daemon/lane_groups.h"
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
  auto lanes = lane_map(config);
  if (!lanes) return fail(std::move(lanes.error()));
  lanes_ = *lanes;
  auto listener = ControlListener::open(config::instance_directory(config));
  if (!listener) return fail(std::move(listener.error()));
  listener_ = std::make_unique<ControlListener>(std::move(*listener));
  if (auto doorbells = open_doorbells(); !doorbells) return doorbells;
  auto keys = open_keys(config);
  if (!keys) return fail(std::move(keys.error()));
  auto transports = open_transports(config);
  if (!transports) return fail(std::move(transports.error()));
  for (std::size_t i = 0; i < config.worker.count; ++i) {
    auto unit = WorkerUnit::open(config, self_, *keys, cipher_, std::move((*transports)[i]), i);
    if (!unit) return fail(std::move(unit.error()));
    workers_.push_back(std::move(*unit));
  }
  auto witness = Witness::start();
  if (!witness) return fail(std::move(witness.error()));
  witness_.emplace(std::move(*witness));
  auto segment = shm::ControlSegment::create({.self = self_,
                                              .pid = static_cast<std::uint32_t>(getpid()),
                                              .witness = witness_->id(),
                                              .config_hash = config::cluster_hash(config),
                                              .obituary = obituary_,
                                              .workers = workers_.size()});
  if (!segment) return fail(std::move(segment.error()));
  segment_ = std::make_unique<shm::ControlSegment>(std::move(*segment));
  return complete_workers(config);
}

/// The first one comes last: it needs the others to lead them.
Expected<void, Error> DataPlane::complete_workers(const config::Config& config) {
  std::vector<shm::ControlOrders*> others;
  for (std::size_t i = 1; i < workers_.size(); ++i) {
    auto done = workers_[i]->complete(config, lanes_, *segment_, workers_[0]->command_doorbell(),
                                      main_doorbell_.get(), {});
    if (!done) return done;
    others.push_back(&workers_[i]->orders());
  }
  return workers_[0]->complete(config, lanes_, *segment_, event_doorbell_.get(),
                               main_doorbell_.get(), std::move(others));
}

Expected<void, Error> DataPlane::open_doorbells() {
  for (Fd* doorbell : {&event_doorbell_, &main_doorbell_}) {
    doorbell->reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!*doorbell) return fail(system_error("cannot make a doorbell", "eventfd", errno));
  }
  return {};
}

/// The cluster key is needed in clear only while this process starts; the tables and the obituary
/// keep what is derived from it.
Expected<wire::KeyRing, Error> DataPlane::open_keys(const config::Config& config) {
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
  return ring;
}

void DataPlane::read_keys_again() {
  auto loaded = key_file_.empty() ? fail(Error{.observed = "an insecure cluster has no keys"})
                                  : wire::load_key_ring(key_file_);
  for (const auto& unit : workers_) {
    auto fresh = std::make_unique<worker::NewKeys>();
    if (!loaded) {
      fresh->text = loaded.error().attempted + ": " + loaded.error().observed;
    } else {
      fresh->ring = loaded->ring.clone();
      fresh->text = wire::fingerprint(fresh->ring->current);
      if (fresh->ring->next) fresh->text += wire::fingerprint(*fresh->ring->next);
    }
    unit->mailbox().order({.kind = worker::WorkerOrder::Kind::NewKeys, .keys = fresh.release()});
  }
}

}  // namespace phalanx::dataplane
