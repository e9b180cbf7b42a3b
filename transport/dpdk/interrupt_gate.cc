#include "transport/dpdk/interrupt_gate.h"

#include <fcntl.h>
#include <poll.h>
#include <rte_interrupts.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>

namespace phalanx::transport::dpdk {
namespace {

constexpr TimeNs kLookAgain = 10 * kMillisecond;  ///< For what nobody tells: a server that came.
constexpr TimeNs kAsidePoll = 20 * kMicrosecond;

/// For the rest of the process `fd` is a descriptor that never becomes readable.
void put_silence(int fd) noexcept {
  Fd silence(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (silence.get() == fd) {
    (void)silence.release();
  } else {
    dup3(silence.get(), fd, O_CLOEXEC);
  }
}

/// The same, unless another thread has opened something under that number meanwhile.
void put_silence_if_free(int fd) noexcept {
  Fd silence(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (silence.get() == fd) {
    (void)silence.release();
    return;
  }
  const int got = fcntl(silence.get(), F_DUPFD_CLOEXEC, fd);
  if (got >= 0 && got != fd) close(got);
}

void nap(TimeNs length) noexcept {
  const timespec time{.tv_sec = 0, .tv_nsec = static_cast<long>(length)};
  nanosleep(&time, nullptr);
}

}  // namespace

bool Poller::come_back() noexcept {
  // Sequentially consistent on both sides: of a poller that comes and a gate that calls, at least
  // one sees the other.
  aside_.store(false, std::memory_order_seq_cst);
  if (!wanted_.load(std::memory_order_seq_cst)) return true;
  aside_.store(true, std::memory_order_release);
  return false;
}

InterruptGate& InterruptGate::instance() {
  // Never destroyed: the interrupt thread ends with the process, after all destructors.
  static auto& gate = *new InterruptGate;
  return gate;
}

Expected<void, Error> InterruptGate::add(Client& client) {
  if (!turn_) {
    if (auto opened = open(); !opened) return opened;
  }
  const std::lock_guard lock(mutex_);
  clients_.push_back(&client);
  return {};
}

void InterruptGate::remove(Client& client) noexcept {
  std::erase(clients_, &client);
  // The driver goes on watching its listener after it has forgotten what it is for.
  if (client.listener() >= 0) put_silence(client.listener());
}

Expected<void, Error> InterruptGate::open() {
  const char* attempted = "cannot watch DPDK's interrupts";
  Fd turn(eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK));
  // DPDK keeps a copy of the handle.
  const std::unique_ptr<rte_intr_handle, decltype(&rte_intr_instance_free)> handle(
      rte_intr_instance_alloc(RTE_INTR_INSTANCE_F_PRIVATE), &rte_intr_instance_free);
  if (!turn || handle == nullptr || rte_intr_fd_set(handle.get(), turn.get()) != 0 ||
      rte_intr_type_set(handle.get(), RTE_INTR_HANDLE_EXT) != 0) {
    return fail(system_error(attempted, "eventfd", errno));
  }
  turn_ = std::move(turn);
  if (rte_intr_callback_register(handle.get(), &InterruptGate::on_interrupt, this) != 0) {
    turn_.reset();
    return fail(Error{.attempted = attempted, .observed = "DPDK does not take our callback"});
  }
  while (!holding_.load(std::memory_order_acquire)) nap(kAsidePoll);
  return {};
}

/// On the interrupt thread: returns to let it do its work, with all pollers aside.
void InterruptGate::hold() {
  eventfd_t ignored = 0;
  eventfd_read(turn_.get(), &ignored);
  if (let_through_) {
    mend_connection();
    let_back(monotonic_now());
    mutex_.unlock();
  }
  holding_.store(true, std::memory_order_release);
  const int set = interrupt_set();
  while (!wait_for_work(set)) {
  }
  let_through_ = true;
  expect_connection();
  eventfd_write(turn_.get(), 1);
}

/// Looks after the clients until the interrupt thread has work of its own; then holds the mutex.
bool InterruptGate::wait_for_work(int set) {
  pollfd wait{.fd = set, .events = POLLIN, .revents = 0};
  poll(&wait, 1, static_cast<int>(kLookAgain / kMillisecond));
  mutex_.lock();
  const TimeNs now = monotonic_now();
  const bool heard = !clients_.empty() && (set < 0 || (wait.revents & POLLIN) != 0);
  const bool wanted = std::any_of(clients_.begin(), clients_.end(),
                                  [now](Client* client) { return client->wants_tending(now); });
  if (heard || wanted) call_aside();
  if (heard) return true;
  if (wanted) let_back(now);
  mutex_.unlock();
  // Without clients nobody may be let through, and what is ready would make poll() return at once.
  if ((wait.revents & POLLIN) != 0) nap(kLookAgain);
  return false;
}

/// Gives the mutex away while it waits: a thread that polls may want it before it polls again.
void InterruptGate::call_aside() {
  for (;;) {
    bool all = true;
    for (Client* client : clients_) {
      Poller& poller = client->poller();
      poller.wanted_.store(true, std::memory_order_seq_cst);
      all = poller.aside_.load(std::memory_order_seq_cst) && all;
    }
    if (all) return;
    mutex_.unlock();
    nap(kAsidePoll);
    mutex_.lock();
  }
}

void InterruptGate::let_back(TimeNs now) {
  for (Client* client : clients_) {
    client->tend(now);
    client->poller().wanted_.store(false, std::memory_order_release);
  }
}

/// Notes which descriptor the driver's accept() will get, if there is a connection to accept.
void InterruptGate::expect_connection() noexcept {
  expected_fd_ = -1;
  for (const Client* client : clients_) {
    pollfd waiting{.fd = client->listener(), .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, 0) != 1) continue;
    expected_fd_ = fcntl(turn_.get(), F_DUPFD_CLOEXEC, 0);
    close(expected_fd_);
    return;
  }
}

/// When a client dies between its connect() and the driver's first word to it, DPDK 22.11 closes
/// the connection but goes on watching its number, and aborts the process at the next change of
/// what it watches. So something silent takes its place.
void InterruptGate::mend_connection() noexcept {
  if (expected_fd_ < 0 || fcntl(expected_fd_, F_GETFD) != -1) return;
  put_silence_if_free(expected_fd_);
}

/// The epoll set that the interrupt thread waits in: the one that holds our eventfd, since changing
/// that entry to what it is already works there only. DPDK makes a new set whenever something is
/// added or taken away, and tells nobody.
int InterruptGate::interrupt_set() const noexcept {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  epoll_event same{.events = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP, .data = {}};
  same.data.fd = turn_.get();
  const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 65536));
  for (int fd = 0; fd < end; ++fd) {
    if (epoll_ctl(fd, EPOLL_CTL_MOD, turn_.get(), &same) == 0) return fd;
  }
  return -1;
}

}  // namespace phalanx::transport::dpdk
