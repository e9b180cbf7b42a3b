#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "ipc/base/assert.h"
#include "ipc/base/fd.h"
#include "ipc/shm/attach_server.h"

// Whatever a stranger sends first, the daemon either waits, hangs up, or has a whole request; and
// what it then creates stays within its bounds.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace phalanx;
  std::array<int, 2> pair;
  PHX_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0);
  const Fd client(pair[0]), daemon(pair[1]);
  if (size > 0) (void)!send(client.get(), data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

  shm::AttachRequest request;
  const shm::RequestState state = shm::read_attach_request(daemon.get(), request);
  PHX_CHECK(size > 0 || state == shm::RequestState::NotYet);
  PHX_CHECK(size >= sizeof request || state != shm::RequestState::Ready);
  if (state != shm::RequestState::Ready || request.submit_bytes > (1u << 20) ||
      request.delivery_bytes > (1u << 20)) {
    return 0;
  }
  const auto channel = shm::WorkerChannel::create(
      {.submit_bytes = request.submit_bytes, .delivery_bytes = request.delivery_bytes});
  PHX_CHECK(channel.has_value());
  PHX_CHECK(channel->geometry().submit_bytes <= shm::kChannelRingBytesMax);
  const shm::WorkerChannel* const channels[] = {&*channel};
  PHX_CHECK(shm::send_attach_reply(daemon.get(), request, channels, shm::LaneMap()).has_value());
  return 0;
}
