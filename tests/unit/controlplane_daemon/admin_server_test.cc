#include "controlplane/daemon/admin_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "controlplane/daemon/instance.h"
#include "tests/unit/controlplane_daemon/temporary_directory.h"

namespace phalanx::controlplane {
namespace {

class AdminServerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Instance::open({.runtime_directory = root_.path() + "/run", .name = "n1"});
    ASSERT_TRUE(opened);
    instance_ = std::make_unique<Instance>(std::move(*opened));
    auto listener = instance_->listen("admin.sock", SOCK_SEQPACKET, Instance::Access::Owner);
    ASSERT_TRUE(listener);
    server_ = std::make_unique<AdminServer>(
        loop_, std::move(*listener), security::Acl(geteuid(), {}, {}),
        [this](const nlohmann::json& request, const security::PeerCredentials& peer,
               AdminServer::Reply reply) {
          peer_uid_ = peer.uid;
          if (request.value("command", "") == "later") {
            held_ = std::move(reply);
          } else {
            reply({{"echo", request}});
          }
        });
  }

  Fd connect_one() {
    Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, instance_->path("admin.sock").c_str());
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_TRUE(loop_.run_once(0));
    return fd;
  }

  void say(const Fd& fd, const std::string& text) {
    ASSERT_EQ(send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    while (loop_.run_once(0)) {
    }
  }

  static nlohmann::json hear(const Fd& fd) {
    std::string text(65536, '\0');
    const ssize_t bytes = recv(fd.get(), text.data(), text.size(), 0);
    return bytes <= 0 ? nlohmann::json()
                      : nlohmann::json::parse(text.begin(), text.begin() + bytes);
  }

  TemporaryDirectory root_;
  EventLoop loop_;
  std::unique_ptr<Instance> instance_;
  std::unique_ptr<AdminServer> server_;
  AdminServer::Reply held_;
  std::uint32_t peer_uid_ = 0xFFFFFFFF;
};

TEST_F(AdminServerTest, AnswersOneObjectWithOneObject) {
  const Fd fd = connect_one();

  say(fd, R"({"command":"status"})");

  EXPECT_EQ(hear(fd), nlohmann::json::parse(R"({"echo":{"command":"status"}})"));
  EXPECT_EQ(peer_uid_, getuid());
}

TEST_F(AdminServerTest, SaysWhatIsWrongWithRubbish) {
  const Fd fd = connect_one();

  for (const char* rubbish : {"{", "[]", "7", "\xff\xfe", "{\"a\":1}}"}) {
    say(fd, rubbish);
    EXPECT_EQ(hear(fd)["error"]["code"], 2) << rubbish;
  }
}

TEST_F(AdminServerTest, MayAnswerLaterAndToAPeerThatHasGone) {
  Fd fd = connect_one();
  say(fd, R"({"command":"later"})");
  EXPECT_TRUE(hear(fd).is_null());

  held_({{"done", true}});
  EXPECT_EQ(hear(fd)["done"], true);
  fd.reset();
  while (loop_.run_once(0)) {
  }
  held_({{"done", true}});  // Dropped.
}

TEST_F(AdminServerTest, BoundsItsConnections) {
  std::vector<Fd> fds;
  fds.reserve(32);
  for (int i = 0; i < 32; ++i) fds.push_back(connect_one());

  const Fd one_too_many = connect_one();

  char byte = 0;
  EXPECT_EQ(recv(one_too_many.get(), &byte, 1, 0), 0);  // Hung up at once.
}

}  // namespace
}  // namespace phalanx::controlplane
