#pragma once

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "controlplane/daemon/event_loop.h"
#include "controlplane/daemon/instance.h"
#include "ipc/base/assert.h"
#include "tests/unit/controlplane_daemon/temporary_directory.h"

namespace phalanx::controlplane {

/// A loop in a thread of its own, as the daemon's: what a service is called through waits for it.
class ServiceBench : public testing::Test {
 protected:
  ServiceBench() {
    auto opened = Instance::open({.runtime_directory = runtime(), .name = "n1"});
    PHX_CHECK(opened.has_value());
    instance_.emplace(std::move(*opened));
  }

  [[nodiscard]] EventLoop& loop() { return loop_; }
  [[nodiscard]] const std::string& runtime() const { return runtime_; }
  Fd listen(const char* name) {
    auto listener = instance_->listen(name, SOCK_STREAM, Instance::Access::Others);
    PHX_CHECK(listener.has_value());
    return std::move(*listener);
  }

  /// Starts the thread, if it does not run.
  void serve() {
    if (thread_.joinable()) return;
    thread_ = std::thread([this] { loop_.run(); });
  }
  /// Runs that in the loop's thread, and waits for it.
  void in_loop(const std::function<void()>& what) {
    if (!thread_.joinable()) return what();
    std::unique_lock lock(mutex_);
    what_ = &what;
    const std::uint64_t one = 1;
    PHX_CHECK(write(kick_.get(), &one, sizeof one) == sizeof one);
    done_.wait(lock, [this] { return what_ == nullptr; });
  }
  /// Ends the loop, `last` being the last that it does.
  void finish(const std::function<void()>& last) {
    if (!thread_.joinable()) return;
    in_loop([&] {
      last();
      loop_.stop();
    });
    thread_.join();
  }

  static bool eventually(const std::function<bool()>& what) {
    for (int i = 0; i < 20'000; ++i) {
      if (what()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  /// Bytes of this process's address space that are of files of that name.
  static std::size_t mapped_bytes(const char* name) {
    std::FILE* maps = std::fopen("/proc/self/maps", "re");
    PHX_CHECK(maps != nullptr);
    char line[512];
    std::size_t total = 0;
    while (std::fgets(line, sizeof line, maps) != nullptr) {
      unsigned long from = 0;
      unsigned long to = 0;
      if (std::strstr(line, name) == nullptr) continue;
      if (std::sscanf(line, "%lx-%lx", &from, &to) == 2) total += to - from;
    }
    (void)std::fclose(maps);
    return total;
  }

 private:
  TemporaryDirectory root_;
  std::string runtime_ = root_.path() + "/run";
  EventLoop loop_;
  std::optional<Instance> instance_;
  std::mutex mutex_;
  std::condition_variable done_;
  const std::function<void()>* what_ = nullptr;  ///< Under `mutex_`.
  Fd kick_{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Watch watch_{loop_, kick_.get(), EPOLLIN, [this](std::uint32_t) {
                 std::uint64_t count = 0;
                 (void)!read(kick_.get(), &count, sizeof count);
                 const std::lock_guard guard(mutex_);
                 if (what_ != nullptr) (*what_)();
                 what_ = nullptr;
                 done_.notify_all();
               }};
  std::thread thread_;
};

}  // namespace phalanx::controlplane
