#include "ipc/shm/control_socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <string>

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

TEST(ControlSocket, CarriesLinesForTheLogTheOtherWay) {
  Pair pair;
  const LogLine line{.level = LogLine::Level::Warn, .text = "worker not pinned cpu=3"};

  ASSERT_TRUE(send_log_line(pair.data_plane.get(), line));
  ASSERT_TRUE(send_log_line(pair.data_plane.get(), {.text = std::string(5000, 'x')}));
  const auto first = receive_log_line(pair.control_plane.get());
  const auto second = receive_log_line(pair.control_plane.get());
  const auto none = receive_log_line(pair.control_plane.get());

  ASSERT_TRUE(first && *first && second && *second && none);
  EXPECT_EQ((*first)->level, LogLine::Level::Warn);
  EXPECT_EQ((*first)->text, line.text);
  EXPECT_EQ((*second)->text, std::string(kLogLineBytesMax, 'x'));
  EXPECT_FALSE(*none);
}

TEST(ControlSocket, TakesNoLineOfRubbish) {
  const std::string good("PhL1\2\0\0\0text", 12);
  for (std::string packet : {good.substr(0, 7), "PhL2" + good.substr(4), std::string("x")}) {
    Pair pair;
    ASSERT_GT(send(pair.data_plane.get(), packet.data(), packet.size(), 0), 0);
    EXPECT_FALSE(receive_log_line(pair.control_plane.get())) << packet;
  }
  Pair pair;
  std::string loud = good;
  loud[4] = 9;
  ASSERT_GT(send(pair.data_plane.get(), loud.data(), loud.size(), 0), 0);
  EXPECT_FALSE(receive_log_line(pair.control_plane.get()));
  pair.data_plane.reset();
  EXPECT_FALSE(receive_log_line(pair.control_plane.get()));
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
