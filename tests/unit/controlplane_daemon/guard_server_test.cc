#include "controlplane/daemon/guard_server.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <optional>

#include "controlplane/daemon/instance.h"
#include "tests/unit/controlplane_daemon/temporary_directory.h"

namespace phalanx::controlplane {
namespace {

using shm::GuardWord;
using shm::GuardWordKind;

class GuardServerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = Instance::open({.runtime_directory = root_.path() + "/run", .name = "n1"});
    ASSERT_TRUE(opened);
    instance_ = std::make_unique<Instance>(std::move(*opened));
    auto listener = instance_->listen("guard.sock", SOCK_SEQPACKET, Instance::Access::Others);
    ASSERT_TRUE(listener);
    server_ = std::make_unique<GuardServer>(loop_, std::move(*listener),
                                            security::Acl(geteuid(), {}, {}));
  }

  void turn() {
    while (loop_.run_once(0)) {
    }
  }
  Fd connect_one() {
    Fd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, instance_->path("guard.sock").c_str());
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    turn();
    return fd;
  }
  void say(const Fd& fd, GuardWordKind kind, std::uint32_t number, std::uint32_t value,
           const char* text) {
    GuardWord word{.kind = kind, .number = number, .value = value};
    std::memcpy(word.text, text, std::strlen(text));
    EXPECT_EQ(send(fd.get(), &word, sizeof word, MSG_NOSIGNAL), ssize_t{sizeof word});
    turn();
  }
  static std::optional<GuardWord> hear(const Fd& fd) {
    GuardWord word;
    if (recv(fd.get(), &word, sizeof word, 0) != ssize_t{sizeof word}) return std::nullopt;
    return word;
  }
  Fd guard(const char* name) {
    Fd fd = connect_one();
    say(fd, GuardWordKind::Hello, 0, 0, name);
    const auto welcome = hear(fd);
    EXPECT_TRUE(welcome && welcome->kind == GuardWordKind::Welcome && welcome->value == 1);
    return fd;
  }
  void ask() {
    answered_.reset();
    EXPECT_TRUE(server_->ask([this](const auto& vetoes) { answered_ = vetoes; }));
    turn();
  }

  TemporaryDirectory root_;
  EventLoop loop_;
  std::unique_ptr<Instance> instance_;
  std::unique_ptr<GuardServer> server_;
  std::optional<std::vector<GuardServer::Veto>> answered_;
};

TEST_F(GuardServerTest, NobodyToAskIsNoVeto) {
  ask();

  ASSERT_TRUE(answered_);
  EXPECT_TRUE(answered_->empty());
}

TEST_F(GuardServerTest, NamesWhoSaysNoAndWhy) {
  const Fd one = guard("one");
  const Fd two = guard("two");

  ask();
  const auto question = hear(one);
  ASSERT_TRUE(question && hear(two));
  say(one, GuardWordKind::Answer, question->number, 1, "");
  EXPECT_FALSE(answered_);
  say(two, GuardWordKind::Answer, question->number, 0, "busy");

  ASSERT_TRUE(answered_);
  ASSERT_EQ(answered_->size(), 1u);
  EXPECT_EQ(answered_->front().name, "two");
  EXPECT_EQ(answered_->front().pid, static_cast<std::uint32_t>(getpid()));
  EXPECT_EQ(answered_->front().reason, "busy");
}

TEST_F(GuardServerTest, AGuardThatDiesHasNoSay) {
  Fd one = guard("one");

  ask();
  one.reset();
  turn();

  ASSERT_TRUE(answered_);
  EXPECT_TRUE(answered_->empty());
}

TEST_F(GuardServerTest, AnAnswerToAnotherQuestionIsNone) {
  const Fd one = guard("one");

  ask();
  const auto question = hear(one);
  ASSERT_TRUE(question);
  say(one, GuardWordKind::Answer, question->number + 1, 1, "");
  EXPECT_FALSE(answered_);
  EXPECT_FALSE(server_->ask([](const auto&) {})) << "one question at a time";
}

TEST_F(GuardServerTest, WhoSaysWhatNoLibrarySaysIsCut) {
  const Fd rubbish = connect_one();
  ASSERT_EQ(send(rubbish.get(), "rubbish", 7, MSG_NOSIGNAL), 7);
  turn();
  EXPECT_EQ(recv(rubbish.get(), nullptr, 0, 0), 0);

  GuardWord endless;
  std::memset(endless.text, 'x', sizeof endless.text);
  const Fd unending = connect_one();
  ASSERT_EQ(send(unending.get(), &endless, sizeof endless, MSG_NOSIGNAL), ssize_t{sizeof endless});
  turn();
  EXPECT_EQ(recv(unending.get(), nullptr, 0, 0), 0);

  const Fd twice = guard("twice");
  say(twice, GuardWordKind::Hello, 0, 0, "again");
  EXPECT_EQ(recv(twice.get(), nullptr, 0, 0), 0);
}

TEST_F(GuardServerTest, IsBoundedInGuards) {
  std::vector<Fd> guards;
  for (std::size_t i = 0; i < GuardServer::kGuardsMax; ++i) guards.push_back(guard("many"));

  const Fd late = connect_one();
  const auto welcome = hear(late);

  ASSERT_TRUE(welcome);
  EXPECT_EQ(welcome->value, 0u);
}

}  // namespace
}  // namespace phalanx::controlplane
