#include "ipc/shm/statistics_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::shm {
namespace {

constexpr const char* kWhat = "cannot share the statistics of the data plane";
constexpr int kTries = 10'000;

constexpr std::array<std::string_view, kCounters> kNames = {"turns",
                                                            "idle_turns",
                                                            "sleeps",
                                                            "wakes_asked",
                                                            "rx_frames",
                                                            "rx_bytes",
                                                            "tx_frames",
                                                            "tx_bytes",
                                                            "rx_malformed",
                                                            "rx_other_version",
                                                            "rx_own_node",
                                                            "rx_unknown_sender",
                                                            "rx_unknown_key",
                                                            "rx_other_receiver",
                                                            "rx_replayed",
                                                            "rx_bad_tag",
                                                            "rx_out_of_range",
                                                            "rx_duplicate",
                                                            "rx_wrong_state",
                                                            "rx_not_member",
                                                            "control_messages_in",
                                                            "control_messages_out",
                                                            "control_messages_lost",
                                                            "commands_bad",
                                                            "events_lost",
                                                            "submitted",
                                                            "submitted_bytes",
                                                            "submissions_refused",
                                                            "clients_bad",
                                                            "records_delivered",
                                                            "record_bytes_delivered",
                                                            "events_delivered",
                                                            "clients_attached",
                                                            "clients_detached",
                                                            "clients_evicted",
                                                            "views_installed",
                                                            "distrusted_ms",
                                                            "wire_overflow",
                                                            "wire_refused",
                                                            "wire_tx_refused",
                                                            "busy_ns",
                                                            "rx_bursts",
                                                            "tx_bursts",
                                                            "naks_sent",
                                                            "naks_heard",
                                                            "repairs_sent",
                                                            "divergences",
                                                            "handovers",
                                                            "rx_copies"};
static_assert(!kNames.back().empty());

Error other_version(const std::string& observed) {
  return {.attempted = kWhat,
          .observed = observed,
          .remedy = "run phalanx and its daemons of one version"};
}

template <class T>
bool read_whole(const Published<T>& from, T& out) noexcept {
  // Memory that is mapped read-only: loaded and never written.
  const std::atomic_ref writes(const_cast<std::uint64_t&>(from.writes));
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const std::uint64_t before = writes.load(std::memory_order_acquire);
    std::memcpy(&out, &from.copy[before % 2], sizeof out);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (writes.load(std::memory_order_relaxed) == before) return true;
  }
  return false;
}

}  // namespace

Expected<StatisticsMemory, Error> StatisticsMemory::create(Member self, std::uint32_t pid,
                                                           std::size_t workers) {
  PHX_CHECK(workers >= 1 && workers <= kWorkersMax);
  const std::size_t bytes = workers * sizeof(StatisticsLayout);
  Fd memory(memfd_create("phalanx-statistics", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!memory) return fail(system_error(kWhat, "memfd_create", errno));
  if (ftruncate(memory.get(), static_cast<off_t>(bytes)) != 0) {
    return fail(system_error(kWhat, "ftruncate", errno));
  }
  // All pages now: the worker must not meet a fault later.
  void* at =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, memory.get(), 0);
  if (at == MAP_FAILED) return fail(system_error(kWhat, "mmap", errno));
  StatisticsMemory made(std::move(memory), static_cast<StatisticsLayout*>(at), workers, true);
  // Behind our own mapping: no other one can write, whoever holds the descriptor.
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
  if (fcntl(made.fd(), F_ADD_SEALS, kSeals) != 0) {
    return fail(system_error(kWhat, "fcntl(F_ADD_SEALS)", errno, "run Linux 5.1 or later"));
  }
  for (std::size_t worker = 0; worker < workers; ++worker) {
    StatisticsLayout& l = made.layout_[worker];
    l.version = kStatisticsVersion;
    l.pid = pid;
    l.size = sizeof(StatisticsLayout);
    l.self = self;
    l.workers = static_cast<std::uint32_t>(workers);
    l.started_at = monotonic_now();
    l.magic = kStatisticsMagic;
  }
  return made;
}

