#include "controlplane/daemon/event_loop.h"

#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "ipc/base/assert.h"

namespace phalanx::controlplane {

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) { PHX_CHECK(epoll_); }

void EventLoop::run() {
  running_ = true;
  while (running_) (void)run_once(kNever);
}

bool EventLoop::run_once(TimeNs deadline) {
  int timeout_ms = -1;
  if (deadline != kNever) {
    const TimeNs now = monotonic_now();
    const TimeNs left = deadline > now ? deadline - now : 0;
    timeout_ms =
        static_cast<int>(std::min<TimeNs>((left + kMillisecond - 1) / kMillisecond, 60'000));
  }
  // One event a call: with more, an earlier handler could destroy the watch of a later event. The
  // kernel takes turns among ready descriptors, so that none is starved.
  epoll_event event{};
  if (epoll_wait(epoll_.get(), &event, 1, timeout_ms) <= 0) return false;
  const auto state = static_cast<std::weak_ptr<Watch::State>*>(event.data.ptr)->lock();
  if (state == nullptr) return false;
  state->handler(event.events);
  return true;
}

Watch::Watch(EventLoop& loop, int fd, std::uint32_t events, Handler handler)
    : state_(std::make_shared<State>()), key_(std::make_unique<std::weak_ptr<State>>(state_)) {
  *state_ = {.epoll = loop.epoll_.get(), .fd = fd, .handler = std::move(handler)};
  epoll_event event{.events = events, .data = {.ptr = key_.get()}};
  PHX_CHECK(epoll_ctl(state_->epoll, EPOLL_CTL_ADD, fd, &event) == 0);
}

Watch& Watch::operator=(Watch&& other) noexcept {
  if (this != &other) {
    reset();
    state_ = std::move(other.state_);
    key_ = std::move(other.key_);
  }
  return *this;
}

void Watch::reset() noexcept {
  if (state_ == nullptr) return;
  epoll_ctl(state_->epoll, EPOLL_CTL_DEL, state_->fd, nullptr);
  state_.reset();
  key_.reset();
}

void Watch::want(std::uint32_t events) noexcept {
  if (state_ == nullptr) return;
  epoll_event event{.events = events, .data = {.ptr = key_.get()}};
  PHX_CHECK(epoll_ctl(state_->epoll, EPOLL_CTL_MOD, state_->fd, &event) == 0);
}

Timer::Timer(EventLoop& loop, std::function<void()> handler)
    : fd_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)) {
  PHX_CHECK(fd_);
  watch_ = Watch(loop, fd_.get(), EPOLLIN,
                 [fd = fd_.get(), handler = std::move(handler)](std::uint32_t) {
                   std::uint64_t expirations = 0;
                   // Empty when a handler that ran since the expiry has re-armed the timer.
                   if (read(fd, &expirations, sizeof expirations) == sizeof expirations) handler();
                 });
}

void Timer::arm(TimeNs at) noexcept {
  itimerspec when{};
  if (at != kNever) {
    const TimeNs clamped = std::max<TimeNs>(at, 1);  // 0 would disarm.
    when.it_value.tv_sec = static_cast<time_t>(clamped / kSecond);
    when.it_value.tv_nsec = static_cast<long>(clamped % kSecond);
  }
  PHX_CHECK(timerfd_settime(fd_.get(), TFD_TIMER_ABSTIME, &when, nullptr) == 0);
}

SignalWatch::SignalWatch(EventLoop& loop, std::initializer_list<int> signals,
                         std::function<void(int signal)> handler) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  PHX_CHECK(sigprocmask(SIG_BLOCK, &set, nullptr) == 0);
  fd_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  PHX_CHECK(fd_);
  watch_ = Watch(loop, fd_.get(), EPOLLIN,
                 [fd = fd_.get(), handler = std::move(handler)](std::uint32_t) {
                   signalfd_siginfo info{};
                   if (read(fd, &info, sizeof info) == sizeof info) {
                     handler(static_cast<int>(info.ssi_signo));
                   }
                 });
}

}  // namespace phalanx::controlplane
