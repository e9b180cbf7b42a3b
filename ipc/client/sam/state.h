#pragma once

#include <phalanx/sam.h>

#include <atomic>
#include <csignal>
#include <cstdint>

namespace phalanx::client::sam {

/// What an instance tells its supervisor: one packet each, `Store` with the bytes behind it.
enum class Kind : std::uint32_t {
  Start = 1,
  Stop,
  Beat,
  Unhealthy,
  MarkFailed,
  WarnSignal,
  Store,
  Finalize,
  Go,  ///< The other way: the start of that number holds, there is quorum.
};

struct Message {
  Kind kind;
  std::uint32_t value;  ///< Of WarnSignal; the number of a Start or Go.
};

enum class State : std::uint8_t { None, Initialized, Registered, Started, Finalized };

/// All there is of supervision in a process. The supervisor keeps its copy current, and each
/// instance begins with a copy of that by fork(): so data and settings are handed on.
struct Sam {
  std::atomic<State> state{State::None};
  std::atomic<int> socket{-1};  ///< To the supervisor, in an instance.
  std::atomic<int> pid{0};      ///< Who may use this: not a child by a fork() of the program's own.
  phx_sam_options options{};
  std::uint32_t starts = 0;  ///< Of this instance: the number of the last one.
  int warn_signal = SIGTERM;
  int (*healthy)(void) = nullptr;
  std::uint32_t data_bytes = 0;
  char data[PHX_SAM_DATA_BYTES_MAX] = {};
};

Sam& sam() noexcept;

/// Whether this very process is in one of the states; false after a fork().
[[nodiscard]] bool is_initialized() noexcept;  ///< Or registered, or started.
[[nodiscard]] bool is_registered() noexcept;   ///< Or started.

/// Tells the supervisor. Never blocks. Async-signal-safe.
[[nodiscard]] phx_status tell(Kind kind, std::uint32_t value = 0, const void* data = nullptr,
                              std::size_t bytes = 0) noexcept;

/// Waits until the supervisor says that the start of this number holds.
[[nodiscard]] phx_status wait_for_go(std::uint32_t number) noexcept;

/// The thread that asks the program's callback.
[[nodiscard]] phx_status start_health_thread() noexcept;
void stop_health_thread() noexcept;

}  // namespace phalanx::client::sam