Expected<StatisticsMemory, Error> StatisticsMemory::map(Fd memory) {
  struct stat st {};
  if (fstat(memory.get(), &st) != 0) return fail(system_error(kWhat, "fstat", errno));
  const int seals = fcntl(memory.get(), F_GET_SEALS);
  const auto bytes = static_cast<std::size_t>(std::max<off_t>(st.st_size, 0));
  const std::size_t workers = bytes / sizeof(StatisticsLayout);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || bytes % sizeof(StatisticsLayout) != 0 ||
      workers < 1 || workers > kWorkersMax) {
    return fail(other_version("memory of " + std::to_string(st.st_size) + " bytes, " +
                              std::to_string(sizeof(StatisticsLayout)) + " a worker expected"));
  }
  void* at = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, memory.get(), 0);
  if (at == MAP_FAILED) return fail(system_error(kWhat, "mmap", errno));
  StatisticsMemory mapped(std::move(memory), static_cast<StatisticsLayout*>(at), workers, false);
  const StatisticsLayout& l = mapped.layout();
  if (l.magic != kStatisticsMagic || l.version != kStatisticsVersion || l.size != sizeof l) {
    return fail(other_version("version " + std::to_string(l.version) + ", " +
                              std::to_string(kStatisticsVersion) + " expected"));
  }
  return mapped;
}

StatisticsMemory::StatisticsMemory(StatisticsMemory&& other) noexcept
    : memory_(std::move(other.memory_)),
      layout_(std::exchange(other.layout_, nullptr)),
      workers_(other.workers_),
      is_writer_(other.is_writer_) {}

StatisticsMemory& StatisticsMemory::operator=(StatisticsMemory&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(layout_, other.layout_);
  std::swap(workers_, other.workers_);
  std::swap(is_writer_, other.is_writer_);
  return *this;
}

StatisticsMemory::~StatisticsMemory() {
  if (layout_ != nullptr) munmap(layout_, workers_ * sizeof(StatisticsLayout));
}

StatisticsLayout& StatisticsMemory::writable(std::size_t worker) const noexcept {
  PHX_CHECK(is_writer_ && worker < workers_);
  return layout_[worker];
}

bool read_status(const StatisticsLayout& from, WorkerStatus& out) noexcept {
  if (!read_whole(from.status, out)) return false;
  out.members = std::min<std::uint32_t>(out.members, kNodesMax);
  out.lanes = std::min<std::uint32_t>(out.lanes, kLanesMax);
  out.transport.driver[sizeof out.transport.driver - 1] = '\0';
  out.transport.trouble[sizeof out.transport.trouble - 1] = '\0';
  out.transport.links = std::min<std::uint32_t>(out.transport.links, kLinksShown);
  for (LinkStatus& link : out.transport.link) link.driver[sizeof link.driver - 1] = '\0';
  return true;
}

bool read_tables(const StatisticsLayout& from, StatisticsTables& out) noexcept {
  if (!read_whole(from.tables, out)) return false;
  out.groups = std::min<std::uint32_t>(out.groups, kListedGroupsMax);
  out.clients = std::min<std::uint32_t>(out.clients, kListedClientsMax);
  out.extended = std::min<std::uint32_t>(out.extended, kListedExtendedMax);
  for (ExtendedStatus& counter : out.port) counter.name[sizeof counter.name - 1] = '\0';
  for (GroupStatus& group : out.group) {
    group.name_bytes = std::min<std::uint32_t>(group.name_bytes, kListedNameBytes);
  }
  return true;
}

std::uint64_t read_counter(const StatisticsLayout& from, Counter counter) noexcept {
  auto& at = const_cast<std::uint64_t&>(from.counters[static_cast<std::size_t>(counter)]);
  return std::atomic_ref(at).load(std::memory_order_relaxed);
}

void write_status(StatisticsLayout& to, const WorkerStatus& status) noexcept {
  begin_write(to.status) = status;
  end_write(to.status);
}

std::string_view counter_name(Counter counter) noexcept {
  return kNames[static_cast<std::size_t>(counter)];
}

}  // namespace phalanx::shm
