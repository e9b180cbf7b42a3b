#include <unistd.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "controlplane/cli/admin_client.h"
#include "controlplane/cli/arguments.h"
#include "controlplane/cli/program.h"

namespace phalanx::cli {
namespace {

constexpr TimeNs kEndLimit = 10 * kSecond;
constexpr useconds_t kLook = 20'000;

struct LeaveOrder {
  bool force = false;
  bool keep = false;
};

/// Until nobody answers any more.
ExitCode wait_for_the_end(const std::string& directory, const Globals& globals) {
  for (const TimeNs end = monotonic_now() + kEndLimit; monotonic_now() < end; usleep(kLook)) {
    const auto answer = ask(directory, {{"command", "version"}}, kSecond);
    if (!answer && answer.error().code != ExitCode::TimeOut) {
      std::fputs(globals.json ? "{\"version\":1,\"ok\":true}\n" : "the node has left\n", stdout);
      return ExitCode::Fine;
    }
  }
  return report({.code = ExitCode::TimeOut,
                 .attempted = "the control plane has not ended",
                 .observed = "it still answers after ten seconds",
                 .remedy = "phalanx log show"},
                globals);
}

ExitCode leave(const LeaveOrder& order, const Globals& globals) {
  const auto instance = find_instance(globals);
  if (!instance) return report(instance.error(), globals);
  const auto answer = ask(instance->directory(),
                          {{"command", order.keep ? "shutdown" : "leave"},
                           {"keep_dataplane", order.keep},
                           {"force", order.force}},
                          30 * kSecond);
  if (!answer) return report(answer.error(), globals);
  return wait_for_the_end(instance->directory(), globals);
}

}  // namespace

void add_leave(Command& root, const Globals& globals) {
  const auto order = std::make_shared<LeaveOrder>();
  root.add("leave",
           "Take this node out of the view in order, and end its data plane and control plane. "
           "Programs that guard it are asked first.")
      .flag("--force", order->force, "Do not ask them")
      .flag("--keep-dataplane", order->keep, "End the control plane only: messages flow on")
      .run([&globals, order] { return leave(*order, globals); });
}

}  // namespace phalanx::cli
