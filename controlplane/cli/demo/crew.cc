#include "controlplane/cli/demo/crew.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "controlplane/cli/demo/process.h"
#include "controlplane/cli/demo/progress.h"
#include "controlplane/cli/stop_signal.h"

namespace phalanx::cli {

Board* map_board(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0 || status.st_size != static_cast<off_t>(sizeof(Board)))
    return nullptr;
  void* at = mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return at == MAP_FAILED ? nullptr : static_cast<Board*>(at);  // Zeroed pages are a valid Board.
}

DemoCrew::DemoCrew(DemoCrew&& other) noexcept
    : memory_(std::move(other.memory_)),
      board_(std::exchange(other.board_, nullptr)),
      processes_(std::move(other.processes_)),
      nodes_(other.nodes_) {}

DemoCrew::~DemoCrew() {
  if (board_ == nullptr) return;
  board_->phase.store(Phase::Quit, std::memory_order_release);
  munmap(board_, sizeof(Board));
}

Expected<DemoCrew, Error> DemoCrew::start(const DemoOptions& options, const DemoCluster& cluster) {
  DemoCrew crew;
  crew.nodes_ = cluster.size();
  crew.memory_.reset(memfd_create("phalanx-demo", MFD_CLOEXEC));
  if (!crew.memory_ || ftruncate(crew.memory_.get(), sizeof(Board)) != 0) {
    return fail(system_error("cannot make the demo's shared memory", "memfd_create", errno));
  }
  crew.board_ = map_board(crew.memory_.get());
  if (crew.board_ == nullptr) return fail(system_error("cannot map it", "mmap", errno));
  const std::string program = find_program("phalanx", "controlplane/cli");
  if (program.empty()) {
    return fail(Error{.attempted = "cannot find phalanx",
                      .observed = "it is not beside " + own_program(),
                      .remedy = "build or install all of Phalanx"});
  }
  const std::size_t clients = std::max<std::size_t>(cluster.size(), options.senders);
  crew.board_->clients = static_cast<std::uint32_t>(clients);
  crew.board_->senders = static_cast<std::uint32_t>(options.senders);
  crew.board_->size_bytes = options.size_bytes;
  for (std::size_t client = 0; client < clients; ++client) {
    const Instance instance = cluster.instance(crew.node_of(client));
    const auto pid =
        spawn({.program = program,
               .arguments = {"--instance", instance.name, "demo-client", "--board",
                             std::to_string(crew.memory_.get()), "--index", std::to_string(client)},
               .environment = {"PHX_RUNTIME_DIR=" + instance.runtime_directory},
               .keep_fd = crew.memory_.get()});
    if (!pid) return fail(pid.error());
    crew.processes_.push_back(*pid);
  }
  return crew;
}

std::string DemoCrew::trouble() {
  for (std::size_t client = 0; client < size(); ++client) {
    const std::string who =
        "client " + std::to_string(client) + " on " + node_name(node_of(client));
    if (slot(client).failed.load(std::memory_order_acquire) != 0) {
      return who + ": " + slot(client).error.data();
    }
    if (has_ended(processes_[client])) return who + " has ended";
  }
  return "";
}

Expected<void, Error> DemoCrew::wait_joined(TimeNs patience) {
  const TimeNs end = monotonic_now() + patience;
  for (;;) {
    std::size_t joined = 0;
    for (std::size_t client = 0; client < size(); ++client) {
      if (slot(client).group_members.load(std::memory_order_acquire) == size()) ++joined;
    }
    if (joined == size()) return {};
    show_progress("clients in the group: " + std::to_string(joined) + " of " +
                  std::to_string(size()));
    if (const std::string why = trouble(); !why.empty()) {
      return fail(Error{.attempted = "a client of the demo failed", .observed = why});
    }
    if (stop_requested()) return fail(Error{.attempted = "interrupted"});
    if (monotonic_now() > end) {
      return fail(Error{.code = ExitCode::TimeOut,
                        .attempted = "the clients did not all join in time",
                        .observed = std::to_string(joined) + " of " + std::to_string(size()) +
                                    " see all the others"});
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace phalanx::cli
