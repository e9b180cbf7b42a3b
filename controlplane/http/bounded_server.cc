#include "controlplane/http/bounded_server.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "ipc/base/fd.h"

namespace phalanx::http {
namespace {

using Clock = std::chrono::steady_clock;

/// A connection that ends at its deadline, and reads no more than it may.
class BoundedStream : public httplib::Stream {
 public:
  BoundedStream(int socket, const Bounds& bounds)
      : socket_(socket), left_(bounds.request_bytes_max), end_(Clock::now() + bounds.time_max) {}

  [[nodiscard]] bool is_readable() const override { return wait(POLLIN); }
  [[nodiscard]] bool is_writable() const override { return wait(POLLOUT); }

  ssize_t read(char* to, size_t size) override {
    size = std::min(size, left_);
    if (size == 0 || !wait(POLLIN)) return -1;
    const ssize_t got = recv(socket_, to, size, MSG_DONTWAIT);
    if (got > 0) left_ -= static_cast<std::size_t>(got);
    return got;
  }

  ssize_t write(const char* from, size_t size) override {
    if (!wait(POLLOUT)) return -1;
    return send(socket_, from, size, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  void get_remote_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  void get_local_ip_and_port(std::string& ip, int& port) const override {
    ip.clear();
    port = 0;
  }
  [[nodiscard]] socket_t socket() const override { return socket_; }

  /// Takes what the client still sends, until it has read the answer and hung up; not for long.
  void drain() {
    end_ = std::min(end_, Clock::now() + kDrainMax);
    std::array<char, 4096> waste;
    for (std::size_t bytes = 0; bytes < kDrainBytesMax && wait(POLLIN);) {
      const ssize_t got = recv(socket_, waste.data(), waste.size(), MSG_DONTWAIT);
      if (got <= 0) return;
      bytes += static_cast<std::size_t>(got);
    }
  }

 private:
  static constexpr std::chrono::milliseconds kDrainMax{200};
  static constexpr std::size_t kDrainBytesMax = 256 * 1024;

  [[nodiscard]] bool wait(short events) const {
    const auto rest = std::chrono::duration_cast<std::chrono::milliseconds>(end_ - Clock::now());
    if (rest.count() <= 0) return false;
    pollfd one{.fd = socket_, .events = events, .revents = 0};
    return poll(&one, 1, static_cast<int>(rest.count())) == 1;
  }

  int socket_;
  std::size_t left_;
  Clock::time_point end_;
};

/// Threads and a queue of so many: enqueue() waits when it is full, and with it the accepting.
class BoundedQueue : public httplib::TaskQueue {
 public:
  explicit BoundedQueue(const Bounds& bounds) : waiting_max_(bounds.waiting_max) {
    for (std::size_t i = 0; i < bounds.threads; ++i) threads_.emplace_back([this] { work(); });
  }

  void enqueue(std::function<void()> job) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return jobs_.size() < waiting_max_ || ending_; });
    jobs_.push_back(std::move(job));
    changed_.notify_all();
  }

  void shutdown() override {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void work() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !jobs_.empty() || ending_; });
      if (jobs_.empty()) return;
      const std::function<void()> job = std::move(jobs_.front());
      jobs_.pop_front();
      changed_.notify_all();
      lock.unlock();
      job();
    }
  }

  std::size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  bool ending_ = false;
};

}  // namespace

BoundedServer::BoundedServer(const Bounds& bounds) : bounds_(bounds) {
  new_task_queue = [this] { return new BoundedQueue(bounds_); };
  set_payload_max_length(0);
  set_keep_alive_max_count(1);
}

bool BoundedServer::process_and_close_socket(socket_t socket) { return serve_one(socket); }

bool BoundedServer::serve_one(int socket) {
  const Fd owned(socket);
  BoundedStream stream(socket, bounds_);
  bool closed = false;
  const bool served = process_request(stream, /*close_connection=*/true, closed, nullptr);
  // What the client still sends must not turn the answer into a reset before it was read.
  (void)::shutdown(socket, SHUT_WR);
  stream.drain();
  return served;
}

}  // namespace phalanx::http
