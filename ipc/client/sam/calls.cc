#include <sys/prctl.h>
#include <unistd.h>

#include "ipc/client/sam/state.h"

using namespace phalanx::client::sam;

namespace {

constexpr int kRestartDelayMs = 100;
constexpr int kRestartDelayMaxMs = 10'000;
constexpr std::uint32_t kFlags = PHX_SAM_WITH_QUORUM | PHX_SAM_WITH_MAP | PHX_SAM_EXIT_ZERO_ENDS;

bool makes_sense(const phx_sam_options& o) noexcept {
  return (o.policy == PHX_SAM_QUIT || o.policy == PHX_SAM_RESTART) && (o.flags & ~kFlags) == 0 &&
         o.interval_ms >= 0 && o.stop_ms >= 0 && o.restart_delay_ms > 0 &&
         o.restart_delay_ms <= o.restart_delay_max_ms;
}

}  // namespace

phx_status phx_sam_initialize(const phx_sam_options* options) {
  if (options == nullptr || options->struct_bytes != sizeof *options) return PHX_INVALID;
  phx_sam_options wanted = *options;
  if (wanted.restart_delay_ms == 0) wanted.restart_delay_ms = kRestartDelayMs;
  if (wanted.restart_delay_max_ms == 0) {
    wanted.restart_delay_max_ms =
        wanted.restart_delay_ms > kRestartDelayMaxMs ? wanted.restart_delay_ms : kRestartDelayMaxMs;
  }
  if (!makes_sense(wanted)) return PHX_INVALID;
  if (sam().state.load() != State::None && sam().pid.load() == getpid()) return PHX_EXISTS;
  // Also in a child that an instance forked: it may have a supervisor of its own.
  if (sam().socket.load() >= 0) close(sam().socket.exchange(-1));
  sam().options = wanted;
  sam().warn_signal = SIGTERM;
  sam().healthy = nullptr;
  sam().data_bytes = 0;
  sam().pid = getpid();
  sam().state = State::Initialized;
  return PHX_OK;
}

phx_status phx_sam_start(void) {
  if (!is_registered()) return PHX_BAD_HANDLE;
  if (sam().state.load() == State::Started) return PHX_EXISTS;
  const std::uint32_t number = ++sam().starts;
  phx_status told = tell(Kind::Start, number);
  if (told == PHX_OK && (sam().options.flags & PHX_SAM_WITH_QUORUM) != 0) {
    told = wait_for_go(number);
    // Or the supervisor would count it as started when there is quorum.
    if (told == PHX_TRY_AGAIN && tell(Kind::Stop) == PHX_DISCONNECTED) return PHX_DISCONNECTED;
  }
  if (told != PHX_OK) return told;
  sam().state = State::Started;
  if (sam().healthy == nullptr || sam().options.interval_ms == 0) return PHX_OK;
  const phx_status thread = start_health_thread();
  if (thread != PHX_OK && tell(Kind::Stop) == PHX_OK) sam().state = State::Registered;
  return thread;
}

phx_status phx_sam_stop(void) {
  if (!is_registered() || sam().state.load() != State::Started) return PHX_BAD_HANDLE;
  // First the thread: should its callback hang, the supervisor still watches.
  stop_health_thread();
  const phx_status told = tell(Kind::Stop);
  if (told == PHX_OK) sam().state = State::Registered;
  return told;
}

phx_status phx_sam_hc_send(void) {
  if (!is_registered() || sam().state.load() != State::Started) return PHX_BAD_HANDLE;
  return tell(Kind::Beat);
}

phx_status phx_sam_hc_callback_register(int (*healthy)(void)) {
  if (!is_registered() || sam().state.load() == State::Started) return PHX_BAD_HANDLE;
  sam().healthy = healthy;
  return PHX_OK;
}

phx_status phx_sam_warn_signal_set(int signal) {
  if (!is_initialized()) return PHX_BAD_HANDLE;
  if (signal <= 0 || signal > SIGRTMAX) return PHX_INVALID;
  if (is_registered()) {
    const phx_status told = tell(Kind::WarnSignal, static_cast<std::uint32_t>(signal));
    if (told != PHX_OK) return told;
    prctl(PR_SET_PDEATHSIG, signal);
  }
  sam().warn_signal = signal;
  return PHX_OK;
}

phx_status phx_sam_mark_failed(void) {
  if (!is_registered()) return PHX_BAD_HANDLE;
  return tell(Kind::MarkFailed);
}

phx_status phx_sam_finalize(void) {
  if (!is_initialized()) return PHX_BAD_HANDLE;
  if (!is_registered()) {
    sam().state = State::None;
    return PHX_OK;
  }
  if (sam().state.load() == State::Started) stop_health_thread();
  if (tell(Kind::Finalize) == PHX_TRY_AGAIN) return PHX_TRY_AGAIN;
  prctl(PR_SET_PDEATHSIG, 0);
  sam().state = State::Finalized;
  close(sam().socket.exchange(-1));
  return PHX_OK;
}
