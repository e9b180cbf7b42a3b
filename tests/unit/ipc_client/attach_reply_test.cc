#include <fcntl.h>
#include <gtest/gtest.h>
#include <phalanx/phalanx.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <thread>

#include "ipc/base/fd.h"
#include "ipc/shm/attach_protocol.h"

namespace phalanx {
namespace {

std::size_t open_descriptors() {
  namespace fs = std::filesystem;
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

void reply_with(int listener, std::size_t descriptors) {
  const Fd client(accept(listener, nullptr, nullptr));
  shm::AttachRequest request;
  (void)!read(client.get(), &request, sizeof request);
  shm::AttachReply reply;
  iovec part{&reply, sizeof reply};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(8 * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_SPACE(descriptors * sizeof(int));
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(descriptors * sizeof(int));
  const std::array<int, 8> same{};
  std::memcpy(CMSG_DATA(header), same.data(), descriptors * sizeof(int));
  (void)sendmsg(client.get(), &message, MSG_NOSIGNAL);
}

// The kernel delivers four into the space for three.
TEST(AttachReply, WithOneDescriptorTooManyIsRefusedAndLeaksNone) {
  char directory[] = "/tmp/phalanx-reply-XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  const std::string instance = std::string(directory) + "/default";
  ASSERT_EQ(mkdir(instance.c_str(), 0700), 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, (instance + "/phalanx.sock").c_str());
  const Fd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener.get(), 1), 0);
  const std::size_t before = open_descriptors();
  std::thread server([&] { reply_with(listener.get(), 4); });

  phx_options options{};
  options.struct_bytes = sizeof options;
  options.runtime_directory = directory;
  phx_handle handle = 0;
  const phx_status status = phx_initialize(&options, &handle);
  server.join();

  EXPECT_EQ(status, PHX_VERSION);
  EXPECT_EQ(open_descriptors(), before);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace phalanx
