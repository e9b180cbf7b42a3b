#include <poll.h>

#include <cstdio>
#include <memory>

#include "controlplane/cli/arguments.h"
#include "controlplane/cli/output.h"
#include "controlplane/cli/program.h"
#include "controlplane/cli/stop_signal.h"
#include "phalanx/guard.h"
#include "phalanx/phalanx.h"

namespace phalanx::cli {
namespace {

struct GuardOptions {
  std::string name;
  std::string reason;
};

ExitCode failed(const char* attempted, phx_status status, const Globals& globals) {
  return report(
      {.code = status == PHX_NOT_RUNNING || status == PHX_DISCONNECTED ? ExitCode::NotRunning
               : status == PHX_ACCESS                                  ? ExitCode::Permission
                                                                       : ExitCode::Failed,
       .attempted = attempted,
       .observed = phx_strerror(status),
       .remedy = "phalanx status"},
      globals);
}

ExitCode guard_node(const GuardOptions& options, const Globals& globals) {
  const auto instance = find_instance(globals);
  if (!instance) return report(instance.error(), globals);
  catch_stop_signals();
  phx_guard* guard = nullptr;
  phx_status status = phx_guard_open(instance->name.c_str(), options.name.c_str(), &guard);
  if (status != PHX_OK) return failed("cannot guard the node", status, globals);
  const std::unique_ptr<phx_guard, void (*)(phx_guard*)> owner(guard, phx_guard_close);
  std::printf("guarding\n");
  (void)std::fflush(stdout);
  while (!stop_requested()) {
    pollfd waiting{.fd = phx_guard_fd(guard), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, 200) <= 0) continue;
    std::uint32_t question = 0;
    status = phx_guard_next(guard, &question);
    if (status == PHX_TRY_AGAIN) continue;
    if (status != PHX_OK) return failed("the guarded node is gone", status, globals);
    (void)phx_guard_answer(guard, question, 0, options.reason.c_str());
    std::printf("vetoed\n");
    (void)std::fflush(stdout);
  }
  return ExitCode::Fine;
}

}  // namespace

void add_guard(Command& root, const Globals& globals) {
  const auto options = std::make_shared<GuardOptions>();
  options->name = "phalanx guard";
  root.add("guard", "Veto each phalanx leave of this node, until interrupted.")
      .text("--name", options->name, "What the administrator reads", "NAME")
      .required_text("--reason", options->reason, "Why the node must not leave")
      .run([&globals, options] { return guard_node(*options, globals); });
}

}  // namespace phalanx::cli
