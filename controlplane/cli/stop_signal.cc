#include "controlplane/cli/stop_signal.h"

#include <csignal>
#include <initializer_list>

namespace phalanx::cli {
namespace {

volatile std::sig_atomic_t requested = 0;

extern "C" void on_stop(int) { requested = 1; }

}  // namespace

void catch_stop_signals() noexcept {
  struct sigaction action {};
  action.sa_handler = on_stop;  // Without SA_RESTART: a wait ends at once.
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
}

bool stop_requested() noexcept { return requested != 0; }

}  // namespace phalanx::cli
