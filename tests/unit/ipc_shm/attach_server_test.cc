#include "ipc/shm/attach_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <vector>

#include "ipc/base/fd.h"
#include "ipc/shm/descriptor_socket.h"

namespace phalanx::shm {
namespace {

LaneMap map_of_one() {
  const MappedGroup group{.group = 7, .lane = 1};
  LaneMap map;
  EXPECT_TRUE(map.assign(2, {&group, 1}));
  return map;
}

/// All that a client with these flags gets, and the number of descriptors.
std::vector<std::byte> reply_to(std::uint32_t flags, std::size_t& descriptors) {
  std::array<int, 2> pair{};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()), 0);
  const Fd client(pair[0]), daemon(pair[1]);
  const auto channel = WorkerChannel::create(
      {.submit_bytes = 1U << 18, .delivery_bytes = 1U << 18, .message_bytes_max = 1024});
  const WorkerChannel* const channels[] = {&*channel};
  EXPECT_TRUE(send_attach_reply(daemon.get(), {.flags = flags}, channels, map_of_one()));
  std::vector<std::byte> bytes(2 * sizeof(AttachReply));
  std::array<int, 8> fds{};
  const ssize_t got = receive_with_descriptors(client.get(), bytes.data(), bytes.size(), fds.data(),
                                               fds.size(), descriptors);
  for (std::size_t i = 0; i < descriptors; ++i) close(fds[i]);
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

TEST(AttachServer, TellsTheLanesBehindTheReply) {
  std::size_t descriptors = 0;
  const auto bytes = reply_to(kKnowsLaneMap, descriptors);

  ASSERT_EQ(bytes.size(), sizeof(AttachReply) + sizeof(MappedGroup));
  EXPECT_EQ(descriptors, 2U);
  AttachReply reply;
  MappedGroup group;
  std::memcpy(&reply, bytes.data(), sizeof reply);
  std::memcpy(&group, bytes.data() + sizeof reply, sizeof group);
  EXPECT_EQ(reply.mapped, 1U);
  EXPECT_EQ(reply.lanes, 2U);
  EXPECT_EQ(group.group, 7U);
  EXPECT_EQ(group.lane, 1U);
}

// An older library takes whatever follows for a byte that wakes it.
TEST(AttachServer, TellsAnOlderLibraryNothingOfThem) {
  std::size_t descriptors = 0;
  const auto bytes = reply_to(0, descriptors);

  ASSERT_EQ(bytes.size(), sizeof(AttachReply));
  AttachReply reply;
  std::memcpy(&reply, bytes.data(), sizeof reply);
  EXPECT_EQ(reply.mapped, 0U);
  EXPECT_EQ(descriptors, 2U);
}

TEST(AttachServer, AnOlderLibraryFindsTheWorkerUnlessLanesAreNamedForSeveral) {
  const AttachRequest older;
  const AttachRequest newer{.flags = kKnowsLaneMap};

  EXPECT_TRUE(finds_lanes(older, 1, map_of_one()));
  EXPECT_TRUE(finds_lanes(older, 2, LaneMap(2)));
  EXPECT_FALSE(finds_lanes(older, 2, map_of_one()));
  EXPECT_TRUE(finds_lanes(newer, 2, map_of_one()));
}

}  // namespace
}  // namespace phalanx::shm
