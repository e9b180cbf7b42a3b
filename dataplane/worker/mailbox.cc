#include "dataplane/worker/mailbox.h"

#include <unistd.h>

namespace phalanx::worker {
namespace {

void ring(int eventfd) noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t n = write(eventfd, &one, sizeof one);
}

}  // namespace

void Mailbox::order(const WorkerOrder& order) noexcept {
  PHX_CHECK(orders_.push(order));
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (worker_sleeps_.load(std::memory_order_relaxed)) ring(worker_doorbell_);
}

bool Mailbox::arm_main() noexcept {
  main_sleeps_.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return !notices_.empty();
}

bool Mailbox::arm_worker() noexcept {
  worker_sleeps_.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return !orders_.empty() || stopping();
}

void Mailbox::ring_main() noexcept {
  notified_ = false;
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (main_sleeps_.load(std::memory_order_relaxed) && main_sleeps_.exchange(false))
    ring(main_doorbell_);
}

void Mailbox::stop() noexcept {
  stop_.store(true, std::memory_order_seq_cst);
  ring(worker_doorbell_);
}

}  // namespace phalanx::worker
