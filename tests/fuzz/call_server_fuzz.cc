#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "ipc/base/assert.h"
#include "ipc/call/layout.h"
#include "ipc/include/phalanx/ipc_server.h"
#include "ipc/shm/descriptor_socket.h"
#include "tests/fuzz/input.h"

namespace {

using namespace phalanx;
using namespace phalanx::call;

phx_ipc_connection connection;

void echo(void*, phx_ipc_server* server, const phx_ipc_message* m) {
  std::uint64_t sum = m->bytes;
  for (std::size_t i = 0; i < m->bytes; ++i) sum += static_cast<const unsigned char*>(m->data)[i];
  const std::size_t most = m->reply_bytes_max < sizeof sum ? m->reply_bytes_max : sizeof sum;
  (void)phx_ipc_reply_send(server, m->connection, m->request, &sum, most);
}

void event(void*, phx_ipc_server* server, const phx_ipc_message* m) {
  (void)phx_ipc_dispatch(server, m->connection, m->id, m->data, m->bytes);
  if (m->request != 0) (void)phx_ipc_refuse(server, m->connection, m->request, PHX_ACCESS);
}

void nothing(void*, phx_ipc_server*, const phx_ipc_message*) {}

const phx_ipc_handler kHandlers[] = {{echo, 0}, {event, 0}, {nothing, 0}};
const phx_ipc_service kService = {.service = 1,
                                  .private_bytes = 8,
                                  .handlers = kHandlers,
                                  .handler_count = 3,
                                  .init = [](void*, phx_ipc_server*, phx_ipc_connection c,
                                             void*) { return connection = c, PHX_OK; },
                                  .exit = nullptr,
                                  .room = nullptr};

std::string folder;

phx_ipc_server* make_server(phx_ipc_policy policy) {
  if (folder.empty()) {
    char name[] = "/tmp/phx-call-fuzz-XXXXXX";
    folder = mkdtemp(name);
  }
  const phx_ipc_server_options options{.struct_bytes = sizeof options,
                                       .runtime_directory = folder.c_str(),
                                       .services = &kService,
                                       .service_count = 1,
                                       .policy = policy};
  phx_ipc_server* server = nullptr;
  PHX_CHECK(phx_ipc_server_create(policy == PHX_IPC_EVICT ? "evict" : "throttle", &options,
                                  &server) == PHX_OK);
  return server;
}

void let_go(phx_ipc_server* server) {
  for (int i = 0; i < 3; ++i) (void)phx_ipc_server_turn(server, 0);
}

}  // namespace

// Whatever a client writes into the memory it shares, and however it connects, the server touches
// only its rings and buffers, and goes on.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static phx_ipc_server* const servers[2] = {make_server(PHX_IPC_EVICT),
                                             make_server(PHX_IPC_THROTTLE)};
  fuzz::Input input(data, size);
  const std::uint64_t choice = input.take(1);
  phx_ipc_server* server = servers[choice & 1];
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = folder + ((choice & 1) == 0 ? "/ipc/evict.sock" : "/ipc/throttle.sock");
  std::memcpy(address.sun_path, path.c_str(), path.size());
  PHX_CHECK(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);

  ConnectRequest request;
  request.service = 1;
  request.outstanding_max = 3;
  request.request_bytes = request.response_bytes = request.dispatch_bytes = 4096;
  request.message_bytes_max = (choice & 2) == 0 ? 1000 : 5000;
  request.buffer_bytes = 4096;
  if ((choice & 0x80) != 0) {
    const std::uint64_t word = input.take(8);
    std::memcpy(reinterpret_cast<std::byte*>(&request) + input.take(1) % 120, &word, sizeof word);
    request.buffer_bytes %= 1u << 20;  // Sizes are bounded; the time for them is ours.
  }
  PHX_CHECK(send(fd, &request, sizeof request, MSG_NOSIGNAL) == sizeof request);
  let_go(server);

  ConnectReply reply;
  int fds[2] = {-1, -1};
  std::size_t count = 0;
  const ssize_t got = shm::receive_with_descriptors(fd, &reply, sizeof reply, fds, 2, count);
  if (got == sizeof reply && count == 2) {
    struct stat file {};
    PHX_CHECK(fstat(fds[0], &file) == 0);
    const auto bytes = static_cast<std::size_t>(file.st_size);
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    PHX_CHECK(at != MAP_FAILED);
    auto* base = static_cast<std::byte*>(at);
    const std::size_t likely = bytes < 16384 + kPageBytes ? bytes : 16384 + kPageBytes;
    while (!input.empty()) {
      const std::uint64_t what = input.take(1);
      if (what % 4 == 0) {
        const char byte = 1;
        (void)!send(fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)phx_ipc_server_turn(server, 0);
      } else if (what % 4 == 1) {
        (void)phx_ipc_dispatch(server, connection, 1, &request, what & 0x7c);
      } else {
        const std::size_t span = what % 4 == 2 ? kPageBytes : likely;
        const std::size_t offset = input.take(3) % (span / 4) * 4;
        const std::uint64_t value = input.take(4);
        std::memcpy(base + offset, &value, 4);
      }
    }
    let_go(server);
    munmap(at, bytes);
  }
  for (const int each : {fd, fds[0], fds[1]}) {
    if (each >= 0) close(each);
  }
  let_go(server);
  phx_ipc_client_info info{};
  PHX_CHECK(phx_ipc_client(server, connection, &info) == PHX_BAD_HANDLE);
  return 0;
}
