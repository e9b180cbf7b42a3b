#include <fcntl.h>
#include <gtest/gtest.h>
#include <phalanx/phalanx.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "ipc/base/fd.h"
#include "ipc/shm/attach_protocol.h"
#include "ipc/shm/channel.h"
#include "ipc/shm/descriptor_socket.h"
#include "ipc/shm/lane_map.h"

namespace phalanx {
namespace {

std::size_t open_descriptors() {
  namespace fs = std::filesystem;
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

/// A reply with a good channel, but for so many copies too many of a descriptor; and what follows
/// it in the same piece.
struct Answer {
  std::size_t too_many = 0;
  std::uint32_t lanes = 1;
  std::uint32_t mapped = 0;
  std::vector<shm::MappedGroup> groups = {};
};

void reply_with(int listener, const Answer& answer) {
  const Fd client(accept(listener, nullptr, nullptr));
  shm::AttachRequest request;
  (void)!read(client.get(), &request, sizeof request);
  const auto channel = shm::WorkerChannel::create({.message_bytes_max = 1024});
  std::array<int, 8> fds{channel->memory_fd(), channel->doorbell_fd()};
  const std::size_t descriptors = 2 + answer.too_many;
  for (std::size_t i = 2; i < descriptors; ++i) fds[i] = channel->doorbell_fd();
  const shm::AttachReply reply{
      .geometry = channel->geometry(), .lanes = answer.lanes, .mapped = answer.mapped};
  std::vector<std::byte> bytes(sizeof reply + answer.groups.size() * sizeof answer.groups[0]);
  std::memcpy(bytes.data(), &reply, sizeof reply);
  std::ranges::copy(std::as_bytes(std::span(answer.groups)), bytes.data() + sizeof reply);
  (void)shm::send_with_descriptors(client.get(), bytes.data(), bytes.size(), fds.data(),
                                   descriptors);
}

struct AttachReply : testing::Test {
  void SetUp() override {
    ASSERT_NE(mkdtemp(directory), nullptr);
    const std::string instance = std::string(directory) + "/default";
    ASSERT_EQ(mkdir(instance.c_str(), 0700), 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, (instance + "/phalanx.sock").c_str());
    listener.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(listener.get(), 1), 0);
  }
  void TearDown() override { std::filesystem::remove_all(directory); }

  /// What the library says to that answer; it leaks no descriptor.
  phx_status status_of(const Answer& answer) {
    const std::size_t before = open_descriptors();
    std::thread server([&] { reply_with(listener.get(), answer); });
    phx_options options{};
    options.struct_bytes = sizeof options;
    options.runtime_directory = directory;
    phx_handle handle = 0;
    const phx_status status = phx_initialize(&options, &handle);
    server.join();
    if (handle != 0) phx_finalize(handle);
    EXPECT_EQ(open_descriptors(), before);
    return status;
  }

  char directory[32] = "/tmp/phalanx-reply-XXXXXX";
  Fd listener;
};

// The kernel delivers four into the space for three.
// The kernel delivers four into the space for three.
TEST_F(AttachReply, WithOneDescriptorTooManyIsRefusedAndLeaksNone) {
  EXPECT_EQ(status_of({.too_many = 2}), PHX_VERSION);
}

TEST_F(AttachReply, WithLanesThatMakeNoSenseIsRefused) {
  const shm::MappedGroup first{.group = 1, .lane = 0};
  const shm::MappedGroup second{.group = 2, .lane = 1};

  EXPECT_EQ(status_of({.lanes = 2, .mapped = 2, .groups = {first, second}}), PHX_OK);
  EXPECT_EQ(status_of({.lanes = 2, .mapped = 2, .groups = {first}}), PHX_VERSION) << "too few";
  EXPECT_EQ(status_of({.lanes = 2, .mapped = 2, .groups = {second, first}}), PHX_VERSION);
  EXPECT_EQ(status_of({.lanes = 1, .mapped = 2, .groups = {first, second}}), PHX_VERSION);
  EXPECT_EQ(status_of({.lanes = kLanesMax + 1}), PHX_VERSION);
  EXPECT_EQ(status_of({.lanes = 2, .mapped = 257}), PHX_VERSION);
  EXPECT_EQ(status_of({.lanes = 2, .mapped = ~0U}), PHX_VERSION);
}

}  // namespace
}  // namespace phalanx
