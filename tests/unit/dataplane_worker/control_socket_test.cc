#include "ipc/shm/control_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

namespace phalanx::shm {
namespace {

struct Pair {
  Pair() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    control_plane.reset(ends[0]);
    data_plane.reset(ends[1]);
  }
  Fd control_plane, data_plane;
};

AdoptClient some_client() { return {.uid = 7, .socket = Fd(open("/dev/null", O_RDONLY))}; }

TEST(ControlSocket, HandsAClientOver) {
  Pair pair;

  ASSERT_TRUE(send_adopt(pair.control_plane.get(), some_client()));
  auto packet = receive_packet(pair.data_plane.get());

  ASSERT_TRUE(packet && *packet);
  EXPECT_EQ((*packet)->client.uid, 7U);
  EXPECT_TRUE((*packet)->client.socket);
}

// The connection must outlive that, or the data plane is taken for dead.
TEST(ControlSocket, LosesOnlyTheClientWhenDescriptorsRunOut) {
  Pair pair;
  ASSERT_TRUE(send_adopt(pair.control_plane.get(), some_client()));
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};

  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  auto packet = receive_packet(pair.data_plane.get());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);

  ASSERT_TRUE(packet && *packet);
  EXPECT_EQ((*packet)->kind, ControlPacket::Kind::Adopt);
  EXPECT_FALSE((*packet)->client.socket);
}

}  // namespace
}  // namespace phalanx::shm
