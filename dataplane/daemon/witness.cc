#include "dataplane/daemon/witness.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <future>
#include <system_error>

namespace phalanx::dataplane {

Expected<Witness, Error> Witness::start() {
  Fd end(eventfd(0, EFD_CLOEXEC));
  if (!end) return fail(system_error("cannot start the witness thread", "eventfd", errno));
  Witness out(std::move(end));
  std::promise<std::uint32_t> id;
  auto known = id.get_future();
  try {
    out.thread_ = std::thread([fd = out.end_.get(), id = std::move(id)]() mutable {
      id.set_value(static_cast<std::uint32_t>(gettid()));
      std::uint64_t rung = 0;
      while (read(fd, &rung, sizeof rung) < 0 && errno == EINTR) {
      }
    });
  } catch (const std::system_error& error) {
    return fail(
        system_error("cannot start the witness thread", "pthread_create", error.code().value()));
  }
  pthread_setname_np(out.thread_.native_handle(), "phx-witness");
  out.id_ = known.get();
  return out;
}

Witness::~Witness() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  (void)!write(end_.get(), &one, sizeof one);
  thread_.join();
}

}  // namespace phalanx::dataplane
