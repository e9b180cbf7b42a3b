#pragma once

#include <sys/epoll.h>

#include <csignal>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>

#include "ipc/base/error.h"
#include "ipc/base/expected.h"
#include "ipc/base/fd.h"
#include "ipc/base/time_ns.h"

namespace phalanx::controlplane {

/// The control plane's one thread: waits for descriptors, runs one handler at a time. Handlers may
/// add and drop watches, their own included. Single-threaded; outlives every Watch and Timer on it.
class EventLoop {
 public:
  /// Aborts where the kernel has no epoll instance to give (no descriptors left at start).
  EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs handlers until stop().
  void run();
  void stop() noexcept { running_ = false; }

  /// Waits until `deadline` at most and runs at most one handler. True when one ran.
  bool run_once(TimeNs deadline);

 private:
  friend class Watch;
  Fd epoll_;
  bool running_ = false;
};

/// Calls a handler while a descriptor is ready (level-triggered), until destroyed. Borrows the
/// descriptor: destroy the watch before the descriptor is closed.
class Watch {
 public:
  using Handler = std::function<void(std::uint32_t events)>;

  Watch() = default;
  Watch(EventLoop& loop, int fd, std::uint32_t events, Handler handler);
  Watch(Watch&&) noexcept = default;
  Watch& operator=(Watch&& other) noexcept;
  ~Watch() { reset(); }

  void reset() noexcept;
  /// EPOLLIN, EPOLLOUT or 0 (hang-ups are always told).
  void want(std::uint32_t events) noexcept;
  explicit operator bool() const noexcept { return state_ != nullptr; }

 private:
  friend class EventLoop;
  /// Shared with the dispatch that runs it, so that a handler may destroy its own watch.
  struct State {
    int epoll = -1;
    int fd = -1;
    Handler handler;
  };
  std::shared_ptr<State> state_;
  std::unique_ptr<std::weak_ptr<State>> key_;  ///< What epoll hands back.
};

/// Calls a handler once at a point of CLOCK_MONOTONIC, again only after another arm().
class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> handler);

  /// kNever disarms; a time in the past fires at the next turn.
  void arm(TimeNs at) noexcept;
  void disarm() noexcept { arm(kNever); }

 private:
  Fd fd_;
  Watch watch_;
};

/// Blocks the signals for the process and hands them to a handler in the loop.
class SignalWatch {
 public:
  SignalWatch(EventLoop& loop, std::initializer_list<int> signals,
              std::function<void(int signal)> handler);

 private:
  Fd fd_;
  Watch watch_;
};

}  // namespace phalanx::controlplane
