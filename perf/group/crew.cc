#include "perf/group/crew.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <utility>

#include "controlplane/cli/demo/process.h"
#include "controlplane/cli/stop_signal.h"
#include "perf/group/client.h"

namespace phalanx::perf {
namespace {

constexpr TimeNs kPatience = 30 * kSecond;

bool all_joined(GroupCrew& crew) {
  for (std::size_t i = 0; i < crew.size(); ++i) {
    if (crew.slot(i).members.load() != crew.size()) return false;
  }
  return true;
}

}  // namespace

GroupCrew::GroupCrew(GroupCrew&& other) noexcept
    : board_(std::exchange(other.board_, nullptr)), processes_(std::move(other.processes_)) {}

GroupCrew::~GroupCrew() {
  if (board_ == nullptr) return;
  board_->phase.store(GroupPhase::Quit);
  const TimeNs end = monotonic_now() + kSecond;
  for (const pid_t pid : processes_) {
    while (!cli::has_ended(pid)) {
      if (monotonic_now() > end) kill(pid, SIGKILL);
      usleep(1000);
    }
  }
  munmap(board_, sizeof(GroupBoard));
}

Expected<GroupCrew, Error> GroupCrew::start(const cli::DemoCluster& cluster) {
  GroupCrew crew;
  void* memory =
      mmap(nullptr, sizeof(GroupBoard), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return fail(system_error("cannot share memory", "mmap", errno));
  crew.board_ = new (memory) GroupBoard{};
  const pid_t parent = getpid();
  for (std::size_t i = 0; i < cluster.size(); ++i) {
    const pid_t pid = fork();
    if (pid < 0) return fail(system_error("cannot start a client", "fork", errno));
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() == parent)
        run_group_client(*crew.board_, static_cast<std::uint32_t>(i), cluster.instance(i + 1));
      _exit(0);
    }
    crew.processes_.push_back(pid);
  }
  if (auto joined = crew.await("all clients in the group", all_joined); !joined)
    return fail(joined.error());
  return crew;
}

Expected<void, Error> GroupCrew::await(const char* what, bool (*done)(GroupCrew&)) {
  const TimeNs end = monotonic_now() + kPatience;
  while (!done(*this)) {
    for (std::size_t i = 0; i < size(); ++i) {
      if (slot(i).failed.load(std::memory_order_acquire) == 0) continue;
      return fail(Error{.attempted = "the client of " + cli::node_name(i + 1) + " failed",
                        .observed = slot(i).error.data(),
                        .remedy = {}});
    }
    if (cli::stop_requested()) return fail(Error{.attempted = "interrupted"});
    if (monotonic_now() > end) {
      return fail(Error{.code = ExitCode::TimeOut,
                        .attempted = std::string("waited for ") + what,
                        .observed = "nothing in 30 s",
                        .remedy = {}});
    }
    usleep(2000);
  }
  return {};
}

}  // namespace phalanx::perf
