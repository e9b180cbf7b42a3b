#include "perf/harness/repeat.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "ipc/base/fd.h"
#include "ipc/base/time_ns.h"

namespace phalanx::perf {
namespace {

std::uint64_t thread_ns() {
  timespec t{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * kSecond + static_cast<std::uint64_t>(t.tv_nsec);
}

/// Instructions of the calling thread, where the processor and the kernel give them.
class Instructions {
 public:
  Instructions() {
    perf_event_attr wanted{};
    wanted.size = sizeof wanted;
    wanted.type = PERF_TYPE_HARDWARE;
    wanted.config = PERF_COUNT_HW_INSTRUCTIONS;
    wanted.exclude_kernel = 1;
    wanted.exclude_hv = 1;
    counter_.reset(
        static_cast<int>(syscall(SYS_perf_event_open, &wanted, 0, -1, -1, PERF_FLAG_FD_CLOEXEC)));
  }
  [[nodiscard]] bool there() const { return static_cast<bool>(counter_); }
  [[nodiscard]] std::uint64_t count() const {
    std::uint64_t value = 0;
    return there() && read(counter_.get(), &value, sizeof value) == sizeof value ? value : 0;
  }

 private:
  Fd counter_;
};

}  // namespace

void add_repeat_options(cli::Command& command, Repeat& repeat) {
  command.number("--runs", repeat.runs, {1, 1000}, "Measured runs of each; one more is dropped")
      .seconds("--seconds", repeat.seconds, "How long a run");
}

Repeated repeat(const Repeat& how, const std::function<std::uint64_t(std::uint64_t)>& work) {
  const auto wanted_ns = static_cast<std::uint64_t>(how.seconds * 1e9);
  std::uint64_t count = 1;
  for (;;) {
    const std::uint64_t begin = thread_ns();
    (void)work(count);
    const std::uint64_t took = std::max<std::uint64_t>(thread_ns() - begin, 1);
    if (took >= wanted_ns / 2) break;
    count = took < wanted_ns / 64
                ? count * 8
                : std::max(count + 1, static_cast<std::uint64_t>(static_cast<double>(count) *
                                                                 static_cast<double>(wanted_ns) /
                                                                 static_cast<double>(took)));
  }
  const Instructions instructions;
  Repeated out;
  for (std::uint64_t run = 0; run < how.runs; ++run) {
    const std::uint64_t counted = instructions.count();
    const std::uint64_t begin = thread_ns();
    const auto done = static_cast<double>(std::max<std::uint64_t>(work(count), 1));
    out.ns.push_back(static_cast<double>(thread_ns() - begin) / done);
    if (instructions.there()) {
      out.instructions.push_back(static_cast<double>(instructions.count() - counted) / done);
    }
  }
  return out;
}

void add_figures(Point& point, const std::string& name, Repeated&& measured) {
  point.figures.push_back({.name = name + "_ns",
                           .unit = "ns",
                           .more_is_better = false,
                           .runs = std::move(measured.ns)});
  point.figures.push_back({.name = name + "_instructions",
                           .unit = "",
                           .more_is_better = false,
                           .runs = std::move(measured.instructions)});
}

}  // namespace phalanx::perf
