#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "ipc/base/assert.h"
#include "ipc/shm/barrier.h"
#include "ipc/shm/channel.h"
#include "ipc/shm/client_channel.h"

namespace phalanx::shm {
namespace {

void submit(ClientChannel& client) {
  std::byte* room = client.reserve_submission(8);
  PHX_CHECK(room != nullptr);
  std::memset(room, 0, 8);
  client.commit_submission(SubmissionKind::Leave, 0);
  client.publish_submissions();
}

/// What a worker does that found nothing: says so, has the client's threads pass a fence, looks
/// once more, and waits. False: nothing came, and nobody rang.
bool sleeps_and_is_woken(WorkerChannel& worker) {
  Submission submission;
  worker.set_worker_sleeping(true);
  barrier_everywhere(true);
  const bool woken = [&] {
    if (worker.peek_submission(submission)) return true;
    pollfd doorbell{.fd = worker.doorbell_fd(), .events = POLLIN, .revents = 0};
    const bool rung = poll(&doorbell, 1, 1000) == 1;
    std::uint64_t ignored = 0;
    if (rung) (void)!read(worker.doorbell_fd(), &ignored, sizeof ignored);
    return rung;
  }();
  worker.set_worker_sleeping(false);
  return woken;
}

// A client that publishes with plain stores is never missed by a worker that makes the barrier. (A
// look that is left out shows at once, a barrier only on some processors, after many rounds.)
TEST(Fences, NoSubmissionIsMissedByAWorkerThatGoesToSleep) {
#if defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "it knows nothing of membarrier()";
#endif
  if (!barriers_are_had() || !register_for_barriers()) GTEST_SKIP() << "no membarrier() here";
  auto worker = WorkerChannel::create({.fences = true}).value();
  ClientChannel client;
  ASSERT_TRUE(client.open(worker.memory_fd(), dup(worker.doorbell_fd()), worker.bulk_fd(),
                          worker.geometry()));
  client.trust_fences();
  ASSERT_TRUE(client.is_fenced());
  constexpr int kRounds = 20'000;
  std::atomic<int> taken{0};
  std::thread sender([&] {
    for (int round = 0; round < kRounds; ++round) {
      submit(client);
      while (taken.load(std::memory_order_acquire) <= round) sched_yield();
    }
  });
  int missed = 0;
  for (int got = 0; got < kRounds;) {
    Submission submission;
    const bool any = worker.peek_submission(submission);
    if (any) {
      worker.pop_submission();
      (void)worker.release_submissions();
      taken.store(++got, std::memory_order_release);
    } else if (!sleeps_and_is_woken(worker)) {
      ++missed;
    }
  }
  sender.join();
  EXPECT_EQ(missed, 0);
}

}  // namespace
}  // namespace phalanx::shm
