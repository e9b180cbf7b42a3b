#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "ipc/client/sam/state.h"

namespace phalanx::client::sam {
namespace {

/// Asked three times an interval, so that a check may be slow by half of it.
constexpr int kChecksPerInterval = 3;

struct HealthThread {
  pthread_t thread;
  int stop_fd = -1;  ///< Readable: end.
};
constinit HealthThread g_thread{};
/// The callback itself called phx_sam_stop(): the thread ends by itself, and nobody joins it.
constinit thread_local bool t_stopped_itself = false;

bool is_told_to_stop(int stop_fd, int wait_ms) noexcept {
  pollfd wait{.fd = stop_fd, .events = POLLIN, .revents = 0};
  int ready = 0;
  do {
    ready = poll(&wait, 1, wait_ms);
  } while (ready < 0 && errno == EINTR);
  return ready != 0;
}

void* ask_again_and_again(void* argument) {
  const auto stop_fd = static_cast<int>(reinterpret_cast<std::intptr_t>(argument));
  const int third = sam().options.interval_ms / kChecksPerInterval;
  const int pause_ms = third > 0 ? third : 1;
  int wait_ms = 0;
  while (!is_told_to_stop(stop_fd, wait_ms)) {
    const bool healthy = sam().healthy() == 0;
    if (t_stopped_itself) {
      close(stop_fd);
      break;
    }
    // Untold is as good as told: an unhealthy instance sends no check any more, so it is late.
    (void)tell(healthy ? Kind::Beat : Kind::Unhealthy);
    wait_ms = healthy ? pause_ms : -1;
  }
  return nullptr;
}

}  // namespace

phx_status start_health_thread() noexcept {
  // Still there in a child that the program forked from an instance: its thread is not.
  if (g_thread.stop_fd >= 0) close(g_thread.stop_fd);
  g_thread.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (g_thread.stop_fd < 0) return PHX_NO_MEMORY;
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // The program's handlers run in its own threads.
  const auto argument = static_cast<std::intptr_t>(g_thread.stop_fd);
  const int error = pthread_create(&g_thread.thread, nullptr, ask_again_and_again,
                                   reinterpret_cast<void*>(argument));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0) return PHX_OK;
  close(std::exchange(g_thread.stop_fd, -1));
  return PHX_NO_MEMORY;
}

void stop_health_thread() noexcept {
  if (g_thread.stop_fd < 0) return;
  const int stop_fd = std::exchange(g_thread.stop_fd, -1);
  if (pthread_equal(g_thread.thread, pthread_self()) != 0) {
    t_stopped_itself = true;
    pthread_detach(g_thread.thread);
    return;
  }
  eventfd_write(stop_fd, 1);
  pthread_join(g_thread.thread, nullptr);
  close(stop_fd);
}

}  // namespace phalanx::client::sam
