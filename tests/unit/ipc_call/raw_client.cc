#include "tests/unit/ipc_call/raw_client.h"

#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "ipc/shm/descriptor_socket.h"

namespace phalanx::call {

RawClient::RawClient(const std::string& path, const ConnectRequest& request) {
  reply_.status = ~0u;
  socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return;
  if (send(socket_, &request, sizeof request, MSG_NOSIGNAL) != sizeof request) return;
  pollfd p{.fd = socket_, .events = POLLIN, .revents = 0};
  poll(&p, 1, 5000);
  int fds[kConnectDescriptorsMost] = {-1, -1, -1, -1};
  std::size_t count = 0;
  if (shm::receive_with_descriptors(socket_, &reply_, sizeof reply_, fds, kConnectDescriptorsMost,
                                    count) != sizeof reply_) {
    return;
  }
  memory_ = fds[0];
  wake_ = fds[1];
  log_ = fds[2];
  if (memory_ < 0 || wake_ < 0) return;
  struct stat file {};
  fstat(memory_, &file);
  bytes_ = static_cast<std::size_t>(file.st_size);
  void* base = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, memory_, 0);
  base_ = base == MAP_FAILED ? nullptr : static_cast<std::byte*>(base);
}

RawClient::~RawClient() {
  if (base_ != nullptr) munmap(base_, bytes_);
  for (const int fd : {socket_, memory_, wake_, log_}) {
    if (fd >= 0) close(fd);
  }
}

void RawClient::write(std::uint32_t length, std::uint32_t tag, const void* body,
                      std::size_t body_bytes) {
  std::byte* at = base_ + kPageBytes;
  std::memcpy(at, &length, 4);
  std::memcpy(at + 4, &tag, 4);
  if (body_bytes > 0) std::memcpy(at + 8, body, body_bytes);
  std::atomic_ref(page().request.tail.position).store(shm::ring_record_bytes(body_bytes));
  ring();
}

void RawClient::ring() const {
  const char byte = 1;
  (void)!send(socket_, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool RawClient::is_cut_off() const {
  pollfd p{.fd = socket_, .events = POLLRDHUP, .revents = 0};
  return poll(&p, 1, 5000) == 1;
}

}  // namespace phalanx::call
