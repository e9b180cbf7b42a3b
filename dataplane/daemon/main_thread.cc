#include "dataplane/daemon/main_thread.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "ipc/base/time_ns.h"

namespace phalanx::dataplane {
namespace {

enum Tag : std::uint64_t { kListener = 1, kControl, kSignals, kNotices, kLines };

Expected<void, Error> watch(int epoll, int fd, Tag tag) {
  epoll_event event{.events = EPOLLIN, .data = {.u64 = tag}};
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0) return {};
  return fail(system_error("cannot start the main loop", "epoll_ctl", errno));
}

bool hung_up(int socket) noexcept {
  pollfd state{.fd = socket, .events = 0, .revents = 0};
  return poll(&state, 1, 0) > 0 && (state.revents & (POLLHUP | POLLERR)) != 0;
}

void clear(int eventfd) noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = read(eventfd, &count, sizeof count);
}

}  // namespace

Expected<std::unique_ptr<MainThread>, Error> MainThread::create(const config::Config& config,
                                                                DataPlane& plane, LogLines& lines) {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail(system_error("cannot start the main loop", "epoll_create1", errno));
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGTERM);
  sigaddset(&wanted, SIGINT);
  Fd signals(signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return fail(system_error("cannot start the main loop", "signalfd", errno));
  for (const auto& [fd, tag] :
       {std::pair{plane.listener().fd(), kListener}, std::pair{signals.get(), kSignals},
        std::pair{plane.main_doorbell(), kNotices}, std::pair{lines.fd(), kLines}}) {
    if (auto added = watch(epoll.get(), fd, tag); !added) return fail(std::move(added.error()));
  }
  return std::unique_ptr<MainThread>(
      new MainThread(config, plane, lines, std::move(epoll), std::move(signals)));
}

MainThread::MainThread(const config::Config& config, DataPlane& plane, LogLines& lines, Fd epoll,
                       Fd signals)
    : plane_(plane),
      lines_(lines),
      epoll_(std::move(epoll)),
      signals_(std::move(signals)),
      clients_(config, plane.lanes(), epoll_.get(), plane.workers()) {}

void MainThread::run() {
  std::array<epoll_event, 64> events;
  while (!stopping_) {
    clients_.on_notices();
    if (arm()) continue;
    const int wait_ms = clients_.expects_something() ? 500 : -1;
    const int ready =
        epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait_ms);
    for (int i = 0; i < ready; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      switch (event.data.u64) {
        case kListener:
          on_listener();
          break;
        case kControl:
          on_control();
          break;
        case kSignals:
          stopping_ = true;
          break;
        case kLines:
          forward_lines();
          break;
        case kNotices:
          clear(plane_.main_doorbell());
          break;
        default:
          clients_.on_socket(event.data.u64, event.events);
          break;
      }
    }
    if (clients_.expects_something()) clients_.on_time(monotonic_now());
  }
}

/// Before it sleeps: true when a worker said something in between.
bool MainThread::arm() noexcept {
  bool waits = false;
  for (const auto& unit : plane_.workers()) waits = unit->mailbox().arm_main() || waits;
  return waits;
}

/// One control plane at a time: a connection beside a living one, by mistake or in ill will, must
/// not look to that one as if its data plane had hung up. It goes; a control plane tries again.
void MainThread::on_listener() {
  Fd connection = plane_.listener().accept();
  if (!connection || (control_ && !hung_up(control_.get()))) return;
  if (!shm::send_welcome(connection.get(), static_cast<std::uint32_t>(getpid()),
                         {.segment = plane_.segment_fd(),
                          .statistics = plane_.statistics_fd(),
                          .command_doorbell = plane_.command_doorbell(),
                          .event_doorbell = plane_.event_doorbell()})) {
    return;
  }
  if (!watch(epoll_.get(), connection.get(), kControl)) return;
  control_ = std::move(connection);
  forward_lines();
}

void MainThread::on_control() {
  for (;;) {
    auto packet = shm::receive_packet(control_.get());
    if (!packet) {
      control_.reset();  // The lanes go on without a control plane; another one will come.
      return;
    }
    if (!*packet) return;
    switch ((*packet)->kind) {
      case shm::ControlPacket::Kind::Adopt:
        clients_.adopt(std::move((*packet)->client), monotonic_now());
        break;
      case shm::ControlPacket::Kind::Shutdown:
        stopping_ = true;
        return;
      case shm::ControlPacket::Kind::Keys:
        plane_.read_keys_again();
        break;
    }
  }
}

}  // namespace phalanx::dataplane
