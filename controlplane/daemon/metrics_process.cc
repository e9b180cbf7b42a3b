#include "controlplane/daemon/metrics_process.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <system_error>
#include <utility>

#include "controlplane/daemon/log.h"
#include "controlplane/daemon/spawn.h"

namespace phalanx::controlplane {

MetricsProcess::MetricsProcess(EventLoop& loop, std::string program,
                               std::vector<std::string> arguments)
    : loop_(loop),
      program_(std::move(program)),
      arguments_(std::move(arguments)),
      retry_(loop, [this] { start(); }) {
  retry_.arm(monotonic_now());
}

MetricsProcess::~MetricsProcess() {
  if (process_) (void)syscall(SYS_pidfd_send_signal, process_.get(), SIGTERM, nullptr, 0);
}

void MetricsProcess::start() {
  const auto pid = spawn_detached(program_, arguments_);
  if (!pid) {
    log("metrics").error("{} observed=\"{}\" next_start_ms={}", pid.error().attempted,
                         pid.error().observed, back_off_ / kMillisecond);
    return again_later();
  }
  child_ = *pid;
  started_at_ = monotonic_now();
  auto process = open_process(child_);
  if (!process) return;  // It runs; only nobody learns of its end.
  process_ = std::move(*process);
  watch_ = Watch(loop_, process_.get(), EPOLLIN, [this](std::uint32_t) { on_exit(); });
  log("metrics").info("metrics started pid={} program={}", child_, program_);
}

void MetricsProcess::on_exit() {
  watch_.reset();
  process_.reset();
  const std::string how = reap(child_);
  const TimeNs now = monotonic_now();
  if (now - started_at_ >= kHealthyAfter) back_off_ = kBackOffMin;
  // One that an earlier control plane left may hold the port: it serves as well as ours would.
  log("metrics").warn("metrics ended pid={} how=\"{}\" next_start_ms={}", child_, how,
                      back_off_ / kMillisecond);
  again_later();
}

void MetricsProcess::again_later() {
  retry_.arm(monotonic_now() + back_off_);
  back_off_ = std::min(2 * back_off_, kBackOffMax);
}

std::string find_metrics() {
  std::error_code error;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
  const auto beside = own / "phalanx-metrics";
  const auto build_tree = own / "../http/phalanx-metrics";
  if (!std::filesystem::exists(beside, error) && std::filesystem::exists(build_tree, error)) {
    return std::filesystem::canonical(build_tree, error).string();
  }
  return beside.string();
}

}  // namespace phalanx::controlplane
