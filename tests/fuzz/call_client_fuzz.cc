#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "ipc/base/assert.h"
#include "ipc/call/mapping.h"
#include "ipc/include/phalanx/ipc_client.h"
#include "ipc/shm/descriptor_socket.h"
#include "ipc/shm/mirror_map.h"
#include "tests/fuzz/input.h"

namespace {

using namespace phalanx;
using namespace phalanx::call;

/// What a server hands out, whose word must not be taken for anything.
struct Server {
  std::string path;
  int listener = -1;
  int memory = -1;
  Geometry geometry{};
  int client = -1;
  int wake[2] = {-1, -1};

  Server() {
    char name[] = "/tmp/phx-call-fuzz-XXXXXX";
    path = std::string(mkdtemp(name)) + "/socket";
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    PHX_CHECK(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    PHX_CHECK(listen(listener, 8) == 0);
  }

  void hand_out() {
    client = accept(listener, nullptr, nullptr);
    ConnectRequest request;
    PHX_CHECK(recv(client, &request, sizeof request, MSG_WAITALL) == sizeof request);
    ConnectReply reply;
    reply.geometry = geometry;
    PHX_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, wake) == 0);
    const int fds[2] = {memory, wake[1]};
    (void)shm::send_with_descriptors(client, &reply, sizeof reply, fds, 2);
    close(wake[1]);
  }
  void hang_up() const {
    close(client);
    close(wake[0]);
  }
};

/// One step of the application or of the server.
void step(fuzz::Input& input, phx_ipc_handle h, Mapping& memory, std::uint32_t& sequence) {
  static std::array<char, 6000> room;
  std::size_t bytes = 0;
  iovec part{room.data(), input.choose(64)};
  phx_ipc_reply reply{};
  phx_ipc_event event{};
  phx_ipc_flow flow{};
  switch (input.choose(8)) {
    case 0:
      (void)phx_ipc_call(h, 1, room.data(), part.iov_len, room.data(), part.iov_len, &bytes, 0);
      PHX_CHECK(bytes <= part.iov_len);
      ++sequence;
      break;
    case 1:
      if (phx_ipc_call_pinned(h, 1, &part, 1, part.iov_len, &reply, 0) == PHX_OK) {
        PHX_CHECK(reply.bytes <= (part.iov_len == 0 ? room.size() : part.iov_len));
        std::memcpy(room.data(), reply.data, reply.bytes);
        PHX_CHECK(phx_ipc_reply_release(h, &reply) == PHX_OK);
      }
      ++sequence;
      break;
    case 2:
      (void)phx_ipc_post(h, 2, &part, 1, 0);
      break;
    case 3:
      if (phx_ipc_get(h, &event, 0) == PHX_OK) {
        std::memcpy(room.data(), event.data, std::min(event.bytes, room.size()));
        PHX_CHECK(phx_ipc_put(h) == PHX_OK);
      }
      break;
    case 4:
      (void)phx_ipc_flow_state(h, &flow);
      PHX_CHECK(flow.dispatch_queued_bytes <= 4096);
      break;
    case 5: {  // A reply that is right, or nearly, to the next call of the first slot.
      shm::BulkProducer replies = memory.producer(Mapping::kResponse);
      const ResponseBody body{.slot = static_cast<std::uint32_t>(input.choose(2)),
                              .sequence = sequence + static_cast<std::uint32_t>(input.choose(2)),
                              .status = static_cast<std::uint32_t>(input.choose(3)),
                              .reserved = 0};
      std::byte* at =
          replies.append(static_cast<std::uint32_t>(sizeof body + input.choose(64)), 1, 0);
      if (at != nullptr) std::memcpy(at, &body, sizeof body);
      replies.publish();
      break;
    }
    default: {
      const std::uint64_t page = kPageBytes / 4;
      const std::uint64_t word = input.take(3) % page;
      const auto value = static_cast<std::uint32_t>(input.number());
      std::memcpy(reinterpret_cast<std::byte*>(memory.page()) + word * 4, &value, sizeof value);
    }
  }
}

}  // namespace

// Whatever a server hands out and writes, a client touches only its own rings, and its calls
// return.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  fuzz::Input input(data, size);
  const bool bulk = input.flip();
  const Geometry g = geometry_for({.request_bytes = 4096,
                                   .response_bytes = 4096,
                                   .dispatch_bytes = 4096,
                                   .buffer_bytes = 0,
                                   .message_bytes_max = bulk ? 6000u : 1000u,
                                   .outstanding_max = 2});
  server.memory = shm::make_sealed_memory("fuzz", memory_bytes(g), memory_bytes(g));
  Mapping memory;
  PHX_CHECK(server.memory >= 0 && memory.map(server.memory, g));
  Page& page = *memory.page();
  page = Page{};
  page.magic = kMagic;
  page.version = kVersion;
  page.struct_bytes = sizeof(Page);
  page.state = static_cast<std::uint32_t>(State::Open);
  server.geometry = g;
  if (input.choose(8) == 0) {
    const std::uint64_t word = input.number();
    std::memcpy(reinterpret_cast<std::byte*>(&server.geometry) + input.choose(8) * 8, &word, 8);
  }
  std::thread handshake([] { server.hand_out(); });
  const phx_ipc_options options{
      .struct_bytes = sizeof options, .connect_timeout_ms = 1000, .wait = PHX_IPC_SLEEP};
  phx_ipc_handle h = 0;
  const phx_status status = phx_ipc_connect(server.path.c_str(), 1, &options, &h);
  handshake.join();
  std::uint32_t sequence = 1;
  while (status == PHX_OK && !input.empty()) step(input, h, memory, sequence);
  server.hang_up();
  if (status == PHX_OK) PHX_CHECK(phx_ipc_disconnect(h) == PHX_OK);
  close(server.memory);
  return 0;
}
